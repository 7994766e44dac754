/* test_rollout_exact.c - how often every sequence is sampled, against its exact probability.
 *
 * All sequences of a few tokens are enumerated with their probabilities in long double. A right library fails a test
 * with the chance of 1e-6, once per choice of the seeds below, since the draws are always the same. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chi_square.h"
#include "oracle_behavior.h"
#include "stage.h"
#include "suites.h"

enum { DRAWS = 20000, LONGEST = 4, VOCAB = 4, OUTCOMES = 625 /* (VOCAB + 1)^LONGEST */ };
static const long double CHANCE = 1e-6L;

/* The responses to one prompt by number: the digits in base VOCAB + 1 are the tokens plus one. */
typedef struct outcomes {
  const stage *s;
  int64_t text[STAGE_LONGEST + LONGEST]; /* the prompt, and room */
  int64_t prompt;                        /* its length */
  oracle o;
  oracle_mu mu;
  long double probability[OUTCOMES];
  int64_t counts[OUTCOMES];
} outcomes;

static bool is_stop(const stage *s, int64_t token) {
  for (int64_t i = 0; i < s->options.n_stop; i++)
    if (s->options.stop[i] == token) return true;
  return s->options.ends && token == s->options.ends->student[0];
}

static int64_t number_of(const int64_t *tokens, int64_t n) {
  int64_t number = 0;
  for (int64_t k = n - 1; k >= 0; k--) number = (VOCAB + 1) * number + tokens[k] + 1;
  return number;
}

/* Adds all responses that begin with the first n tokens of x->text behind the prompt; those have this probability. */
static void enumerate(outcomes *x, int64_t n, long double probability) {
  int64_t *response = x->text + x->prompt;
  long double next[VOCAB];
  if (n == LONGEST || (n > 0 && is_stop(x->s, response[n - 1]))) {
    x->probability[number_of(response, n)] = probability;
    return;
  }
  scripted_load(&x->o, &x->s->student, &x->s->teacher, x->s->options.ends, x->text, x->prompt + n);
  oracle_behavior(&x->o, &x->s->options, &x->mu);
  oracle_behavior_filter(&x->o, &x->s->sampler, &x->mu);
  const int64_t vocab = x->o.n;
  for (int64_t v = 0; v < vocab; v++) next[v] = expl(x->mu.log_mu[v]);
  for (int64_t v = 0; v < vocab; v++) {
    response[n] = v;
    enumerate(x, n + 1, probability * next[v]);
  }
}

/* Tests the responses to prompt number `prompt`. */
static void check_prompt(const stage *s, const trb_rollouts *r, int64_t prompt, const char *what) {
  outcomes x = {.s = s, .prompt = s->offset[prompt + 1] - s->offset[prompt]};
  const int64_t n = s->options.repeats;
  x.o = oracle_new(VOCAB);
  x.mu = oracle_mu_new(VOCAB);
  memcpy(x.text, s->tokens + s->offset[prompt], (size_t)x.prompt * sizeof *x.text);
  enumerate(&x, 0, 1);
  long double all = 0;
  for (int i = 0; i < OUTCOMES; i++) all += x.probability[i];
  assert_near((double)all, 1.0L, 1e-12, "probability of all sequences, %s", what);
  for (int64_t i = prompt * n; i < (prompt + 1) * n; i++)
    x.counts[number_of(r->token + r->offset[i], sampled_of(r, i))]++;
  const double p_value = chi_square_p_value(x.counts, x.probability, OUTCOMES, n);
  if (verbose()) printf("%s, prompt %d: p = %.3g\n", what, (int)prompt, p_value);
  ck_assert_msg(p_value > CHANCE, "%s, prompt %d: p = %.3g", what, (int)prompt, p_value);
  oracle_mu_free(&x.mu);
  oracle_free(&x.o);
}

static void check(stage *s, const char *what) {
  s->sampler.stream = NULL;
  s->options.max_length = 0;
  s->options.max_tokens = LONGEST;
  s->options.repeats = scaled(DRAWS) / s->prompts.n + 1;
  trb_rollouts *r = stage_run(s, NULL, TRB_OK);
  ck_assert_int_eq(r->n, s->prompts.n * s->options.repeats);
  for (int64_t i = 0; i < s->prompts.n; i++) check_prompt(s, r, i, what);
  trb_rollouts_free(r);
  stage_free(s);
}

/* ---- Tests ---- */

/* Models with masks and temperatures. The other kinds sample from the same distributions as some of these, and
 * test_rollout.c finds the same tokens. */
static const int behaviors[] = {KIND_BUDGET,  KIND_BETA,        KIND_STUDENT, KIND_STUDENT_COLD,
                                KIND_TEACHER, KIND_TEACHER_HOT, KIND_SKD_COLD};

START_TEST(test_behavior) {
  stage s;
  stage_make(&s, behaviors[_i], VOCAB, 0xE8AC7);
  s.student.masked = s.teacher.masked = 0.15;
  s.student.temperature = 0.8f;
  s.teacher.temperature = 1.3f;
  s.prompts.n = 1;
  check(&s, kind_name(behaviors[_i]));
}
END_TEST

/* Several prompts, few sequences at a time, a teacher of fewer tokens. */
START_TEST(test_batches) {
  stage s;
  stage_make(&s, KIND_BUDGET, VOCAB - 1, 0xE8AC8);
  s.student.vocab = VOCAB;
  s.prompts.n = 2;
  s.options.batch = 777;
  check(&s, "batches");
}
END_TEST

START_TEST(test_filters) {
  stage s;
  stage_make(&s, KIND_BUDGET, VOCAB, 0xE8ACC);
  s.prompts.n = 1;
  s.sampler.top_k = 3;
  s.sampler.top_p = 0.85;
  s.sampler.min_p = 0.2;
  check(&s, "filters");
}
END_TEST

/* The teacher's end token is worth the student's. */
static const int with_ends[] = {KIND_BUDGET, KIND_SKD};

START_TEST(test_ends) {
  static const int64_t of_student[] = {1}, of_teacher[] = {3};
  stage s;
  stage_make(&s, with_ends[_i], VOCAB, 0xE8AD0);
  s.ends = (trb_ends){of_student, of_teacher, 1};
  s.options.ends = &s.ends;
  s.options.n_stop = 0;
  s.prompts.n = 1;
  check(&s, kind_name(with_ends[_i]));
}
END_TEST

/* Blocks of 1, 2, 4 and 8 proposals, each length with seeds of its own: whole sequences, not tokens alone. Then with
 * masks, filters, merged ends, few sequences at a time. */
START_TEST(test_blocks) {
  static const int64_t lengths[] = {1, 2, 4, 8};
  static const int64_t of_student[] = {1}, of_teacher[] = {3};
  const int64_t length = lengths[_i % 4];
  const int variant = _i / 4;
  stage s;
  stage_make(&s, variant == 1 ? KIND_BLOCKS_BETA : KIND_BLOCKS, VOCAB, 0xE8AE0 + (uint64_t)_i);
  s.options.block = length;
  s.prompts.n = 1;
  if (variant == 1) s.student.masked = s.teacher.masked = 0.15;
  if (variant == 2) {
    s.sampler.top_k = 3;
    s.sampler.top_p = 0.85;
  }
  if (variant == 3) {
    s.ends = (trb_ends){of_student, of_teacher, 1};
    s.options.ends = &s.ends;
    s.options.n_stop = 0;
    s.options.batch = 777;
  }
  check(&s, describe("blocks of %d, variant %d", (int)length, variant));
}
END_TEST

TCase *rollout_exact_case(void) {
  TCase *tc = long_case("exact");
  tcase_add_loop_test(tc, test_behavior, 0, sizeof behaviors / sizeof behaviors[0]);
  tcase_add_test(tc, test_batches);
  tcase_add_test(tc, test_filters);
  tcase_add_loop_test(tc, test_blocks, 0, 16);
  tcase_add_loop_test(tc, test_ends, 0, sizeof with_ends / sizeof with_ends[0]);
  return tc;
}
