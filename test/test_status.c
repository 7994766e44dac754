/* Texts of statuses, the version, and the table of constants against the header itself. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "trb.h"

#ifndef TRB_SOURCE_DIR
#define TRB_SOURCE_DIR "."
#endif

START_TEST(status_texts_begin_with_their_name) {
  static const struct {
    trb_status status;
    const char *name;
  } known[] = {{TRB_OK, "TRB_OK: "},       {TRB_EINVAL, "TRB_EINVAL: "},       {TRB_ENOMEM, "TRB_ENOMEM: "},
               {TRB_EROWS, "TRB_EROWS: "}, {TRB_ECALLBACK, "TRB_ECALLBACK: "}, {TRB_ECOMM, "TRB_ECOMM: "}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const char *text = trb_strerror(known[i].status);
    ck_assert_int_eq(strncmp(text, known[i].name, strlen(known[i].name)), 0);
    ck_assert_ptr_eq(text, trb_strerror(known[i].status));
  }
  static const trb_status unknown[] = {1, -6, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    ck_assert_str_eq(trb_strerror(unknown[i]), "unknown status");
  }
}
END_TEST

START_TEST(row_status_texts_begin_with_their_name) {
  static const struct {
    int32_t status;
    const char *name;
  } known[] = {{TRB_ROW_BLENDED, "TRB_ROW_BLENDED: "},
               {TRB_ROW_TEACHER, "TRB_ROW_TEACHER: "},
               {TRB_ROW_STUDENT, "TRB_ROW_STUDENT: "},
               {TRB_ROW_UNREACHABLE, "TRB_ROW_UNREACHABLE: "},
               {TRB_ROW_GIVEN, "TRB_ROW_GIVEN: "},
               {TRB_ROW_OK, "TRB_ROW_OK: "},
               {TRB_ROW_SKIPPED, "TRB_ROW_SKIPPED: "},
               {TRB_ROW_EMPTY, "TRB_ROW_EMPTY: "},
               {TRB_ROW_NOT_A_NUMBER, "TRB_ROW_NOT_A_NUMBER: "},
               {TRB_ROW_INFINITE, "TRB_ROW_INFINITE: "},
               {TRB_ROW_IMPOSSIBLE, "TRB_ROW_IMPOSSIBLE: "},
               {TRB_ROW_EXCESS, "TRB_ROW_EXCESS: "}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const char *text = trb_row_strerror(known[i].status);
    ck_assert_int_eq(strncmp(text, known[i].name, strlen(known[i].name)), 0);
  }
  static const int32_t unknown[] = {7, -6, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    ck_assert_str_eq(trb_row_strerror(unknown[i]), "unknown row status");
  }
}
END_TEST

START_TEST(version_is_that_of_the_header) {
  ck_assert_uint_eq(trb_version(), (uint32_t)(TRB_VERSION_MAJOR * 65536 + TRB_VERSION_MINOR * 256 + TRB_VERSION_PATCH));
}
END_TEST

/* ---- Constants ---- */

static int64_t constant(const char *name) {
  int64_t value = INT64_MIN;
  ck_assert_msg(trb_constant(name, &value) == TRB_OK, "trb_constant does not know %s", name);
  return value;
}

static char *read_header(void) {
  static const char path[] = TRB_SOURCE_DIR "/include/trb.h";
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s cannot be read: run the tests from the root of the sources", path);
  char *text = calloc(1, 1 << 20);
  ck_assert_ptr_nonnull(text);
  ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
  fclose(file);
  return text;
}

static void blank_comments(char *text) {
  for (char *begin = strstr(text, "/*"); begin; begin = strstr(begin, "/*")) {
    char *end = strstr(begin, "*/");
    ck_assert_ptr_nonnull(end);
    memset(begin, ' ', (size_t)(end + 2 - begin));
  }
}

static size_t word_length(const char *text) {
  size_t length = 0;
  while (isalnum((unsigned char)text[length]) || text[length] == '_') length++;
  return length;
}

/* Checks "NAME = number" and "define NAME number"; returns whether `at` is one. */
static int check_number(const char *at, const char *separator) {
  char name[80] = "";
  size_t length = word_length(at);
  if (strncmp(at, "TRB_", 4) != 0 || length >= sizeof name) return 0;
  memcpy(name, at, length);
  if (strncmp(at + length, separator, strlen(separator)) != 0) return 0;
  const char *digits = at + length + strlen(separator);
  char *end;
  long long value = strtoll(digits, &end, 0);
  if (end == digits) return 0;
  ck_assert_msg(constant(name) == value, "%s is %lld in the header", name, value);
  return 1;
}

START_TEST(table_holds_every_constant_of_the_header) {
  char *header = read_header();
  blank_comments(header);
  int64_t found = 0;
  for (char *at = header; *at; at += word_length(at) + (word_length(at) == 0)) {
    static const char define[] = "#define TRB_VERSION_", structure[] = "typedef struct ";
    if (strncmp(at, define, sizeof define - 1) == 0) found += check_number(at + strlen("#define "), " ");
    found += check_number(at, " = ");
    if (strncmp(at, structure, sizeof structure - 1) == 0) {
      const char *name = at + sizeof structure - 1;
      char wanted[80];
      if (name[word_length(name) + 1] != '{') continue; /* opaque */
      snprintf(wanted, sizeof wanted, "sizeof(%.*s)", (int)word_length(name), name);
      constant(wanted);
      found++;
    }
  }
  free(header);
  const char *name;
  int64_t value;
  ck_assert_int_eq(trb_constant_at(found - 1, &name, &value), TRB_OK);
  ck_assert_int_eq(trb_constant_at(found, &name, &value), TRB_EINVAL);
}
END_TEST

#define CHECK_SIZE(type) ck_assert_int_eq(constant("sizeof(" #type ")"), (int64_t)sizeof(type))

START_TEST(sizes_are_those_of_the_compiler) {
  CHECK_SIZE(trb_context_options);
  CHECK_SIZE(trb_logits);
  CHECK_SIZE(trb_schedule);
  CHECK_SIZE(trb_solve_options);
  CHECK_SIZE(trb_blend);
  CHECK_SIZE(trb_sampler);
  CHECK_SIZE(trb_draw);
  CHECK_SIZE(trb_loss_options);
  CHECK_SIZE(trb_loss_row);
  CHECK_SIZE(trb_divergence_options);
  CHECK_SIZE(trb_term_options);
  CHECK_SIZE(trb_term);
  CHECK_SIZE(trb_query);
  CHECK_SIZE(trb_model);
  CHECK_SIZE(trb_texts);
  CHECK_SIZE(trb_ends);
  CHECK_SIZE(trb_rollout_options);
  CHECK_SIZE(trb_rollouts);
  CHECK_SIZE(trb_score_options);
  CHECK_SIZE(trb_totals);
  CHECK_SIZE(trb_train_options);
  CHECK_SIZE(trb_train_report);
  CHECK_SIZE(trb_gain);
}
END_TEST

START_TEST(walk_and_look_up_agree) {
  const char *name, *other;
  int64_t value, again;
  int64_t n = 0;
  while (trb_constant_at(n, &name, &value) == TRB_OK) {
    ck_assert_int_eq(constant(name), value);
    for (int64_t i = 0; i < n; i++) {
      trb_constant_at(i, &other, &again);
      if (strcmp(name, other) == 0) ck_abort_msg("%s stands twice", name);
    }
    n++;
  }
  ck_assert_int_gt(n, 90);
}
END_TEST

START_TEST(bad_look_ups_write_nothing) {
  static const char mark[] = "mark";
  const char *name = mark;
  int64_t value = 77;
  static const char *const unknown[] = {"", "TRB_", "TRB_O", "TRB_OK ", "trb_ok", "sizeof(trb_context)", "sizeof"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    ck_assert_int_eq(trb_constant(unknown[i], &value), TRB_EINVAL);
  }
  ck_assert_int_eq(trb_constant(NULL, &value), TRB_EINVAL);
  ck_assert_int_eq(trb_constant("TRB_OK", NULL), TRB_EINVAL);
  static const int64_t outside[] = {-1, INT64_MIN, INT64_MAX, 1000};
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
    ck_assert_int_eq(trb_constant_at(outside[i], &name, &value), TRB_EINVAL);
  }
  ck_assert_int_eq(trb_constant_at(0, NULL, &value), TRB_EINVAL);
  ck_assert_int_eq(trb_constant_at(0, &name, NULL), TRB_EINVAL);
  ck_assert_ptr_eq(name, mark);
  ck_assert_int_eq(value, 77);
}
END_TEST

Suite *status_suite(void) {
  Suite *suite = suite_create("status");
  TCase *texts = tcase_create("texts");
  tcase_add_test(texts, status_texts_begin_with_their_name);
  tcase_add_test(texts, row_status_texts_begin_with_their_name);
  tcase_add_test(texts, version_is_that_of_the_header);
  suite_add_tcase(suite, texts);
  TCase *constants = tcase_create("constants");
  tcase_add_test(constants, table_holds_every_constant_of_the_header);
  tcase_add_test(constants, sizes_are_those_of_the_compiler);
  tcase_add_test(constants, walk_and_look_up_agree);
  tcase_add_test(constants, bad_look_ups_write_nothing);
  suite_add_tcase(suite, constants);
  return suite;
}
