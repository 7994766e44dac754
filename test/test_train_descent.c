/* test_train_descent.c - from end to end: a student that is a table of logits, one row for each last token, trained by
 * plain gradient descent on its own rollouts or on those of the trust region, against a teacher that is another table.
 *
 * The measure is the exact on-policy reverse KL, KL(P_p||P_q) of whole responses, by enumeration. At its minimum 0 the
 * tables agree up to a constant for each row. Everything is deterministic: the draws are keyed by step and sequence. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "suites.h"

enum { VOCAB = 4, RESPONSE = 3, STEPS = 120, REPEATS = 6 };

typedef struct table {
  double logit[VOCAB][VOCAB], gradient[VOCAB][VOCAB];
} table;

static int64_t last_token(const trb_query *query, int64_t row) {
  return query->tokens[query->length - query->rows + row];
}

static int32_t forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  const table *x = user;
  const matrix m = {.view = *out};
  int64_t row = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < queries[i].rows; k++) matrix_set_row(&m, row++, x->logit[last_token(&queries[i], k)]);
  return TRB_CONTINUE;
}

static int32_t backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  table *x = user;
  int64_t row = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < queries[i].rows; k++, row++)
      for (int64_t v = 0; v < VOCAB; v++) x->gradient[last_token(&queries[i], k)][v] += matrix_get(grad, row, v);
  return TRB_CONTINUE;
}

static table table_new(uint64_t seed, double spread) {
  rng g = {seed};
  table x = {.gradient = {{0.0}}};
  for (int i = 0; i < VOCAB * VOCAB; i++) x.logit[i / VOCAB][i % VOCAB] = spread * rng_normal(&g);
  return x;
}

static double log_probability(const table *x, int64_t last, int64_t token) {
  double sum = 0.0;
  for (int64_t v = 0; v < VOCAB; v++) sum += exp(x->logit[last][v]);
  return x->logit[last][token] - log(sum);
}

/* The sum over responses of P_p log(P_p/P_q), by the tree of their tokens; log_p and log_q are those of the path. */
static double enumerate(const table *p, const table *q, int64_t last, int depth, double log_p, double log_q) {
  double sum = 0.0;
  if (depth == RESPONSE) return exp(log_p) * (log_p - log_q);
  for (int64_t v = 0; v < VOCAB; v++)
    sum += enumerate(p, q, v, depth + 1, log_p + log_probability(p, last, v), log_q + log_probability(q, last, v));
  return sum;
}

static double sequence_kl(const table *p, const table *q) {
  double sum = 0.0;
  for (int64_t prompt = 0; prompt < VOCAB; prompt++) sum += enumerate(p, q, prompt, 0, 0.0, 0.0) / VOCAB;
  return sum;
}

/* One optimizer step; returns the report's loss. */
static double descend(trb_context *ctx, table *p, table *q, double budget, uint64_t seed) {
  static const int64_t tokens[VOCAB] = {0, 1, 2, 3}, offset[VOCAB + 1] = {0, 1, 2, 3, 4};
  const trb_texts prompts = {tokens, offset, VOCAB};
  const trb_model student = {sizeof student, VOCAB, forward, backward, p, TRB_F32, 0.0f};
  const trb_model teacher = {sizeof teacher, VOCAB, forward, NULL, q, TRB_F32, 0.0f};
  const trb_sampler sampler = {.size = sizeof sampler, .seed = seed};
  const trb_rollout_options o = {.size = sizeof o,
                                 .budget = budget,
                                 .sampler = &sampler,
                                 .max_tokens = RESPONSE,
                                 .repeats = REPEATS,
                                 .keep_bytes = 1 << 20};
  trb_rollouts *r;
  trb_train_report report = {.size = sizeof report};
  memset(p->gradient, 0, sizeof p->gradient);
  ck_assert_int_eq(trb_rollout(ctx, &student, &teacher, &prompts, &o, &r), TRB_OK);
  ck_assert_int_eq(trb_train_step(ctx, &student, &teacher, r, NULL, NULL, NULL, &report), TRB_OK);
  ck_assert_int_eq(report.teacher_rows, budget > 0.0 ? 0 : r->n_tokens); /* the rollout kept what it asked for */
  trb_rollouts_free(r);
  for (int i = 0; i < VOCAB * VOCAB; i++) p->logit[i / VOCAB][i % VOCAB] -= 6.0 * p->gradient[i / VOCAB][i % VOCAB];
  return report.loss;
}

/* Vanilla on-policy distillation, and the trust region with a budget that anneals over half of the steps. */
START_TEST(test_descent) {
  table p = table_new(0x3F1, 1.0), q = table_new(0x3F2, 1.5);
  const trb_schedule schedule = {.size = sizeof schedule, .initial = _i ? 0.5 : 0.0, .steps = STEPS / 2};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  const double before = sequence_kl(&p, &q);
  double loss = 0.0;
  for (int64_t k = 0; k < STEPS; k++) {
    double budget;
    ck_assert_int_eq(trb_schedule_at(ctx, &schedule, k, &budget), TRB_OK);
    loss = descend(ctx, &p, &q, budget, (uint64_t)k);
  }
  const double after = sequence_kl(&p, &q);
  if (verbose()) printf("sequence KL %g -> %g, last loss %g\n", before, after, loss);
  ck_assert_msg(before > 1.0 && after < 1e-6 && loss < 1e-6, "from %g to %g, last loss %g", before, after, loss);
  trb_context_free(ctx);
}
END_TEST

TCase *train_descent_case(void) {
  TCase *tc = long_case("descent");
  tcase_add_loop_test(tc, test_descent, 0, 2);
  return tc;
}
