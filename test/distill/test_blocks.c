/* Rollouts by blocks of the demo's decoders, whose caches go back where proposals are dropped, against rollouts token
 * by token: two samples of whole sequences, by the chi-square test for equal distributions. Where they are equal a test
 * fails by chance with probability 1e-6, once per choice of the seeds below. */
#include <gsl/gsl_cdf.h>
#include <stdlib.h>

#include "lm.h"
#include "reference.h"
#include "suites.h"

enum { VOCAB = 5, TOKENS = 4, OUTCOMES = 625 /* VOCAB^TOKENS */, SEQUENCES = 20000 };
static const double CHANCE = 1e-6;

static const decoder_shape student_shape = {
    .vocab = VOCAB, .context = 8, .layers = 1, .dim = 8, .heads = 2, .kv_heads = 2, .hidden = 12};
static const decoder_shape teacher_shape = {
    .vocab = VOCAB, .context = 8, .layers = 2, .dim = 12, .heads = 2, .kv_heads = 1, .hidden = 16, .rotary = 1};

static lm *new_lm(const decoder_shape *shape, uint64_t seed) {
  lm *m = lm_new(reference_decoder(shape, seed));
  ck_assert_ptr_nonnull(m);
  ck_assert_int_eq(lm_reserve(m, SEQUENCES), 1);
  return m;
}

/* How often every sequence of TOKENS tokens comes; of blocks also the share that was corrected. */
static double count(lm *student, lm *teacher, int64_t block, uint64_t seed, int64_t *counts) {
  static const int64_t prompt[] = {2, 3}, offset[] = {0, 2};
  const trb_model p = lm_sampling(student), q = lm_sampling(teacher);
  const trb_texts prompts = {prompt, offset, 1};
  const trb_sampler sampler = {.size = sizeof sampler, .seed = seed};
  const trb_rollout_options options = {.size = sizeof options,
                                       .budget = 0.1,
                                       .block = block,
                                       .sampler = &sampler,
                                       .max_tokens = TOKENS,
                                       .batch = 700,
                                       .repeats = SEQUENCES};
  trb_totals totals = {.size = sizeof totals};
  trb_rollouts *r;
  ck_assert_int_eq(trb_rollout(NULL, &p, &q, &prompts, &options, &r), TRB_OK);
  ck_assert_int_eq(trb_rollouts_totals(NULL, r, &totals), TRB_OK);
  for (int64_t i = 0; i < r->n; i++) {
    int64_t number = 0;
    for (int64_t k = r->offset[i]; k < r->offset[i + 1]; k++) number = VOCAB * number + r->token[k];
    counts[number]++;
  }
  trb_rollouts_free(r);
  return (double)totals.corrected / (double)totals.tokens;
}

/* Sequences that both samples together have less than 20 times are one outcome. */
static double p_value(const int64_t *a, const int64_t *b) {
  double statistic = 0.0, rare_a = 0.0, rare_b = 0.0;
  int outcomes = 0;
  for (int i = 0; i < OUTCOMES; i++) {
    const double x = (double)a[i], y = (double)b[i];
    if (x + y < 20.0) {
      rare_a += x;
      rare_b += y;
      continue;
    }
    statistic += (x - y) * (x - y) / (x + y);
    outcomes++;
  }
  if (rare_a + rare_b >= 20.0) {
    statistic += (rare_a - rare_b) * (rare_a - rare_b) / (rare_a + rare_b);
    outcomes++;
  }
  ck_assert_int_gt(outcomes, 20);
  return gsl_cdf_chisq_Q(statistic, outcomes - 1);
}

START_TEST(blocks_are_distributed_as_tokens) {
  static const int64_t lengths[] = {1, 2, 4, 8};
  lm *student = new_lm(&student_shape, 11), *teacher = new_lm(&teacher_shape, 12);
  int64_t *plain = calloc(OUTCOMES, sizeof *plain), *blocks = calloc(OUTCOMES, sizeof *blocks);
  ck_assert(plain != NULL && blocks != NULL);
  count(student, teacher, 0, 1000 + (uint64_t)_i, plain);
  const double corrected = count(student, teacher, lengths[_i], 2000 + (uint64_t)_i, blocks);
  const double p = p_value(plain, blocks);
  ck_assert_msg(corrected > 0.02, "only %g of the tokens were corrected", corrected);
  ck_assert_msg(p > CHANCE, "blocks of %d: p = %g", (int)lengths[_i], p);
  free(plain);
  free(blocks);
  lm_free(student);
  lm_free(teacher);
}
END_TEST

Suite *blocks_suite(void) {
  Suite *suite = suite_create("blocks");
  TCase *tc = tcase_create("blocks");
  tcase_set_timeout(tc, 300);
  tcase_add_loop_test(tc, blocks_are_distributed_as_tokens, 0, 4);
  suite_add_tcase(suite, tc);
  return suite;
}
