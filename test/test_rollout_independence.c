/* test_rollout_independence.c - a sequence depends on its prompt, seed and stream alone. */
#include <string.h>

#include "stage.h"
#include "suites.h"

/* A stage with something of everything: masks, several dtypes, ends. */
static void make(stage *s, int kind, uint64_t seed) {
  static const int64_t of_student[] = {1}, of_teacher[] = {5};
  stage_make(s, kind, 9, seed);
  s->student.dtype = TRB_BF16;
  s->teacher.vocab = 11;
  s->teacher.masked = 0.2;
  s->ends = (trb_ends){of_student, of_teacher, 1};
  s->options.ends = &s->ends;
}

/* Runs `other` and finds sequence map[i] of `whole` at its number i. */
static void check_mapped(stage *other, trb_context *ctx, const trb_rollouts *whole, const int64_t *map,
                         const char *what) {
  trb_rollouts *r = stage_run(other, ctx, TRB_OK);
  for (int64_t i = 0; i < r->n; i++) {
    ck_assert_msg(r->stream[i] == whole->stream[map[i]], "%s: stream %d", what, (int)i);
    assert_same_sequence(r, i, whole, map[i], what);
  }
  trb_rollouts_free(r);
}

static const int64_t identity[STAGE_PROMPTS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* ---- The batch ---- */

/* Loop test over the behaviors: few at a time. The callbacks never see more. */
START_TEST(test_batch) {
  stage s;
  make(&s, _i, 0x1DE0);
  trb_rollouts *whole = stage_run(&s, NULL, TRB_OK);
  for (int64_t batch = 1; batch <= STAGE_PROMPTS + 1; batch++) {
    const int64_t most = batch < STAGE_PROMPTS ? batch : STAGE_PROMPTS;
    s.options.batch = batch;
    check_mapped(&s, NULL, whole, identity, "batch");
    if (kind_needs_student(_i)) ck_assert_int_eq(s.student.most_queries, most);
    if (kind_needs_teacher(_i)) ck_assert_int_eq(s.teacher.most_queries, most);
  }
  trb_rollouts_free(whole);
  stage_free(&s);
}
END_TEST

/* Loop test over the behaviors: prompts in another order, and some of them only. */
START_TEST(test_order) {
  static const int64_t map[STAGE_PROMPTS] = {7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 6, 4};
  stage s, other;
  make(&s, _i, 0x1DE1);
  make(&other, _i, 0x1DE1);
  trb_rollouts *whole = stage_run(&s, NULL, TRB_OK);
  for (int i = 0; i < STAGE_PROMPTS; i++) {
    const int64_t begin = s.offset[map[i]], length = s.offset[map[i] + 1] - begin;
    memcpy(other.tokens + other.offset[i], s.tokens + begin, (size_t)length * sizeof *s.tokens);
    other.offset[i + 1] = other.offset[i] + length;
    other.stream[i] = s.stream[map[i]];
  }
  check_mapped(&other, NULL, whole, map, "order");
  other.prompts.n = 5;
  check_mapped(&other, NULL, whole, map, "the first five");
  other.prompts = (trb_texts){other.tokens, other.offset + 4, 6};
  memmove(other.stream, other.stream + 4, 6 * sizeof *other.stream);
  check_mapped(&other, NULL, whole, map + 4, "offsets that begin later");
  trb_rollouts_free(whole);
  stage_free(&other);
  stage_free(&s);
}
END_TEST

/* Repeats are the prompt as often; without streams every sequence has its number. */
START_TEST(test_repeats) {
  enum { REPEATS = 3, PROMPTS = STAGE_PROMPTS / REPEATS };
  stage s, other;
  make(&s, _i, 0x1DE2);
  make(&other, _i, 0x1DE2);
  s.prompts.n = PROMPTS;
  s.options.repeats = REPEATS;
  s.options.batch = 5;
  for (int i = 0; i < STAGE_PROMPTS; i++) {
    const int64_t begin = s.offset[i / REPEATS], length = s.offset[i / REPEATS + 1] - begin;
    memcpy(other.tokens + other.offset[i], s.tokens + begin, (size_t)length * sizeof *s.tokens);
    other.offset[i + 1] = other.offset[i] + length;
  }
  for (int streams = 0; streams < 2; streams++) {
    if (streams == 0) s.sampler.stream = other.sampler.stream = NULL;
    if (streams == 1) {
      s.sampler.stream = s.stream;
      other.sampler.stream = other.stream;
    }
    trb_rollouts *whole = stage_run(&s, NULL, TRB_OK);
    ck_assert_int_eq(whole->n, STAGE_PROMPTS);
    for (int64_t i = 0; i < STAGE_PROMPTS && !streams; i++) ck_assert(whole->stream[i] == (uint64_t)i);
    check_mapped(&other, NULL, whole, identity, streams ? "repeats with streams" : "repeats");
    trb_rollouts_free(whole);
  }
  stage_free(&other);
  stage_free(&s);
}
END_TEST

/* ---- Threads ---- */

/* Loop test over the behaviors. */
START_TEST(test_threads) {
  stage s;
  make(&s, _i, 0x1DE3);
  trb_rollouts *whole = stage_run(&s, NULL, TRB_OK);
  for (int64_t threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
    for (int callers = 0; callers < 2; callers++) {
      trb_context *ctx = callers ? context_on_caller_threads(threads) : context_with(threads, TRB_ISA_AUTO);
      ck_assert_ptr_nonnull(ctx);
      check_mapped(&s, ctx, whole, identity, "threads");
      s.options.batch = 4;
      check_mapped(&s, ctx, whole, identity, "threads with a batch");
      s.options.batch = 0;
      trb_context_free(ctx);
    }
  }
  trb_context *scalar = context_with(1, TRB_ISA_SCALAR);
  check_mapped(&s, scalar, whole, identity, "scalar kernels");
  trb_context_free(scalar);
  trb_rollouts_free(whole);
  stage_free(&s);
}
END_TEST

/* ---- Cuts ---- */

/* Loop test over the behaviors: cut everywhere and continued, the same tokens and numbers follow. */
START_TEST(test_cut) {
  stage s, other;
  make(&s, _i, 0x1DE4);
  make(&other, _i, 0x1DE4);
  trb_rollouts *whole = stage_run(&s, NULL, TRB_OK);
  int64_t cuts = 0;
  for (int64_t cut = 0; cut < s.options.max_length; cut++) {
    int64_t origin[STAGE_PROMPTS], tokens[STAGE_PROMPTS * 12], n = 0;
    for (int64_t i = 0; i < whole->n; i++) {
      if (cut >= sampled_of(whole, i)) continue;
      const int64_t length = length_of(whole, i) - sampled_of(whole, i) + cut;
      memcpy(tokens + other.offset[n], whole->text + whole->text_offset[i], (size_t)length * sizeof *tokens);
      other.offset[n + 1] = other.offset[n] + length;
      other.stream[n] = whole->stream[i];
      origin[n++] = i;
    }
    other.prompts = (trb_texts){tokens, other.offset, n};
    trb_rollouts *r = stage_run(&other, NULL, TRB_OK);
    for (int64_t i = 0; i < n; i++) {
      const int64_t left = sampled_of(whole, origin[i]) - cut;
      ck_assert_int_eq(sampled_of(r, i), left);
      ck_assert_int_eq(r->stop[i], whole->stop[origin[i]]);
      assert_same_tokens(r, i, 0, whole, origin[i], cut, left, "cut");
    }
    cuts += n;
    trb_rollouts_free(r);
  }
  ck_assert_int_eq(cuts, whole->n_tokens);
  trb_rollouts_free(whole);
  stage_free(&other);
  stage_free(&s);
}
END_TEST

/* ---- Random numbers ---- */

/* Every token is the one that trb_sample draws with the sequence's stream and, as index, the tokens before it. */
START_TEST(test_draws_are_trb_sample) {
  stage s;
  stage_make(&s, KIND_BETA, 40, 0x1DE5);
  s.sampler.purpose = 7;
  s.sampler.min_p = 0.1;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  for (int64_t i = 0; i < r->n; i++) {
    for (int64_t k = 0; k < sampled_of(r, i); k++) {
      const int64_t t = r->offset[i] + k, before = length_of(r, i) - sampled_of(r, i) + k;
      models m = models_new(1, 40, TRB_F32, TRB_F32, 0.0f, 0.0f);
      scripted_row(&s.student, r->text + r->text_offset[i], before, &m.s, 0);
      scripted_row(&s.teacher, r->text + r->text_offset[i], before, &m.t, 0);
      trb_sampler sampler = s.sampler;
      trb_blend blend;
      trb_draw draw;
      sampler.stream = &s.stream[i];
      sampler.index = &before;
      ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, &m.t.view, &s.options.beta, 1, &blend), TRB_OK);
      ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, &blend, &sampler, &draw), TRB_OK);
      ck_assert_int_eq(r->token[t], draw.token);
      ck_assert(r->log_sampled[t] == draw.log_sampled && r->log_behavior[t] == draw.log_behavior);
      ck_assert(r->log_student[t] == draw.log_student && r->log_teacher[t] == draw.log_teacher);
      ck_assert(r->kl_student[t] == blend.kl_student && r->reverse_kl[t] == blend.reverse_kl);
      models_free(&m);
    }
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* Streams that differ in few bits, high or low, seeds and purposes: of ten tokens drawn from 1000 equal ones no two
 * sequences share more than three. Chance does that to one of the 91 pairs with a probability of 2e-8. */
START_TEST(test_streams_are_apart) {
  enum { SEQUENCES = 12, TOKENS = 10 };
  static const uint64_t streams[SEQUENCES] = {0,          1,          2,          3,          1u << 31,   1ull << 32,
                                              3ull << 32, 1ull << 55, 1ull << 56, 1ull << 62, 1ull << 63, ~0ull};
  int64_t tokens[SEQUENCES + 2][TOKENS];
  for (int run = 0; run < 3; run++) {
    stage s;
    stage_make(&s, KIND_STUDENT, 1000, 0x1DE6);
    s.student.spread = 0.0;
    s.options.n_stop = 0;
    s.options.max_length = 0;
    s.options.max_tokens = TOKENS;
    s.options.repeats = run == 0 ? SEQUENCES : 1;
    s.prompts.n = 1;
    s.sampler.stream = streams;
    if (run == 1) s.sampler.seed++;
    if (run == 2) s.sampler.purpose = 1;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    for (int64_t i = 0; i < r->n; i++)
      memcpy(tokens[run == 0 ? i : SEQUENCES - 1 + run], r->token + r->offset[i], sizeof tokens[0]);
    trb_rollouts_free(r);
    stage_free(&s);
  }
  for (int i = 0; i < SEQUENCES + 2; i++)
    for (int j = 0; j < i; j++) {
      int same = 0;
      for (int k = 0; k < TOKENS; k++) same += tokens[i][k] == tokens[j][k];
      ck_assert_msg(same <= 3, "sequences %d and %d share %d tokens", i, j, same);
    }
}
END_TEST

TCase *rollout_independence_case(void) {
  TCase *tc = long_case("independence");
  tcase_add_loop_test(tc, test_batch, 0, KINDS);
  tcase_add_loop_test(tc, test_order, 0, KINDS);
  tcase_add_loop_test(tc, test_repeats, 0, KINDS);
  tcase_add_loop_test(tc, test_threads, 0, KINDS);
  tcase_add_loop_test(tc, test_cut, 0, KINDS);
  tcase_add_test(tc, test_draws_are_trb_sample);
  tcase_add_test(tc, test_streams_are_apart);
  return tc;
}
