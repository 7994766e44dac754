/* test_rollout_blocks.c - rollouts whose student proposes blocks: the same tokens for any length, fewer calls of the
 * teacher. */
#include <string.h>

#include "stage.h"
#include "suites.h"

static const int64_t of_student[] = {1}, of_teacher[] = {5};

static void make(stage *s, int kind, uint64_t seed) {
  stage_make(s, kind, 9, seed);
  s->student.dtype = TRB_BF16;
  s->teacher.vocab = 11;
  s->teacher.masked = 0.2;
  s->ends = (trb_ends){of_student, of_teacher, 1};
  s->options.ends = &s->ends;
}

/* A longer block changes nothing but the number of calls; one longer than any response is as long as that. */
START_TEST(test_any_length) {
  static const int64_t lengths[] = {1, 2, 3, 4, 7, 8, 11, 12, 1000, INT64_MAX};
  for (int kind = KIND_BLOCKS; kind <= KIND_BLOCKS_BETA; kind++)
    for (int filtered = 0; filtered < 2; filtered++) {
      stage s;
      make(&s, kind, 0xB10C + (uint64_t)filtered);
      if (filtered) s.sampler.top_k = 5;
      s.options.block = 1;
      trb_rollouts *one = stage_run(&s, NULL, TRB_OK);
      ck_assert_int_eq(one->proposed, one->n_tokens);
      ck_assert_int_eq(one->teacher_calls, one->student_calls);
      int64_t calls = one->teacher_calls;
      for (size_t i = 1; i < sizeof lengths / sizeof lengths[0]; i++) {
        s.options.block = lengths[i];
        s.options.batch = (int64_t)i % 3 * 4;
        trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
        assert_same_rollouts(r, one, describe("blocks of %d", (int)lengths[i]));
        ck_assert_int_ge(r->proposed, one->proposed);
        if (s.options.batch == 0) {
          ck_assert_int_le(r->teacher_calls, calls);
          calls = r->teacher_calls;
        }
        trb_rollouts_free(r);
      }
      ck_assert_int_lt(calls, one->teacher_calls);
      trb_rollouts_free(one);
      stage_free(&s);
    }
}
END_TEST

/* A teacher that is the student lets everything stand: one call for every block. */
START_TEST(test_all_accepted) {
  for (int64_t length = 1; length <= 9; length++) {
    stage s;
    stage_make(&s, KIND_BLOCKS, 8, 0xB10D);
    s.teacher.seed = s.student.seed;
    s.options.block = length;
    s.options.max_length = 0;
    s.options.max_tokens = 8;
    s.options.n_stop = 0;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    ck_assert_int_eq(r->n_tokens, 8 * r->n);
    ck_assert_int_eq(r->proposed, r->n_tokens);
    ck_assert_int_eq(r->student_calls, 8);
    ck_assert_int_eq(r->teacher_calls, (8 + length - 1) / length);
    for (int64_t t = 0; t < r->n_tokens; t++) {
      ck_assert_int_eq(r->verdict[t], TRB_VERDICT_ACCEPTED);
      ck_assert(r->tv[t] == 0.0);
    }
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* Budget and weight 0: the teacher is not called, and may be missing; the tokens are those without blocks. */
START_TEST(test_student_alone) {
  for (int kind = KIND_BUDGET_ZERO; kind <= KIND_BETA_ZERO; kind += KIND_BETA_ZERO - KIND_BUDGET_ZERO) {
    stage s;
    stage_make(&s, kind, 8, 0xB10E);
    trb_rollouts *plain = stage_run(&s, NULL, TRB_OK);
    s.options.block = 4;
    for (int missing = 0; missing < 2; missing++) {
      s.no_teacher = missing;
      trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
      assert_same_rollouts(r, plain, "the student alone");
      ck_assert_int_eq(r->teacher_calls, 0);
      ck_assert_int_eq(r->proposed, 0);
      trb_rollouts_free(r);
    }
    trb_rollouts_free(plain);
    stage_free(&s);
  }
}
END_TEST

/* A proposal that would end its sequence ends its block: the student is not asked beyond it. With a teacher that is the
 * student it stands, and nothing was asked in vain. */
START_TEST(test_end_inside_a_block) {
  stage s;
  stage_make(&s, KIND_BLOCKS, 4, 0xB10F);
  s.teacher.seed = s.student.seed;
  s.options.block = 12;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  int64_t early = 0;
  for (int64_t i = 0; i < r->n; i++) early += r->stop[i] == TRB_STOP_TOKEN && length_of(r, i) < 12;
  ck_assert_int_gt(early, 3);
  ck_assert_int_eq(r->proposed, r->n_tokens);
  ck_assert_int_eq(s.student.rows, r->n_tokens);
  ck_assert_int_eq(r->teacher_calls, 1);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* A bad row of either model behind proposals that may not stand: it ends the sequence only if they do, wherever blocks
 * begin. */
START_TEST(test_bad_rows_in_blocks) {
  int64_t ended = 0;
  for (int64_t depth = 0; depth < 6; depth++)
    for (int model = 0; model < 2; model++) {
      scripted_fault faults[STAGE_PROMPTS];
      stage s;
      make(&s, KIND_BLOCKS, 0xB110 + (uint64_t)depth);
      for (int i = 0; i < STAGE_PROMPTS; i++)
        faults[i] = (scripted_fault){i, s.offset[i + 1] - s.offset[i] + depth, i % 2 ? SCRIPTED_NAN : SCRIPTED_EMPTY};
      scripted *bad = model ? &s.teacher : &s.student;
      bad->faults = faults;
      bad->n_faults = STAGE_PROMPTS;
      s.options.block = 1;
      trb_context *ctx = context_with(1, TRB_ISA_AUTO);
      const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
      trb_rollouts *one;
      const trb_status want = trb_rollout(ctx, &student, &teacher, &s.prompts, &s.options, &one);
      ck_assert(want == TRB_OK || want == TRB_EROWS);
      for (int64_t i = 0; i < one->n; i++) {
        const bool here = one->stop[i] == TRB_STOP_STUDENT || one->stop[i] == TRB_STOP_TEACHER;
        ended += here;
        if (!here) continue;
        ck_assert_int_eq(one->stop[i], model ? TRB_STOP_TEACHER : TRB_STOP_STUDENT);
        ck_assert_int_eq(one->row[i], i % 2 ? TRB_ROW_NOT_A_NUMBER : TRB_ROW_EMPTY);
        ck_assert_int_eq(sampled_of(one, i), depth);
      }
      for (int64_t length = 2; length < 8; length++) {
        s.options.block = length;
        trb_rollouts *r = stage_run(&s, ctx, want);
        assert_same_rollouts(r, one, "bad rows");
        trb_rollouts_free(r);
      }
      trb_rollouts_free(one);
      trb_context_free(ctx);
      stage_free(&s);
    }
  ck_assert_int_gt(ended, 20);
}
END_TEST

TCase *rollout_blocks_case(void) {
  TCase *tc = long_case("blocks");
  tcase_add_test(tc, test_any_length);
  tcase_add_test(tc, test_all_accepted);
  tcase_add_test(tc, test_student_alone);
  tcase_add_test(tc, test_end_inside_a_block);
  tcase_add_test(tc, test_bad_rows_in_blocks);
  return tc;
}
