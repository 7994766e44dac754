/* "ids": prompts as numbers, and what is wrong with their files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frequencies.h"
#include "task_cases.h"

static task *ids_made(const char *text) {
  scratch s = scratch_with(text);
  task *t = task_made("ids", s.file);
  scratch_end(&s);
  return t;
}

/* Asserts the prompt of a task that has one of this kind. */
static void check_prompt(const task *t, int held_out, const char *expected) {
  random_stream r = {41, 0, 0};
  int64_t tokens[TASK_CONTEXT];
  const int64_t n = t->make_prompt(t, held_out, &r, tokens);
  char *text = task_printed(t, tokens, n);
  ck_assert_str_eq(text, expected);
  free(text);
}

START_TEST(lines_become_prompts) {
  task *t = ids_made("1 15043 3186\n1 29871");
  check_prompt(t, 0, "1 15043 3186");
  check_prompt(t, 1, "1 29871");
  ck_assert_int_eq(t->vocab, 29872);
  ck_assert_int_eq(t->prompt, 3);
  ck_assert_int_eq(t->response, TASK_CONTEXT - 3);
  ck_assert_int_eq(t->stop, 2);
  ck_assert_int_eq(t->slips, 0);
  ck_assert_int_eq(t->judged, 0);
  ck_assert(t->make_document == NULL);
  static const int64_t tokens[] = {1, 2};
  ck_assert(t->judge(t, tokens, 2, 1) == 0.0);
  task_free(t);

  t = ids_made("\n\t \n  1\t 15043  3186 \t\r\n\r\n 0 \r\n\n");
  check_prompt(t, 0, "1 15043 3186");
  check_prompt(t, 1, "0");
  task_free(t);

  t = ids_made("0\n007 2147483646\n");
  check_prompt(t, 1, "7 2147483646");
  ck_assert_int_eq(t->vocab, INT32_MAX);
  task_free(t);

  t = ids_made("0\n1\n"); /* the token that ends is in the vocabulary */
  ck_assert_int_eq(t->vocab, 3);
  task_free(t);
}
END_TEST

START_TEST(first_line_may_name_the_end) {
  task *t = ids_made("stop 7\n1\n3\n");
  ck_assert_int_eq(t->stop, 7);
  ck_assert_int_eq(t->vocab, 8);
  ck_assert_int_eq(t->prompt, 1);
  check_prompt(t, 0, "1");
  check_prompt(t, 1, "3");
  task_free(t);

  t = ids_made("\nstop \t 0 \r\n0\n0 1\n");
  ck_assert_int_eq(t->stop, 0);
  ck_assert_int_eq(t->vocab, 2);
  task_free(t);
}
END_TEST

START_TEST(prompts_may_be_long) {
  char text[2000] = "";
  for (int i = 0; i < 255; i++) snprintf(text + strlen(text), 20, "%d ", i);
  strcat(text, "\n1\n");
  task *t = ids_made(text);
  ck_assert_int_eq(t->prompt, 255);
  ck_assert_int_eq(t->response, 1);
  int64_t tokens[TASK_CONTEXT];
  random_stream r = {42, 0, 0};
  ck_assert_int_eq(t->make_prompt(t, 0, &r, tokens), 255);
  for (int i = 0; i < 255; i++) ck_assert_int_eq(tokens[i], i);
  task_free(t);
}
END_TEST

/* 23 prompts: those that are 1 modulo 10 are held out. 10,000 of each kind. */
START_TEST(prompts_are_split) {
  enum { PROMPTS = 23 };
  char text[1000] = "";
  for (int i = 0; i < PROMPTS; i++) snprintf(text + strlen(text), 20, "%d 99\n", i);
  task *t = ids_made(text);
  ck_assert_int_eq(t->n_train, 20);
  ck_assert_int_eq(t->n_held_out, 3);
  random_stream r = {43, 0, 0};
  for (int held_out = 0; held_out < 2; held_out++) {
    int64_t counts[PROMPTS] = {0}, n = 0;
    for (int i = 0; i < 10000; i++) {
      int64_t tokens[TASK_CONTEXT];
      ck_assert_int_eq(t->make_prompt(t, held_out, &r, tokens), 2);
      ck_assert_int_eq(tokens[1], 99);
      counts[tokens[0]]++;
    }
    for (int i = 0; i < PROMPTS; i++) {
      if ((i % 10 == 1) == held_out) {
        counts[n++] = counts[i];
      } else {
        ck_assert_int_eq(counts[i], 0);
      }
    }
    assert_uniform("prompts", counts, n);
  }
  task_free(t);
}
END_TEST

static void check_refused(const char *path, const char *text) {
  char why[256] = "", expected[1500];
  ck_assert_ptr_null(task_new("ids", path, why));
  snprintf(expected, sizeof expected, "%s%s", path, text);
  ck_assert_str_eq(why, expected);
}

START_TEST(files_are_checked) {
#define IDS "expected token ids from 0 to 2147483646 with blanks between them"
  static const struct {
    const char *file, *text;
  } bad[] = {
      {"1 2\n3 x\n", ":2: " IDS},
      {"1 2\n\n3 -4\n", ":3: " IDS},
      {"1 2\n3 4x\n", ":2: " IDS},
      {"1 2\n3,4\n", ":2: " IDS},
      {"1 2\n3 4.5\n", ":2: " IDS},
      {"1 2\n+3\n", ":2: " IDS},
      {"2147483647\n", ":1: " IDS},
      {"99999999999999999999999999\n", ":1: " IDS},
      {"1 2\nstop 3\n", ":2: " IDS}, /* not the first line */
      {"stop 3\nstop 3\n", ":2: " IDS},
      {"stop\n1\n2\n", ":1: expected one token id after stop"},
      {"stop \n1\n2\n", ":1: expected one token id after stop"},
      {"stop 1 2\n1\n2\n", ":1: expected one token id after stop"},
      {"stop -1\n1\n2\n", ":1: expected one token id after stop"},
      {"stop5\n1\n2\n", ":1: expected one token id after stop"},
      {"stopped 5\n1\n2\n", ":1: expected one token id after stop"},
      {"", ": expected at least 2 prompts, got 0"},
      {"stop 3\n\n1 2 3\n", ": expected at least 2 prompts, got 1"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    scratch s = scratch_with(bad[i].file);
    check_refused(s.file, bad[i].text);
    scratch_end(&s);
  }

  char text[2000] = "1\n";
  for (int i = 0; i < 256; i++) strcat(text, "7 ");
  scratch s = scratch_with(text);
  check_refused(s.file, ":2: expected at most 255 token ids, got more");
  check_refused(s.directory, ": Is a directory");
  scratch_end(&s);
  check_refused("no such file", ": No such file or directory");
}
END_TEST

/* A 0 byte does not hide the rest of its line. */
START_TEST(bytes_of_0_are_no_end) {
  static const char bytes[] = "1\n2 3\0 x\n";
  scratch s = scratch_with("");
  FILE *out = fopen(s.file, "w");
  ck_assert_ptr_nonnull(out);
  ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes - 1, out), sizeof bytes - 1);
  ck_assert_int_eq(fclose(out), 0);
  check_refused(s.file, ":2: " IDS);
  scratch_end(&s);
}
END_TEST

TCase *task_ids_case(void) {
  TCase *c = tcase_create("ids");
  tcase_add_test(c, lines_become_prompts);
  tcase_add_test(c, first_line_may_name_the_end);
  tcase_add_test(c, prompts_may_be_long);
  tcase_add_test(c, prompts_are_split);
  tcase_add_test(c, files_are_checked);
  tcase_add_test(c, bytes_of_0_are_no_end);
  return c;
}
