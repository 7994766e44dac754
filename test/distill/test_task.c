/* Tasks by name, and what holds for all of them. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frequencies.h"
#include "suites.h"
#include "task_cases.h"

/* ---- What the cases share ---- */

const flaws NO_FLAWS = {0.0, 0.0, NULL, 0};

task *task_made(const char *name, const char *file) {
  char why[256] = "";
  task *t = task_new(name, file, why);
  ck_assert_msg(t != NULL, "%s", why);
  return t;
}

char *task_printed(const task *t, const int64_t *tokens, int64_t n) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  must(out != NULL);
  t->print(t, tokens, n, out);
  must(fclose(out) == 0);
  return text;
}

char *scratch_file(const char *directory, const char *name, const char *text) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *out = fopen(path, "w");
  ck_assert_ptr_nonnull(out);
  ck_assert_int_ge(fputs(text, out), 0);
  ck_assert_int_eq(fclose(out), 0);
  char *copy = strdup(path);
  ck_assert_ptr_nonnull(copy);
  return copy;
}

scratch scratch_with(const char *text) {
  const char *parent = getenv("TMPDIR");
  char path[512];
  snprintf(path, sizeof path, "%s/task-XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(path));
  scratch s = {.directory = strdup(path)};
  ck_assert_ptr_nonnull(s.directory);
  s.file = scratch_file(s.directory, "file", text);
  return s;
}

void scratch_end(scratch *s) {
  DIR *all = opendir(s->directory);
  ck_assert_ptr_nonnull(all);
  for (struct dirent *one; (one = readdir(all));) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", s->directory, one->d_name);
    if (one->d_name[0] != '.') ck_assert_int_eq(unlink(path), 0);
  }
  closedir(all);
  ck_assert_int_eq(rmdir(s->directory), 0);
  free(s->directory);
  free(s->file);
}

/* ---- Names ---- */

static void check_refused(const char *name, const char *file, const char *text) {
  char why[256] = "";
  ck_assert_ptr_null(task_new(name, file, why));
  ck_assert_str_eq(why, text);
}

START_TEST(names_are_checked) {
  check_refused("addition", NULL, "task: expected sum, chain, lift, text or ids, got addition");
  check_refused("", NULL, "task: expected sum, chain, lift, text or ids, got ");
  check_refused("sum", "numbers", "task sum: expected no file, got numbers");
  check_refused("chain", "numbers", "task chain: expected no file, got numbers");
  check_refused("lift", "numbers", "task lift: expected no file, got numbers");
  check_refused("ids", NULL, "task ids: expected a file of prompts, got none");
  task_free(NULL);
}
END_TEST

START_TEST(long_names_are_cut_in_texts) {
  char name[1000], why[256];
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  ck_assert_ptr_null(task_new(name, NULL, why));
  ck_assert_ptr_null(task_new("text", name, why));
  ck_assert_ptr_null(task_new("ids", name, why));
  ck_assert_uint_eq(strlen(why), 255);
}
END_TEST

/* ---- What holds for all ---- */

static const char *const NAMES[] = {"sum", "chain", "lift", "text", "ids"};
enum { TASKS = sizeof NAMES / sizeof NAMES[0] };

/* Every task, those on data with a small file. */
typedef struct all_tasks {
  scratch files;
  task *tasks[TASKS];
} all_tasks;

static all_tasks all_made(void) {
  all_tasks all = {.files = scratch_with("")};
  char lines[2][2000] = {"", ""};
  for (int i = 0; i < 40; i++) {
    snprintf(lines[0] + strlen(lines[0]), sizeof lines[0] - strlen(lines[0]), "word %d\tdefinition %d\n", i, i * i);
    snprintf(lines[1] + strlen(lines[1]), sizeof lines[1] - strlen(lines[1]), "%d 7 %d\n", i, i * i);
  }
  for (int i = 0; i < TASKS; i++) {
    char *file = i < 3 ? NULL : scratch_file(all.files.directory, NAMES[i], lines[i - 3]);
    all.tasks[i] = task_made(NAMES[i], file);
    free(file);
  }
  return all;
}

static void all_freed(all_tasks *all) {
  for (int i = 0; i < TASKS; i++) task_free(all->tasks[i]);
  scratch_end(&all->files);
}

static void check_tokens(const task *t, const int64_t *tokens, int64_t n) {
  for (int64_t i = 0; i < n; i++) must(tokens[i] >= 0 && tokens[i] < t->vocab);
}

START_TEST(sequences_keep_to_their_bounds) {
  static const double slips[] = {0.0, 0.3};
  static const flaws some = {0.3, 0.1, slips, 2};
  all_tasks all = all_made();
  random_stream r = {1, 0, 0};
  for (int k = 0; k < TASKS; k++) {
    const task *t = all.tasks[k];
    ck_assert_str_eq(t->name, NAMES[k]);
    must(strlen(t->summary) > 0);
    must(t->prompt + t->response <= TASK_CONTEXT);
    must(t->stop >= 0 && t->stop < t->vocab);
    must(t->slip_first >= 0 && t->slip_first + t->slips <= t->vocab);
    for (int i = 0; i < 2000; i++) {
      int64_t prompt[TASK_CONTEXT];
      const int64_t length = t->make_prompt(t, i % 2, &r, prompt);
      must(length >= 1 && length <= t->prompt);
      check_tokens(t, prompt, length);
      if (!t->make_document) continue;
      document d;
      t->make_document(t, i % 2, &some, &r, &d);
      must(d.prompt >= 1 && d.prompt <= t->prompt);
      must(d.length > d.prompt && d.length - d.prompt <= t->response);
      check_tokens(t, d.tokens, d.length);
      for (int64_t n = 0; n < d.prompt; n++) must(d.learn[n] == 0);
      for (int64_t n = d.prompt; n < d.length; n++) must(d.learn[n] <= 1);
    }
  }
  all_freed(&all);
}
END_TEST

static int same_documents(const document *a, const document *b) {
  const size_t n = (size_t)a->length;
  return a->length == b->length && a->prompt == b->prompt && memcmp(a->tokens, b->tokens, n * sizeof *a->tokens) == 0 &&
         memcmp(a->learn, b->learn, n) == 0;
}

/* Of 40 entries two streams may draw the same one, but not in half of 100 cases. */
START_TEST(sequences_follow_from_seed_and_stream) {
  static const double slips[] = {0.0, 0.3};
  static const flaws some = {0.3, 0.1, slips, 2};
  all_tasks all = all_made();
  for (int k = 0; k < TASKS; k++) {
    const task *t = all.tasks[k];
    int seeds_differ = 0, streams_differ = 0;
    for (uint64_t i = 0; i < 100 && t->make_document; i++) {
      random_stream r = {5, i, 0}, again = {5, i, 0}, seed = {6, i, 0}, stream = {5, i + 1000, 0};
      document a, b, c, d;
      t->make_document(t, 0, &some, &r, &a);
      t->make_document(t, 0, &some, &seed, &c);
      t->make_document(t, 0, &some, &stream, &d);
      t->make_document(t, 0, &some, &again, &b);
      must(same_documents(&a, &b));
      ck_assert_uint_eq(r.index, again.index);
      seeds_differ += !same_documents(&a, &c);
      streams_differ += !same_documents(&a, &d);
    }
    if (t->make_document) must(seeds_differ > 50 && streams_differ > 50);
    random_stream r = {7, 1, 0}, again = {7, 1, 0};
    for (int i = 0; i < 100; i++) {
      int64_t a[TASK_CONTEXT], b[TASK_CONTEXT];
      const int64_t n = t->make_prompt(t, 1, &r, a);
      must(t->make_prompt(t, 1, &again, b) == n);
      ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
    }
  }
  all_freed(&all);
}
END_TEST

Suite *task_suite(void) {
  Suite *suite = suite_create("task");
  TCase *all = tcase_create("all");
  tcase_add_test(all, names_are_checked);
  tcase_add_test(all, long_names_are_cut_in_texts);
  tcase_add_test(all, sequences_keep_to_their_bounds);
  tcase_add_test(all, sequences_follow_from_seed_and_stream);
  suite_add_tcase(suite, all);
  suite_add_tcase(suite, task_symbols_case());
  suite_add_tcase(suite, task_lift_case());
  suite_add_tcase(suite, task_text_case());
  suite_add_tcase(suite, task_ids_case());
  return suite;
}
