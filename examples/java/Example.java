import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntUnaryOperator;
import trb.Context;
import trb.Logits;
import trb.Model;
import trb.Query;
import trb.RolloutOptions;
import trb.Rollouts;
import trb.Sampler;
import trb.Schedule;

/**
 * Two tiny models: tables of logits by the last token. The teacher counts from 0 to 9 and ends; the student has
 * forgotten how. A few steps of rollouts within an annealed budget, and of descent on the reverse KL.
 */
public final class Example {
    private static final int VOCAB = 11;
    private static final int END = 10;

    private Example() {}

    private static final class Table implements Model {
        private final float[][] logits = new float[VOCAB][VOCAB];
        private final float[][] gradient = new float[VOCAB][VOCAB];

        Table(IntUnaryOperator next, float logit) {
            for (int token = 0; token < VOCAB; token++) {
                logits[token][next.applyAsInt(token)] = logit;
            }
        }

        @Override
        public int vocab() {
            return VOCAB;
        }

        @Override
        public void forward(List<Query> queries, Logits out) {
            int row = 0;
            for (Query query : queries) {
                for (int at = query.tokens().length - query.rows(); at < query.tokens().length; at++) {
                    out.set(row++, logits[(int) query.tokens()[at]]);
                }
            }
        }

        @Override
        public void backward(List<Query> queries, Logits grad) {
            int row = 0;
            for (Query query : queries) {
                for (int at = query.tokens().length - query.rows(); at < query.tokens().length; at++) {
                    float[] sum = gradient[(int) query.tokens()[at]];
                    float[] more = grad.get(row++);
                    for (int v = 0; v < VOCAB; v++) {
                        sum[v] += more[v];
                    }
                }
            }
        }

        void descend(float rate) {
            for (int token = 0; token < VOCAB; token++) {
                for (int v = 0; v < VOCAB; v++) {
                    logits[token][v] -= rate * gradient[token][v];
                }
                Arrays.fill(gradient[token], 0);
            }
        }
    }

    public static void main(String[] arguments) {
        var teacher = new Table(token -> Math.min(token + 1, END), 6);
        var student = new Table(token -> token * 7 % VOCAB, 1);
        var options = new RolloutOptions();
        options.sampler = new Sampler();
        options.stop = new long[] {END};
        options.maxTokens = 12;
        options.repeats = 16;
        options.keepBytes = 1 << 20;
        System.out.println("step  budget   beta  KL(p||q)  a response");
        try (var ctx = new Context()) {
            for (int k = 0; k <= 60; k++) {
                options.budget = ctx.scheduleAt(Schedule.linear(0.1, 40), k);
                options.sampler.seed = k;
                try (Rollouts rollouts = ctx.rollout(student, teacher, List.of(new long[] {0}), options)) {
                    var report = ctx.trainStep(student, teacher, rollouts, null).report();
                    if (k % 10 == 0) {
                        System.out.printf(Locale.ROOT, "%4d  %6.3f  %5.3f  %8.3f  %s%n", k, options.budget,
                                ctx.totals(rollouts).beta(), report.loss(), Arrays.toString(rollouts.response(0)));
                    }
                }
                student.descend(2);
            }
        }
    }
}
