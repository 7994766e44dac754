package trb_test

import (
	"fmt"
	"trb"
)

// Two tiny models: tables of logits by the last token. The teacher counts from 0 to 9 and ends; the student has
// forgotten how. A few steps of rollouts within an annealed budget, and of descent on the reverse KL.
func Example() {
	const end = words - 1
	var student, teacher table
	for token := 0; token < words; token++ {
		next := token + 1
		if next > end {
			next = end
		}
		teacher.logits[token][next] = 6
		student.logits[token][token*7%words] = 1
	}
	ctx, err := trb.NewContext(trb.ContextOptions{})
	if err != nil {
		panic(err)
	}
	defer ctx.Close()
	step := func(k int64) error {
		budget, err := ctx.ScheduleAt(trb.Schedule{Initial: 0.1, Steps: 40}, k)
		if err != nil {
			return err
		}
		rollouts, err := ctx.Rollout(student.model(), teacher.model(), [][]int64{{0}}, trb.RolloutOptions{
			Budget: budget, Sampler: trb.Sampler{Seed: uint64(k)}, Stop: []int64{end}, MaxTokens: 12, Repeats: 16,
			KeepBytes: 1 << 20,
		})
		if err != nil {
			return err
		}
		defer rollouts.Close()
		trained, err := ctx.TrainStep(student.model(), teacher.model(), rollouts, trb.TrainOptions{})
		if err != nil {
			return err
		}
		for token := range student.logits {
			for v := range student.logits[token] {
				student.logits[token][v] -= 2 * float32(student.gradient[token][v])
			}
		}
		student.gradient = [words][words]float64{}
		if k%20 == 0 {
			fmt.Printf("step %d, budget %.3f: KL(p||q) %.3f, a response %v\n", k, budget, trained.Report.Loss,
				rollouts.Response(0))
		}
		return nil
	}
	for k := int64(0); k <= 60; k++ {
		if err := step(k); err != nil {
			panic(err)
		}
	}
	// Output:
	// step 0, budget 0.100: KL(p||q) 3.176, a response [4 0 10]
	// step 20, budget 0.050: KL(p||q) 0.526, a response [1 2 3 4 5 6 7 8 9 10]
	// step 40, budget 0.000: KL(p||q) 0.091, a response [1 7 8 9 8 9 10]
	// step 60, budget 0.000: KL(p||q) 0.033, a response [1 2 3 4 5 4 4 5 6 7 8 9]
}
