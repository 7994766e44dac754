/* test_diagnostics_gain.c - trb_continuation_gain against a comparison by hand: each prefix cut, continued by a rollout
 * of its own and judged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"
#include "suites.h"

/* A reward of everything that the judge is told, in [0, 1). */
static double reward_of(const int64_t *tokens, int64_t length, int64_t prompt, int64_t sequence) {
  rng g = {(uint64_t)(100 * prompt + sequence)};
  for (int64_t k = 0; k < length; k++) g.state = rng_next(&g) + (uint64_t)tokens[k];
  return rng_uniform(&g);
}

static int32_t judge(const int64_t *tokens, int64_t length, int64_t prompt, int64_t sequence, double *out, void *user) {
  int64_t *calls = user;
  ++*calls;
  *out = reward_of(tokens, length, prompt, sequence);
  return TRB_CONTINUE;
}

/* ---- By hand ---- */

/* Whether the response goes on at the cut: it is longer, or as long and its end is none that the options know. */
static bool goes_on(const trb_rollouts *r, int64_t i, int64_t cut, const trb_rollout_options *o) {
  const int64_t n = sampled_of(r, i);
  if (n != cut || n == 0) return n >= cut;
  const int64_t last = r->token[r->offset[i + 1] - 1];
  bool over = r->stop[i] == TRB_STOP_TOKEN;
  for (int64_t k = 0; k < o->n_stop; k++) over |= o->stop[k] == last;
  for (int64_t k = 0; o->ends && k < o->ends->n; k++) over |= o->ends->student[k] == last;
  return !over;
}

/* The reward of sequence i of a batch; counts those that go on. */
static double by_hand(const stage *s, const trb_rollouts *r, int64_t i, int64_t cut, const trb_rollout_options *o,
                      int64_t *continued) {
  const int64_t *text = r->text + r->text_offset[i], prompt = length_of(r, i) - sampled_of(r, i);
  if (!goes_on(r, i, cut, o)) return reward_of(text, length_of(r, i), prompt, i);
  scripted student = s->student, teacher = s->teacher;
  student.asked = teacher.asked = NULL;
  student.sequences = teacher.sequences = 0;
  const trb_model p = scripted_model(&student), q = scripted_model(&teacher);
  const int64_t offset[2] = {0, prompt + cut};
  const trb_texts prefix = {text, offset, 1};
  const uint64_t stream = o->sampler && o->sampler->stream ? o->sampler->stream[i] : (uint64_t)i;
  trb_sampler sampler = {.size = sizeof sampler};
  if (o->sampler) sampler = *o->sampler;
  sampler.stream = &stream;
  trb_rollout_options alone = *o;
  alone.sampler = &sampler;
  trb_rollouts *more;
  ck_assert_int_eq(trb_rollout(NULL, &p, &q, &prefix, &alone, &more), TRB_OK);
  const double reward = reward_of(more->text, length_of(more, 0), prompt, i);
  trb_rollouts_free(more);
  scripted_free(&student);
  scripted_free(&teacher);
  ++*continued;
  return reward;
}

static void check_gain(stage *s, const trb_rollouts *a, const trb_rollouts *b, int64_t cut,
                       const trb_rollout_options *o, const char *what) {
  s->student.starts_over = s->teacher.starts_over = true;
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  trb_gain gain;
  memset(&gain, 0x5A, sizeof gain);
  gain.size = sizeof gain;
  int64_t calls = 0, continued_a = 0, continued_b = 0;
  ck_assert_int_eq(trb_continuation_gain(NULL, &student, &teacher, a, b, cut, o, judge, &calls, &gain), TRB_OK);
  ck_assert_int_eq(calls, 2 * a->n);
  const long double n = (long double)a->n;
  long double sum_a = 0, sum_b = 0, square = 0;
  double difference[STAGE_PROMPTS];
  for (int64_t i = 0; i < a->n; i++) {
    const double of_a = by_hand(s, a, i, cut, o, &continued_a), of_b = by_hand(s, b, i, cut, o, &continued_b);
    sum_a += (long double)of_a;
    sum_b += (long double)of_b;
    difference[i] = of_a - of_b;
  }
  for (int64_t i = 0; i < a->n; i++) {
    const long double off = (long double)difference[i] - (sum_a - sum_b) / n;
    square += off * off;
  }
  ck_assert_uint_eq(gain.size, sizeof gain);
  ck_assert_int_eq(gain.pairs, a->n);
  ck_assert_int_eq(gain.continued_a, continued_a);
  ck_assert_int_eq(gain.continued_b, continued_b);
  assert_near(gain.reward_a, sum_a / n, 1e-14, "%s, cut %d", what, (int)cut);
  assert_near(gain.reward_b, sum_b / n, 1e-14, "%s, cut %d", what, (int)cut);
  assert_near(gain.gain, (sum_a - sum_b) / n, 1e-14, "%s, cut %d", what, (int)cut);
  const long double error = a->n > 1 ? sqrtl(square / (n - 1) / n) : (long double)NAN; /* of a mean of n differences */
  assert_near(gain.standard_error, error, a->n > 1 ? 1e-14 : 0, "%s, cut %d", what, (int)cut);
  if (continued_a + continued_b == 0) ck_assert(s->student.calls == 0 && s->teacher.calls == 0);
}

/* ---- Cuts ---- */

/* Loop tests run over the behaviors that continue. One batch is sampled from a blend, the other by the student; cuts
 * from 0 to beyond every response; with the student's streams and with none. */
START_TEST(test_every_cut) {
  stage s, other;
  stage_make(&s, KIND_BUDGET, 9, 0x541);
  stage_make(&other, KIND_STUDENT, 9, 0x541);
  trb_rollouts *a = stage_run(&s, NULL, TRB_OK), *b = stage_run(&other, NULL, TRB_OK);
  trb_rollout_options o = kind_options(_i);
  o.stop = s.stop;
  o.n_stop = 1;
  o.max_length = 20;
  o.batch = _i % 3 ? 0 : 5;
  for (int64_t cut = 0; cut <= 13; cut++) {
    o.sampler = cut % 2 ? &s.sampler : NULL;
    check_gain(&s, a, b, cut, &o, kind_name(_i));
  }
  trb_rollouts_free(a);
  trb_rollouts_free(b);
  stage_free(&s);
  stage_free(&other);
}
END_TEST

/* Responses of exactly `cut` tokens: over at a stop id, at an end token of either numbering, or by the sampler; not
 * over where a limit or the caller ended them. */
START_TEST(test_ends_at_the_cut) {
  static const int64_t end_student[] = {4}, end_teacher[] = {7}, stop[] = {2};
  static const int64_t tokens[] = {1, 3, 3, 1, 3, 2, 1, 3, 4, 1, 3, 7, 1, 2, 3, 1, 3},
                       offset[] = {0, 3, 6, 9, 12, 15, 17};
  static const int64_t prompt[] = {1, 1, 1, 1, 1, 1};
  const trb_ends ends = {end_student, end_teacher, 1};
  const trb_texts texts = {tokens, offset, 6};
  for (int what = 0; what < 3; what++) { /* nothing ends; stop ids; ends */
    stage s;
    stage_make(&s, KIND_TEACHER, 9, 0x551);
    trb_rollouts *r;
    ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, what == 2 ? &ends : NULL, &r), TRB_OK);
    trb_rollout_options o = kind_options(KIND_TEACHER);
    o.max_tokens = 3;
    if (what == 1) o.stop = stop, o.n_stop = 1;
    if (what == 2) o.ends = &ends;
    const trb_model teacher = scripted_model(&s.teacher);
    s.teacher.starts_over = true;
    trb_gain gain = {.size = sizeof gain};
    int64_t calls = 0;
    ck_assert_int_eq(trb_continuation_gain(NULL, NULL, &teacher, r, r, 2, &o, judge, &calls, &gain), TRB_OK);
    ck_assert_int_eq(gain.continued_a, what == 0 ? 5 : what == 1 ? 4 : 3);
    ck_assert(gain.continued_b == gain.continued_a && gain.gain == 0.0 && gain.standard_error == 0.0);
    check_gain(&s, r, r, 2, &o, "ends");
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* Nothing is over at a cut of 0, be the response empty and the one before it ended by a stop id. */
START_TEST(test_empty_responses) {
  static const int64_t tokens[] = {1, 2, 3, 4}, offset[] = {0, 2, 4}, prompt[] = {1, 2}, stop[] = {2};
  const trb_texts texts = {tokens, offset, 2};
  stage s;
  stage_make(&s, KIND_TEACHER, 9, 0x559);
  trb_rollouts *r;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &r), TRB_OK);
  trb_rollout_options o = kind_options(KIND_TEACHER);
  o.max_tokens = 3;
  o.stop = stop;
  o.n_stop = 1;
  s.teacher.starts_over = true;
  const trb_model teacher = scripted_model(&s.teacher);
  for (int64_t cut = 0; cut < 2; cut++) {
    trb_gain gain = {.size = sizeof gain};
    int64_t calls = 0;
    ck_assert_int_eq(trb_continuation_gain(NULL, NULL, &teacher, r, r, cut, &o, judge, &calls, &gain), TRB_OK);
    ck_assert_int_eq(gain.continued_a, cut == 0 ? 2 : 0);
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* Sampled ones: a limit at the cut is no end, a stop id is, though the continuation knows none. */
START_TEST(test_sampled_to_the_cut) {
  stage s;
  stage_make(&s, KIND_STUDENT, 4, 0x561);
  s.options.max_length = 0;
  s.options.max_tokens = 2;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  int64_t limited = 0, stopped = 0;
  for (int64_t i = 0; i < r->n; i++) {
    limited += sampled_of(r, i) == 2 && r->stop[i] == TRB_STOP_LENGTH;
    stopped += sampled_of(r, i) == 2 && r->stop[i] == TRB_STOP_TOKEN;
  }
  ck_assert(limited > 0 && stopped > 0);
  trb_rollout_options o = kind_options(KIND_STUDENT);
  o.max_tokens = 2;
  const trb_model student = scripted_model(&s.student);
  s.student.starts_over = true;
  trb_gain gain = {.size = sizeof gain};
  int64_t calls = 0;
  ck_assert_int_eq(trb_continuation_gain(NULL, &student, NULL, r, r, 2, &o, judge, &calls, &gain), TRB_OK);
  ck_assert_int_eq(gain.continued_a, limited);
  check_gain(&s, r, r, 2, &o, "sampled");
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* A continuation by the same behavior, streams and seed from any cut on gives the same texts: the gain over itself is 0
 * and the rewards are those of the uncut responses. */
START_TEST(test_the_same_continuation) {
  stage s;
  stage_make(&s, KIND_BUDGET, 9, 0x571);
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  long double sum = 0;
  for (int64_t i = 0; i < r->n; i++)
    sum += (long double)reward_of(r->text + r->text_offset[i], length_of(r, i), length_of(r, i) - sampled_of(r, i), i);
  for (int64_t cut = 0; cut < 7; cut++) { /* max_length leaves every prompt room for 7 tokens */
    s.student.starts_over = s.teacher.starts_over = true;
    const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
    trb_gain gain = {.size = sizeof gain};
    int64_t calls = 0;
    ck_assert_int_eq(trb_continuation_gain(NULL, &student, &teacher, r, r, cut, &s.options, judge, &calls, &gain),
                     TRB_OK);
    assert_near(gain.reward_a, sum / (long double)r->n, 1e-14, "cut %d", (int)cut);
    ck_assert(gain.gain == 0.0 && gain.standard_error == 0.0 && gain.reward_a == gain.reward_b);
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* No pair has no mean, one pair no standard error. */
START_TEST(test_few_pairs) {
  for (int64_t n = 0; n < 3; n++) {
    stage s;
    stage_make(&s, KIND_STUDENT, 9, 0x581);
    s.prompts.n = n;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    const trb_model student = scripted_model(&s.student);
    s.student.starts_over = true;
    trb_gain gain = {.size = sizeof gain};
    int64_t calls = 0;
    ck_assert_int_eq(trb_continuation_gain(NULL, &student, NULL, r, r, 1, &s.options, judge, &calls, &gain), TRB_OK);
    ck_assert_int_eq(gain.pairs, n);
    ck_assert(isnan(gain.reward_a) == (n == 0) && isnan(gain.gain) == (n == 0) &&
              isnan(gain.standard_error) == (n < 2));
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

TCase *gain_case(void) {
  TCase *tc = long_case("gain");
  tcase_add_loop_test(tc, test_every_cut, 0, KINDS);
  tcase_add_test(tc, test_ends_at_the_cut);
  tcase_add_test(tc, test_empty_responses);
  tcase_add_test(tc, test_sampled_to_the_cut);
  tcase_add_test(tc, test_the_same_continuation);
  tcase_add_test(tc, test_few_pairs);
  return tc;
}
