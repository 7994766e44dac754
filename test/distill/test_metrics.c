/* Files of metrics: what is written is read back bit for bit, and what is not in order is refused by line. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "frequencies.h"
#include "report/metrics.h"
#include "random.h"
#include "suites.h"
#include "workplace.h"

static const run_head HEAD = {.setting = "A",
                              .world = "A-clean",
                              .title = "sums of \"two\" numbers",
                              .method = "trb-0.05-25",
                              .label = "TRB ε₀ = 0.05 \\ K",
                              .identity = "0123456789abcdef",
                              .world_order = 2,
                              .method_order = -1,
                              .seed = INT64_MAX,
                              .steps = 100,
                              .judged = 1,
                              .derailed = 0.03};

/* The same in the words of the header. */
static const char FIRST_LINE[] =
    "{\"type\": \"run\", \"setting\": \"A\", \"world\": \"A-clean\", \"title\": \"sums of \\\"two\\\" numbers\", "
    "\"method\": \"trb-0.05-25\", \"label\": \"TRB ε₀ = 0.05 \\\\ K\", \"identity\": \"0123456789abcdef\", "
    "\"world_order\": 2, \"method_order\": -1, \"seed\": 9223372036854775807, \"steps\": 100, \"judged\": 1, "
    "\"derailed\": 0.029999999999999999}\n";
static const char STEP_1[] =
    "{\"type\": \"step\", \"step\": 1, \"loss\": 1.5, \"budget\": 0.0, \"beta\": null, \"saturated\": null, "
    "\"kl_student\": -0.0, \"log_teacher\": -2, \"log_student\": 1e-5, \"entropy_teacher\": 0.0, "
    "\"entropy_student\": 0.0, \"length\": 27, \"gradient\": 1.0, \"rate\": 0.0, \"teacher_calls\": 0.0}\n";
static const char EVALUATION_1[] =
    "{\"type\": \"evaluation\", \"step\": 1, \"prompts\": 64, \"success\": 0.5, \"greedy\": null, \"reverse_kl\": 1.0, "
    "\"log_teacher\": -1.0, \"bits_per_byte\": null, \"teacher_success\": null, \"length\": 27.0}\n";

static step_line step_at(int64_t step) {
  const double x = (double)step;
  return (step_line){.step = step,
                     .loss = 1.0 / x,
                     .budget = 0.05,
                     .beta = 0.1 * x,
                     .saturated = NAN,
                     .kl_student = 0.01,
                     .log_teacher = -x,
                     .length = 27.0,
                     .gradient = sqrt(x)};
}

static evaluation_line evaluation_at(int64_t step) {
  return (evaluation_line){.step = step,
                           .prompts = 64,
                           .success = (double)step / 100.0,
                           .greedy = NAN,
                           .reverse_kl = exp(-(double)step),
                           .bits_per_byte = NAN,
                           .teacher_success = NAN};
}

/* Opens a file; that must succeed, or fail with a text that has `part` in it. */
static metrics *open_well(const char *path, int64_t resume) {
  char why[METRICS_WHY] = "";
  metrics *m = metrics_open(path, &HEAD, resume, why);
  ck_assert_msg(m != NULL, "%s", why);
  return m;
}

static void open_badly(const char *path, const run_head *head, int64_t resume, const char *part) {
  char why[METRICS_WHY] = "";
  ck_assert_ptr_null(metrics_open(path, head, resume, why));
  ck_assert_msg(strstr(why, part) != NULL, "\"%s\" has no \"%s\"", why, part);
}

static run *read_well(const char *path) {
  char why[METRICS_WHY] = "";
  run *r = metrics_read(path, why);
  ck_assert_msg(r != NULL, "%s", why);
  return r;
}

/* Steps `first` to `last`, evaluated at every third one; step 0 is no more than an evaluation. */
static void write_steps(metrics *m, int64_t first, int64_t last) {
  for (int64_t step = first; step <= last; step++) {
    const step_line s = step_at(step);
    const evaluation_line e = evaluation_at(step);
    if (step > 0) ck_assert_int_eq(metrics_step(m, &s), 1);
    if (step % 3 == 0) ck_assert_int_eq(metrics_evaluation(m, &e), 1);
  }
}

/* A file of nine steps and an end. */
static void write_whole(const char *path) {
  metrics *m = open_well(path, -1);
  write_steps(m, 0, 9);
  ck_assert_int_eq(metrics_end(m), 1);
  ck_assert_int_eq(metrics_close(m), 1);
}

/* ---- Round trip ---- */

/* The same bits, or NaN where there was no number. */
static void check_number(double got, double want) {
  if (!isfinite(want)) {
    ck_assert(isnan(got));
  } else {
    ck_assert_msg(memcmp(&got, &want, sizeof got) == 0, "%a became %a", want, got);
  }
}

static void check_step(const step_line *got, const step_line *want) {
  const double a[] = {got->loss,          got->budget,      got->beta,   got->saturated,       got->kl_student,
                      got->log_teacher,   got->log_student, got->length, got->entropy_teacher, got->entropy_student,
                      got->teacher_calls, got->gradient,    got->rate};
  const double b[] = {
      want->loss,          want->budget,      want->beta,   want->saturated,       want->kl_student,
      want->log_teacher,   want->log_student, want->length, want->entropy_teacher, want->entropy_student,
      want->teacher_calls, want->gradient,    want->rate};
  ck_assert_int_eq(got->step, want->step);
  for (size_t i = 0; i < sizeof a / sizeof a[0]; i++) check_number(a[i], b[i]);
}

static void check_evaluation(const evaluation_line *got, const evaluation_line *want) {
  ck_assert_int_eq(got->step, want->step);
  ck_assert_int_eq(got->prompts, want->prompts);
  check_number(got->success, want->success);
  check_number(got->greedy, want->greedy);
  check_number(got->reverse_kl, want->reverse_kl);
  check_number(got->log_teacher, want->log_teacher);
  check_number(got->bits_per_byte, want->bits_per_byte);
  check_number(got->teacher_success, want->teacher_success);
  check_number(got->length, want->length);
}

/* Every bit pattern is a double. */
static double any_double(random_stream *r) {
  const uint64_t bits = random_bits(r);
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

START_TEST(numbers_keep_their_bits) {
  enum { LINES = 200 };
  static const double edges[] = {0.0,
                                 -0.0,
                                 5e-324,
                                 -2.2250738585072009e-308,
                                 1.7976931348623157e308,
                                 0.1,
                                 1.0 / 3.0,
                                 1e23,
                                 NAN,
                                 INFINITY,
                                 -INFINITY,
                                 9007199254740993.0,
                                 3.0,
                                 -1e15};
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl");
  random_stream r = {11, 0, 0};
  step_line steps[LINES];
  evaluation_line evaluations[LINES];
  metrics *m = open_well(path, -1);
  for (int i = 0; i < LINES; i++) {
    double x[18];
    for (int k = 0; k < 18; k++) x[k] = i == 0 && k < 14 ? edges[k] : any_double(&r);
    steps[i] = (step_line){i + 1, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12]};
    evaluations[i] = (evaluation_line){i + 1, INT64_MIN, x[13], x[14], x[15], x[16], x[17], x[0], x[1]};
    ck_assert_int_eq(metrics_step(m, &steps[i]), 1);
    ck_assert_int_eq(metrics_evaluation(m, &evaluations[i]), 1);
  }
  ck_assert_int_eq(metrics_end(m), 1);
  ck_assert_int_eq(metrics_close(m), 1);
  run *read = read_well(path);
  ck_assert_int_eq(read->n_steps, LINES);
  ck_assert_int_eq(read->n_evaluations, LINES);
  ck_assert_int_eq(read->complete, 1);
  for (int i = 0; i < LINES; i++) {
    check_step(&read->steps[i], &steps[i]);
    check_evaluation(&read->evaluations[i], &evaluations[i]);
  }
  run_free(read);
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(heads_come_back) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl");
  ck_assert_int_eq(metrics_close(open_well(path, -1)), 1);
  char *text = read_text(place, "metrics.jsonl");
  ck_assert_str_eq(text, FIRST_LINE);
  run *r = read_well(path);
  ck_assert_str_eq(r->head.setting, HEAD.setting);
  ck_assert_str_eq(r->head.world, HEAD.world);
  ck_assert_str_eq(r->head.title, HEAD.title);
  ck_assert_str_eq(r->head.method, HEAD.method);
  ck_assert_str_eq(r->head.label, HEAD.label);
  ck_assert_str_eq(r->head.identity, HEAD.identity);
  ck_assert_int_eq(r->head.world_order, 2);
  ck_assert_int_eq(r->head.method_order, -1);
  ck_assert_int_eq(r->head.seed, INT64_MAX);
  ck_assert_int_eq(r->head.steps, 100);
  ck_assert_int_eq(r->head.judged, 1);
  check_number(r->head.derailed, 0.03);
  ck_assert_int_eq(r->complete, 0);
  ck_assert_int_eq(r->n_steps + r->n_evaluations, 0);
  run_free(r);
  free(text);
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(texts_are_plain) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl");
  static const char *const bad[] = {"\xff", "a\nb", "\x1b[31m", "\x7f"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    run_head head = HEAD;
    strcpy(head.label, bad[i]);
    open_badly(path, &head, -1, "plain UTF-8");
  }
  ck_assert(!is_there(place, "metrics.jsonl"));
  free(path);
  workplace_remove(place);
}
END_TEST

/* ---- Going on ---- */

START_TEST(resumed_files_are_whole_ones) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl"), *whole_path = path_in(place, "whole");
  write_whole(whole_path);
  char *whole = read_text(place, "whole");
  for (int64_t resume = 0; resume <= 9; resume++) {
    write_whole(path); /* complete, so that later lines and the end have to go */
    metrics *m = open_well(path, resume);
    run *r = read_well(path);
    ck_assert_int_eq(r->n_steps, resume);
    ck_assert_int_eq(r->n_evaluations, resume / 3 + 1);
    ck_assert_int_eq(r->complete, 0);
    run_free(r);
    write_steps(m, resume + 1, 9);
    ck_assert_int_eq(metrics_end(m), 1);
    ck_assert_int_eq(metrics_close(m), 1);
    char *text = read_text(place, "metrics.jsonl");
    ck_assert_str_eq(text, whole);
    free(text);
  }
  free(whole);
  free(whole_path);
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(resuming_drops_a_cut_line) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl"), text[4096];
  snprintf(text, sizeof text, "%s%s%s", FIRST_LINE, STEP_1, "{\"type\": \"evaluation\", \"ste");
  write_text(place, "metrics.jsonl", text);
  ck_assert_int_eq(metrics_close(open_well(path, 1)), 1);
  snprintf(text, sizeof text, "%s%s", FIRST_LINE, STEP_1);
  char *left = read_text(place, "metrics.jsonl");
  ck_assert_str_eq(left, text);
  free(left);
  free(path);
  workplace_remove(place);
}
END_TEST

/* Files that are refused stay as they are. */
START_TEST(foreign_files_are_not_resumed) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl");
  open_badly(path, &HEAD, 0, "cannot be opened");
  ck_assert(!is_there(place, "metrics.jsonl"));
  write_whole(path);
  char *whole = read_text(place, "metrics.jsonl");
  run_head other = HEAD;
  other.identity[3] = 'x';
  open_badly(path, &other, 3, "line 1: another run's file");
  open_badly(path, &HEAD, 10, "line 15: the step to resume from is missing");
  char *text = read_text(place, "metrics.jsonl");
  ck_assert_str_eq(text, whole);
  free(text);
  free(whole);

  write_text(place, "metrics.jsonl", "");
  open_badly(path, &HEAD, 0, "line 1: another run's file");
  free(path);
  workplace_remove(place);
}
END_TEST

/* ---- What is refused ---- */

static void check_refused(const char *place, const char *text, const char *part) {
  char *path = path_in(place, "metrics.jsonl"), why[METRICS_WHY] = "";
  write_text(place, "metrics.jsonl", text);
  ck_assert_msg(metrics_read(path, why) == NULL, "not refused: %s", part);
  ck_assert_msg(strstr(why, "metrics.jsonl: line") != NULL && strstr(why, part) != NULL, "\"%s\" has no \"%s\"", why,
                part);
  free(path);
}

/* The first line with one part of it put otherwise. */
static void check_head_refused(const char *place, const char *old, const char *new, const char *part) {
  char text[2048];
  const char *at = strstr(FIRST_LINE, old);
  ck_assert_ptr_nonnull(at);
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - FIRST_LINE), FIRST_LINE, new, at + strlen(old));
  check_refused(place, text, part);
}

START_TEST(malformed_lines_are_named) {
  static const struct {
    const char *lines[3], *part;
  } bad[] = {{{"", "", ""}, "line 1: expected a run"},
             {{"{\"type\": \"run\"", "", ""}, "line 1: expected a run"},
             {{STEP_1, "", ""}, "line 1: expected a run"},
             {{FIRST_LINE, "loss\n", ""}, "line 2: not JSON: "},
             {{FIRST_LINE, STEP_1, "{\"type\": \"step\", \"step\": 2, \"step\": 2}\n"}, "line 3: not JSON: duplicate"},
             {{FIRST_LINE, "\n", ""}, "line 2: not JSON: "},
             {{FIRST_LINE, "[1]\n", ""}, "line 2: expected a type"},
             {{FIRST_LINE, "{\"type\": 1}\n", ""}, "line 2: expected a type"},
             {{FIRST_LINE, "{\"type\": \"pause\"}\n", ""}, "line 2: unknown type pause"},
             {{FIRST_LINE, FIRST_LINE, ""}, "line 2: a second run"},
             {{FIRST_LINE, STEP_1, STEP_1}, "line 3: a step out of order"},
             {{FIRST_LINE, EVALUATION_1, EVALUATION_1}, "line 3: a step out of order"},
             {{FIRST_LINE, "{\"type\": \"end\"}\n", STEP_1}, "line 3: a line after the end"},
             {{FIRST_LINE, "{\"type\": \"step\", \"step\": 1.0}\n", ""}, "line 2: expected an integer in step"},
             {{FIRST_LINE, "{\"type\": \"step\", \"step\": 1}\n", ""}, "line 2: expected a number or null in loss"},
             {{FIRST_LINE, "{\"type\": \"step\", \"step\": 1, \"loss\": \"1\"}\n", ""},
              "line 2: expected a number or null in loss"},
             {{FIRST_LINE, "{\"type\": \"step\", \"step\": 99999999999999999999}\n", ""}, "line 2: not JSON: "},
             {{FIRST_LINE, "{\"type\": \"step\", \"step\": 1, \"loss\": 1e999}\n", ""}, "line 2: not JSON: "}};
  char *place = workplace_make(), text[8192];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    snprintf(text, sizeof text, "%s%s%s", bad[i].lines[0], bad[i].lines[1], bad[i].lines[2]);
    check_refused(place, text, bad[i].part);
  }
  char words[METRICS_TEXT + 1] = "";
  memset(words, 'w', METRICS_TEXT);
  check_head_refused(place, "A-clean", words, "line 1: expected a short text without control characters in world");
  check_head_refused(place, "A-clean", "\\u001b", "line 1: expected a short text without control characters in world");
  check_head_refused(place, "\"A-clean\"", "null", "line 1: expected a short text without control characters in world");
  check_head_refused(place, "100", "1e2", "line 1: expected an integer in steps");
  check_head_refused(place, "\"seed\"", "\"sead\"", "line 1: expected an integer in seed");
  workplace_remove(place);
}
END_TEST

/* Evaluations and steps may each be alone, and a step of 2 after an evaluation at 1 is in order, at 3 it is not. */
START_TEST(order_holds_across_kinds) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl"), text[4096];
  snprintf(text, sizeof text, "%s%s%s", FIRST_LINE, EVALUATION_1, STEP_1);
  write_text(place, "metrics.jsonl", text);
  run_free(read_well(path));
  char *digit = strstr(text, "\"step\": 1, \"prompts\"") + strlen("\"step\": ");
  *digit = '3';
  check_refused(place, text, "line 3: a step out of order");
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(a_cut_last_line_is_dropped) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl"), why[METRICS_WHY] = "";
  write_whole(path);
  char *text = read_text(place, "metrics.jsonl");
  const size_t length = strlen(text);
  for (size_t end = length; end >= strlen(FIRST_LINE); end--) {
    text[end] = '\0';
    must(truncate(path, (off_t)end) == 0);
    run *r = metrics_read(path, why);
    must(r != NULL);
    must(r->n_steps == count_in(text, "\"teacher_calls\": 0.0}\n"));
    must(r->complete == (end == length));
    run_free(r);
  }
  free(text);
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(long_paths_leave_room_for_what_is_wrong) {
  char *place = workplace_make(), name[256] = "", why[METRICS_WHY] = "";
  memset(name, 'd', 240);
  strcat(name, "/metrics.jsonl");
  write_text(place, name, FIRST_LINE + 1);
  char *path = path_in(place, name);
  ck_assert_ptr_null(metrics_read(path, why));
  ck_assert_msg(strstr(why, "metrics.jsonl: line 1: not JSON") != NULL, "%s", why);
  free(path);
  workplace_remove(place);
}
END_TEST

/* ---- What cannot be written ---- */

START_TEST(full_disks_are_noticed) {
  char *place = workplace_make(), *path = path_in(place, "metrics.jsonl");
  const step_line s = step_at(1);
  struct rlimit old, small;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  small = old;
  small.rlim_cur = 100;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
  open_badly(path, &HEAD, -1, "cannot be written");
  const int left = is_there(place, "metrics.jsonl");
  small.rlim_cur = sizeof FIRST_LINE + 100;
  setrlimit(RLIMIT_FSIZE, &small);
  metrics *m = open_well(path, -1);
  const int step = metrics_step(m, &s), end = metrics_end(m), closed = metrics_close(m);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, handler);
  ck_assert_int_eq(left, 0);
  ck_assert_int_eq(step, 0);
  ck_assert_int_eq(end, 0);
  ck_assert_int_eq(closed, 0);
  free(path);
  workplace_remove(place);
}
END_TEST

START_TEST(missing_places_are_named) {
  char *place = workplace_make(), *path = path_in(place, "nowhere/metrics.jsonl"), why[METRICS_WHY] = "";
  open_badly(path, &HEAD, -1, "nowhere/metrics.jsonl: cannot be made");
  ck_assert_ptr_null(metrics_read(path, why));
  ck_assert_ptr_nonnull(strstr(why, "nowhere/metrics.jsonl: cannot be opened"));
  ck_assert_ptr_null(metrics_read(place, why)); /* a directory */
  run_free(NULL);
  free(path);
  workplace_remove(place);
}
END_TEST

Suite *metrics_suite(void) {
  Suite *suite = suite_create("metrics");
  TCase *round = tcase_create("round trip");
  tcase_add_test(round, numbers_keep_their_bits);
  tcase_add_test(round, heads_come_back);
  tcase_add_test(round, texts_are_plain);
  suite_add_tcase(suite, round);
  TCase *resume = tcase_create("resume");
  tcase_add_test(resume, resumed_files_are_whole_ones);
  tcase_add_test(resume, resuming_drops_a_cut_line);
  tcase_add_test(resume, foreign_files_are_not_resumed);
  suite_add_tcase(suite, resume);
  TCase *refused = tcase_create("refused");
  tcase_add_test(refused, malformed_lines_are_named);
  tcase_add_test(refused, order_holds_across_kinds);
  tcase_add_test(refused, a_cut_last_line_is_dropped);
  tcase_add_test(refused, long_paths_leave_room_for_what_is_wrong);
  suite_add_tcase(suite, refused);
  TCase *writing = tcase_create("writing");
  tcase_add_test(writing, full_disks_are_noticed);
  tcase_add_test(writing, missing_places_are_named);
  suite_add_tcase(suite, writing);
  return suite;
}
