/* example.cpp - rollouts of two tiny models within a KL budget, and the loss where they wrote.
 *
 * The models are tables: the logits of the next token depend on the last one alone. The teacher counts from 0 to 9 and
 * ends; the student has forgotten how. */
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <vector>

#include "trb.hpp"

constexpr std::int64_t VOCAB = 11, END = 10;

struct table : trb::model {
  std::array<std::array<float, VOCAB>, VOCAB> logits{}; /* [last token][next token] */

  table() : model(VOCAB) {}

  void forward(trb::span<const trb_query> queries, const trb::mutable_logits &out) override {
    std::int64_t row = 0;
    for (const trb_query &query : queries)
      for (std::int64_t at = query.length - query.rows; at < query.length; at++) {
        const auto &next = logits[static_cast<std::size_t>(query.tokens[at])];
        std::copy(next.begin(), next.end(), out.row<float>(row++).begin());
      }
  }
};

static void run() {
  table student, teacher;
  for (std::size_t a = 0; a < VOCAB; a++) {
    teacher.logits[a][a < END ? a + 1 : END] = 6.0f;
    student.logits[a][(a * 7) % VOCAB] = 1.0f;
  }
  trb::context ctx;
  const std::vector<std::int64_t> prompt{0}, offset{0, 1}, stop{END};
  for (double budget : {0.0, 0.1, 1.0}) {
    trb::rollout_options options;
    options.budget = budget;
    options.stop = stop;
    options.max_tokens = 12;
    options.repeats = 16;
    trb::rollouts rollouts;
    trb::rollout(ctx, &student, &teacher, {prompt, offset}, options, rollouts);

    trb::train_options evaluate;
    evaluate.evaluate = true;
    trb::train_outputs step;
    trb::train_step(ctx, &student, &teacher, rollouts, evaluate, step);
    std::printf("budget %.1f: beta %.3f, KL(p||q) %.3f, first text", budget, trb::totals(ctx, rollouts).beta,
                step.report.loss);
    for (std::int64_t token : rollouts.text(0)) std::printf(" %d", static_cast<int>(token));
    std::printf("\n");
  }
}

int main() {
  try {
    run();
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "example: %s\n", e.what());
    return 1;
  }
}
