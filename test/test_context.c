/* Contexts: options, error texts, allocators. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "context_cases.h"
#include "core.h"
#include "counting.h"
#include "rows.h"
#include "suites.h"
#include "common.h"

START_TEST(defaults_make_a_context) {
  trb_context *ctx = NULL;
  ck_assert_int_eq(trb_context_new(NULL, &ctx), TRB_OK);
  ck_assert_ptr_nonnull(ctx);
  ck_assert_str_eq(trb_context_error(ctx), "");
  ck_assert_int_eq(trb_context_isa(ctx), trb_context_isa(NULL));
  trb_context_free(ctx);
  trb_context_free(NULL);
  ck_assert_str_eq(trb_context_error(NULL), "");
}
END_TEST

/* The options are refused, with a text that begins with `text`, and nothing is allocated. */
static void check_refused(const trb_context_options *options, counter *count, const char *text) {
  char error[200];
  trb_context_options told = *options;
  told.error = error;
  if (told.error_bytes == 0) told.error_bytes = sizeof error;
  memset(error, 'x', sizeof error);
  trb_context *ctx = (trb_context *)&told;
  ck_assert_int_eq(trb_context_new(&told, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
  ck_assert_int_eq(count->calls, 0);
  if (told.error_bytes > 0) {
    ck_assert_msg(strncmp(error, text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"", error, text);
  } else {
    ck_assert_int_eq(error[0], 'x');
  }
  ctx = (trb_context *)&told;
  ck_assert_int_eq(trb_context_new(options, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
}

START_TEST(options_are_checked) {
  counter count;
  trb_context_options options = counted(&count, -1);
  check_refused(&options, &count, "options->threads: expected 0 to 1024, got -1");
  options = counted(&count, 1025);
  check_refused(&options, &count, "options->threads: expected 0 to 1024, got 1025");
  options = counted(&count, INT64_MIN);
  check_refused(&options, &count, "options->threads:");
  options = counted(&count, 2);
  options.alloc = NULL;
  check_refused(&options, &count, "options->alloc: expected a function, because options->free is set");
  options = counted(&count, 2);
  options.free = NULL;
  check_refused(&options, &count, "options->free: expected a function, because options->alloc is set");
  options = counted(&count, 2);
  options.reserved = 1;
  check_refused(&options, &count, "options->reserved: expected 0, got 1");
  options = counted(&count, 2);
  options.isa = 5;
  check_refused(&options, &count, "options->isa: expected TRB_ISA_*, got 5");
  options.isa = -1;
  check_refused(&options, &count, "options->isa: expected TRB_ISA_*, got -1");
  options = counted(&count, 2);
  options.error_bytes = -1;
  check_refused(&options, &count, "");
}
END_TEST

START_TEST(null_out_is_refused) {
  counter count;
  char error[100] = "";
  trb_context_options options = counted(&count, 2);
  options.error = error;
  options.error_bytes = sizeof error;
  ck_assert_int_eq(trb_context_new(&options, NULL), TRB_EINVAL);
  ck_assert_str_eq(error, "out: expected a pointer, got NULL");
  ck_assert_int_eq(trb_context_new(NULL, NULL), TRB_EINVAL);
  ck_assert_int_eq(count.calls, 0);
}
END_TEST

START_TEST(error_text_is_cut_to_fit) {
  static const char full[] = "options->threads: expected 0 to 1024, got -1";
  for (int64_t bytes = 0; bytes < (int64_t)sizeof full + 3; bytes++) {
    char error[sizeof full + 8];
    memset(error, 'x', sizeof error);
    trb_context_options options = {.size = sizeof options, .threads = -1, .error = error, .error_bytes = bytes};
    trb_context *ctx;
    ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_EINVAL);
    size_t kept = bytes == 0 ? 0 : (size_t)bytes - 1;
    if (kept > sizeof full - 1) kept = sizeof full - 1;
    ck_assert_mem_eq(error, full, kept);
    ck_assert_int_eq(error[kept], bytes == 0 ? 'x' : '\0');
    ck_assert_int_eq(error[kept + 1], 'x');
  }
}
END_TEST

START_TEST(structs_of_other_ages_are_read) {
  char error[100];
  struct {
    trb_context_options known;
    unsigned char later[16];
  } s = {.known = {.size = sizeof s, .threads = 2, .error = error, .error_bytes = sizeof error}};
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_OK);
  trb_context_free(ctx);
  ck_assert_str_eq(error, "");
  s.later[15] = 1;
  ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
  ck_assert_int_eq(strncmp(error, "options: expected 0 beyond", 26), 0);
  static const size_t bad[] = {0, 8, sizeof(trb_context_options) - 1, SIZE_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    s.known.size = bad[i];
    ctx = (trb_context *)&s;
    ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_EINVAL);
    ck_assert_ptr_null(ctx);
  }
}
END_TEST

START_TEST(instruction_sets_are_had_or_refused) {
  int best = TRB_ISA_AUTO;
  for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
    char error[100] = "";
    trb_context_options options = {.size = sizeof options, .isa = isa, .error = error, .error_bytes = sizeof error};
    trb_context *ctx;
    if (trb_context_new(&options, &ctx) == TRB_OK) {
      if (isa != TRB_ISA_AUTO) {
        ck_assert_int_eq(trb_context_isa(ctx), isa);
        best = isa;
      }
      ck_assert_ptr_eq(trbi_kernels_of(ctx), trbi_kernels_find(isa));
      trb_context_free(ctx);
    } else {
      ck_assert_ptr_null(trbi_kernels_find(isa));
      ck_assert_int_eq(strncmp(error, "options->isa: expected one that this machine", 44), 0);
    }
  }
  ck_assert_int_eq(trb_context_isa(NULL), best); /* they are numbered upward on every architecture */
}
END_TEST

START_TEST(every_allocation_may_fail) {
  int64_t failures = 0;
  for (trb_status status = TRB_ENOMEM; status == TRB_ENOMEM; failures++) {
    counter count;
    char error[100] = "";
    trb_context_options options = counted(&count, 4);
    options.error = error;
    options.error_bytes = sizeof error;
    count.fail_at = failures;
    trb_context *ctx = (trb_context *)&options;
    status = trb_context_new(&options, &ctx);
    if (status == TRB_OK) {
      ck_assert_int_eq(count.calls, failures);
      ck_assert_int_eq(count.live, failures);
      trb_context_free(ctx);
    } else {
      ck_assert_int_eq(status, TRB_ENOMEM);
      ck_assert_ptr_null(ctx);
      ck_assert_int_eq(strncmp(error, "alloc: no ", 10), 0);
    }
    ck_assert_int_eq(count.live, 0);
  }
  ck_assert_int_eq(failures - 1, 2); /* the context and its pool */
}
END_TEST

START_TEST(errors_are_noted_and_cut) {
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trbi_fail(ctx, TRB_EROWS, "row %d", 7), TRB_EROWS);
  ck_assert_str_eq(trb_context_error(ctx), "row 7");
  ck_assert_int_eq(trbi_fail(ctx, TRB_EINVAL, "%1000d", 1), TRB_EINVAL);
  ck_assert_uint_eq(strlen(trb_context_error(ctx)), sizeof ctx->error - 1);
  ck_assert_int_eq(trbi_fail(NULL, TRB_EINVAL, "nobody reads this"), TRB_EINVAL);
  trb_context_free(ctx);
}
END_TEST

Suite *context_suite(void) {
  Suite *suite = suite_create("context");
  TCase *making = tcase_create("making");
  tcase_add_test(making, defaults_make_a_context);
  tcase_add_test(making, options_are_checked);
  tcase_add_test(making, null_out_is_refused);
  tcase_add_test(making, error_text_is_cut_to_fit);
  tcase_add_test(making, structs_of_other_ages_are_read);
  tcase_add_test(making, instruction_sets_are_had_or_refused);
  tcase_add_test(making, every_allocation_may_fail);
  tcase_add_test(making, errors_are_noted_and_cut);
  suite_add_tcase(suite, making);
  suite_add_tcase(suite, rows_case());
  suite_add_tcase(suite, fork_case());
  return suite;
}
