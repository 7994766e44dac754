/* Reports: their CSV files, and directories that cannot be reported on. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frequencies.h"
#include "report/metrics.h"
#include "report_cases.h"
#include "suites.h"
#include "workplace.h"

/* ---- CSV ---- */

/* Takes the next field of a line apart; at the end of the line it returns NULL. */
static const char *next_field(const char *at, char *field, size_t capacity) {
  size_t n = 0;
  const int quoted = *at == '"';
  if (quoted) at++;
  while (*at && (quoted ? *at != '"' || at[1] == '"' : *at != ',' && *at != '\n')) {
    if (quoted && *at == '"') at++;
    must(n + 1 < capacity);
    field[n++] = *at++;
  }
  if (quoted) at++;
  field[n] = '\0';
  ck_assert(*at == ',' || *at == '\n');
  return *at == ',' ? at + 1 : NULL;
}

static void check_text_field(const char **at, const char *want) {
  char field[256];
  ck_assert_ptr_nonnull(*at);
  *at = next_field(*at, field, sizeof field);
  ck_assert_str_eq(field, want);
}

/* Ten digits; unknown is empty, never is inf. */
static void check_number_field(const char **at, long double want) {
  char field[256], *end;
  ck_assert_ptr_nonnull(*at);
  *at = next_field(*at, field, sizeof field);
  if (isnan(want)) {
    ck_assert_str_eq(field, "");
    return;
  }
  const double got = strtod(field, &end);
  ck_assert(end != field && *end == '\0');
  if (isinf(want)) {
    ck_assert(isinf(got));
  } else {
    ck_assert_msg(fabsl(got - want) <= 1e-9L * fabsl(want) + 1e-15L, "got %s, expected %.12Lg", field, want);
  }
}

static void check_summary_line(const char *at, const char *place, int w, int m, int64_t seed, int complete) {
  const case_world *world = &case_worlds[w];
  check_text_field(&at, world->setting);
  check_text_field(&at, world->name);
  check_text_field(&at, case_methods[m].name);
  check_text_field(&at, case_methods[m].label);
  check_number_field(&at, seed);
  check_number_field(&at, CASE_UPDATES);
  check_number_field(&at, world->derailed);
  check_number_field(&at, complete);
  const facts f = case_facts(place, w, m, seed);
  for (int i = 0; i < FACTS; i++) check_number_field(&at, complete ? f.value[i] : (double)NAN);
  ck_assert_ptr_null(at);
}

START_TEST(summaries_have_a_line_for_each_run) {
  char *place = workplace_make();
  cases_write(place);
  free(make_tables(place));
  char *csv = read_text(place, "summary.csv"), *line = csv;
  const char *const heading =
      "setting,world,method,label,seed,updates,derailed,complete,final,area,steps_to_half,greedy,final_reverse_kl,"
      "final_log_teacher,bits_per_byte,early_log_teacher,early_kl_student,early_beta,early_saturated,base,"
      "teacher\n";
  ck_assert(strncmp(line, heading, strlen(heading)) == 0);
  line += strlen(heading);
  for (int w = 0; w < CASE_WORLDS; w++) {
    for (int m = case_worlds[w].first_method; m < CASE_METHODS; m++) {
      for (int i = 0; i < CASE_MOST && case_methods[m].seeds[i]; i++) {
        check_summary_line(line, place, w, m, case_methods[m].seeds[i], 1);
        line = strchr(line, '\n') + 1;
      }
    }
  }
  for (int w = 0; w < CASE_WORLDS; w++) {
    check_summary_line(line, place, w, 2, 8, 0);
    line = strchr(line, '\n') + 1;
  }
  ck_assert_str_eq(line, "");
  free(csv);
  workplace_remove(place);
}
END_TEST

START_TEST(curves_have_a_line_for_each_evaluation) {
  char *place = workplace_make();
  cases_write(place);
  free(make_tables(place));
  char *csv = read_text(place, "curves.csv"), *line = strchr(csv, '\n') + 1;
  ck_assert(strncmp(csv, "world,method,step,success,success_half,reverse_kl,reverse_kl_half,", 66) == 0);
  for (int at_all = 0; at_all < CASE_WORLDS * CASE_METHODS * CASE_EVALUATIONS; at_all++) {
    const int w = at_all / (CASE_METHODS * CASE_EVALUATIONS), m = at_all / CASE_EVALUATIONS % CASE_METHODS;
    const int evaluation = at_all % CASE_EVALUATIONS;
    if (m < case_worlds[w].first_method) continue;
    const char *at = line;
    check_text_field(&at, case_worlds[w].name);
    check_text_field(&at, case_methods[m].name);
    check_number_field(&at, evaluation * CASE_EVERY);
    for (int k = 0; k < 5; k++) {
      const spread s = case_curve(place, w, m, evaluation, k);
      check_number_field(&at, s.mean);
      check_number_field(&at, s.half);
    }
    ck_assert_ptr_null(at);
    line = strchr(line, '\n') + 1;
  }
  ck_assert_str_eq(line, "");
  free(csv);
  workplace_remove(place);
}
END_TEST

/* ---- What is refused ---- */

static void check_refused(const char *directory, const char *part) {
  char why[METRICS_WHY] = "";
  int good;
  char *printed = make_report(directory, NULL, &good, why);
  ck_assert_int_eq(good, 0);
  ck_assert_msg(strstr(why, part) != NULL, "\"%s\" has no \"%s\"", why, part);
  ck_assert_str_eq(printed, "");
  free(printed);
  ck_assert(!is_there(directory, "table.txt"));
}

START_TEST(directories_without_runs_are_refused) {
  char *place = workplace_make();
  check_refused(place, "no run is there");
  write_text(place, "a/b/.hidden/metrics.jsonl", "{}\n");
  write_text(place, "a/b/metrics.jsonl.part", "{}\n");
  check_refused(place, "no run is there");
  char *nowhere = path_in(place, "nowhere");
  check_refused(nowhere, "cannot be read as a directory");
  free(nowhere);
  workplace_remove(place);
}
END_TEST

/* The file of opd with seed 1 in the first world, with one part of it put otherwise, as another one of the directory.
 */
static void add_variation(const char *place, const char *old, const char *new) {
  char *from = read_text(place, "0/0/1/metrics.jsonl"), *at = strstr(from, old);
  ck_assert_ptr_nonnull(at);
  const size_t capacity = strlen(from) + strlen(new) + 1;
  char *to = malloc(capacity);
  ck_assert_ptr_nonnull(to);
  snprintf(to, capacity, "%.*s%s%s", (int)(at - from), from, new, at + strlen(old));
  write_text(place, "z/metrics.jsonl", to);
  free(from);
  free(to);
}

START_TEST(contradictions_are_refused) {
  static const char *const variations[][3] = {
      {"clean", "clean", "0/0/1/metrics.jsonl and z/metrics.jsonl are the same run"},
      {"\"label\": \"OPD\"", "\"label\": \"opd\"", "say different things of one method"},
      {"\"method_order\": 1", "\"method_order\": 2", "say different things of one method"},
      {"more, clean", "more", "say different things of one world"},
      {"\"setting\": \"A\"", "\"setting\": \"B\"", "say different things of one world"},
      {"\"steps\": 120", "\"steps\": 121", "say different things of one world"},
      {"\"judged\": 1", "\"judged\": 0", "say different things of one world"},
      {"\"world_order\": 1", "\"world_order\": 7", "say different things of one world"},
      {"\"derailed\": 0", "\"derailed\": null", "say different things of one world"},
      {"\"type\": \"evaluation\"", "\"type\": \"evolution\"", "z/metrics.jsonl: line 2: unknown type evolution"}};
  char *place = workplace_make();
  cases_write(place);
  for (size_t i = 0; i < sizeof variations / sizeof variations[0]; i++) {
    add_variation(place, variations[i][0], variations[i][1]);
    check_refused(place, variations[i][2]);
  }
  workplace_remove(place);
}
END_TEST

START_TEST(unfinished_runs_alone_are_listed) {
  char *place = workplace_make(), why[METRICS_WHY] = "";
  int good;
  cases_write(place);
  char *lines = read_text(place, "0/2/8/metrics.jsonl");
  workplace_remove(place);
  place = workplace_make();
  write_text(place, "one/metrics.jsonl", lines);
  char *printed = make_report(place, "/nowhere", &good, why); /* there is nothing to draw */
  ck_assert_msg(good, "%s", why);
  ck_assert(strncmp(printed, "Incomplete runs, left out of all statistics\n\n", 45) == 0);
  ck_assert_ptr_nonnull(strstr(printed, "\none/metrics.jsonl  A-clean  sft        8  5 of 120\n"));
  free(printed);
  free(lines);
  workplace_remove(place);
}
END_TEST

/* ---- Files ---- */

/* The old file is not written to: who reads it goes on reading what it was. */
START_TEST(files_are_replaced_whole) {
  char *place = workplace_make(), *old = path_in(place, "table.txt"), *kept = path_in(place, "kept");
  cases_write(place);
  write_text(place, "table.txt", "old");
  ck_assert_int_eq(link(old, kept), 0);
  char *printed = make_tables(place), *written = read_text(place, "table.txt"), *before = read_text(place, "kept");
  ck_assert_str_eq(written, printed);
  ck_assert_str_eq(before, "old");
  ck_assert(!is_there(place, "table.txt.part"));
  free(printed);
  free(written);
  free(before);
  free(old);
  free(kept);
  workplace_remove(place);
}
END_TEST

START_TEST(files_that_cannot_be_replaced_stay) {
  char *place = workplace_make(), why[METRICS_WHY] = "";
  int good;
  cases_write(place);
  write_text(place, "report.html/old", "old");
  char *printed = make_report(place, "/nowhere", &good, why);
  ck_assert_int_eq(good, 0);
  ck_assert_ptr_nonnull(strstr(why, "report.html: cannot be written: "));
  ck_assert(is_there(place, "report.html/old"));
  ck_assert(!is_there(place, "report.html.part"));
  ck_assert(is_there(place, "table.txt"));
  free(printed);
  workplace_remove(place);
}
END_TEST

Suite *report_suite(void) {
  Suite *suite = suite_create("report");
  suite_add_tcase(suite, report_tables_case());
  suite_add_tcase(suite, report_pictures_case());
  TCase *csv = tcase_create("csv");
  tcase_set_timeout(csv, 120.0);
  tcase_add_test(csv, summaries_have_a_line_for_each_run);
  tcase_add_test(csv, curves_have_a_line_for_each_evaluation);
  suite_add_tcase(suite, csv);
  TCase *files = tcase_create("files");
  tcase_set_timeout(files, 120.0);
  tcase_add_test(files, files_are_replaced_whole);
  tcase_add_test(files, files_that_cannot_be_replaced_stay);
  suite_add_tcase(suite, files);
  TCase *refused = tcase_create("refused");
  tcase_set_timeout(refused, 120.0);
  tcase_add_test(refused, directories_without_runs_are_refused);
  tcase_add_test(refused, contradictions_are_refused);
  tcase_add_test(refused, unfinished_runs_alone_are_listed);
  suite_add_tcase(suite, refused);
  return suite;
}
