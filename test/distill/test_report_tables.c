/* The tables of reports, as text and as a page: every number is computed again from the files of the runs. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frequencies.h"
#include "report_cases.h"
#include "report/results.h"
#include "report/table.h"
#include "workplace.h"

/* ---- The tables that are to be ---- */

/* A text that grows. */
typedef struct text {
  char at[16384];
  size_t length;
} text;

static void add(text *t, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(t->at + t->length, sizeof t->at - t->length, format, arguments);
  va_end(arguments);
  must(n >= 0 && (size_t)n < sizeof t->at - t->length);
  t->length += (size_t)n;
}

/* Each cell with a blank before it; empty ones leave no trace. */
static void add_spread(text *t, spread s, double scale, int decimals, const char *plus) {
  if (s.n == 0) return;
  long double mean = s.mean * (long double)scale;
  if (fabsl(mean) < 0.5L * powl(10.0L, -decimals)) mean = 0.0L;
  add(t, " %s%.*Lf", mean >= 0.0L ? plus : "", decimals, mean);
  if (s.n > 1) add(t, " ± %.*Lf", decimals, s.half * (long double)scale);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void add_steps(text *t, const char *place, int w, int m) {
  double steps[CASE_MOST];
  int n = 0, reached = 0;
  for (; n < CASE_MOST && case_methods[m].seeds[n]; n++) {
    steps[n] = case_facts(place, w, m, case_methods[m].seeds[n]).value[STEPS_TO_HALF];
    reached += isfinite(steps[n]);
  }
  qsort(steps, (size_t)n, sizeof *steps, compare);
  const double median = n % 2 ? steps[n / 2] : (steps[n / 2 - 1] + steps[n / 2]) / 2;
  if (isfinite(median)) add(t, " %.0f", median);
  if (isinf(median)) add(t, " never");
  if (reached > 0 && reached < n) add(t, " (%d of %d)", reached, n);
}

static void add_row_head(text *t, int m) {
  int n = 0;
  while (n < CASE_MOST && case_methods[m].seeds[n]) n++;
  add(t, "%s %d", case_methods[m].label, n);
}

static void add_judged(text *t, const char *place, int w) {
  const char *const gains = case_worlds[w].first_method ? "" : "final - opd area - opd ";
  add(t, "method seeds final %% area %% steps to 50 %% %sgreedy %%\n", gains);
  for (int m = case_worlds[w].first_method; m < CASE_METHODS; m++) {
    add_row_head(t, m);
    add_spread(t, case_mean(place, w, m, FINAL), 100.0, 1, "");
    add_spread(t, case_mean(place, w, m, AREA), 100.0, 1, "");
    add_steps(t, place, w, m);
    add_spread(t, case_gain(place, w, m, FINAL), 100.0, 1, "+");
    add_spread(t, case_gain(place, w, m, AREA), 100.0, 1, "+");
    add_spread(t, case_mean(place, w, m, GREEDY), 100.0, 1, "");
    add(t, "\n");
  }
}

/* Of the first method's runs. */
static void add_start(text *t, const char *place, int w) {
  const int m = case_worlds[w].first_method;
  add(t, "Before the first update the students succeed at %.1Lf %%; their teacher does at %.1Lf %%.\n",
      100.0L * case_mean(place, w, m, BASE).mean, 100.0L * case_mean(place, w, m, TEACHER).mean);
}

static void add_other(text *t, const char *place, int w) {
  add(t, "method seeds KL(p‖q) log q bits per byte KL(p‖q) - opd log q - opd bits per byte - opd\n");
  for (int m = case_worlds[w].first_method; m < CASE_METHODS; m++) {
    add_row_head(t, m);
    for (int fact = REVERSE_KL; fact <= BITS; fact++) add_spread(t, case_mean(place, w, m, fact), 1.0, 3, "");
    for (int fact = REVERSE_KL; fact <= BITS; fact++) add_spread(t, case_gain(place, w, m, fact), 1.0, 3, "+");
    add(t, "\n");
  }
}

static void add_early(text *t, const char *place, int w) {
  const int judged = (int)case_worlds[w].judged;
  add(t, "method seeds log q KL(μ‖p) β at the budget %%%s\n", judged ? " KL(p‖q) at the end" : "");
  for (int m = case_worlds[w].first_method; m < CASE_METHODS; m++) {
    add_row_head(t, m);
    add_spread(t, case_mean(place, w, m, EARLY_LOG), 1.0, 2, "");
    add_spread(t, case_mean(place, w, m, EARLY_KL), 1.0, 4, "");
    add_spread(t, case_mean(place, w, m, EARLY_BETA), 1.0, 3, "");
    add_spread(t, case_mean(place, w, m, EARLY_BUDGET), 100.0, 1, "");
    if (judged) add_spread(t, case_mean(place, w, m, REVERSE_KL), 1.0, 3, "");
    add(t, "\n");
  }
}

/* By the share of derailed documents; the method is the second. */
static void add_sweep(text *t, const char *place) {
  add(t, "derailed %% world seeds area %% of opd area %% area - opd\n");
  for (int i = 0; i < CASE_SWEEP; i++) {
    const int w = case_sweep[i];
    const spread gain = case_gain(place, w, 1, AREA);
    add(t, "%g %s %d", 100.0 * case_worlds[w].derailed, case_worlds[w].name, gain.n);
    add_spread(t, case_mean(place, w, 0, AREA), 100.0, 1, "");
    add_spread(t, case_mean(place, w, 1, AREA), 100.0, 1, "");
    add_spread(t, gain, 100.0, 1, "+");
    add(t, "\n");
  }
}

static void add_incomplete(text *t) {
  add(t, "file world method seed updates\n");
  for (int w = 0; w < CASE_WORLDS; w++)
    add(t, "%d/2/8/metrics.jsonl %s sft 8 5 of %d\n", w, case_worlds[w].name, CASE_UPDATES);
}

/* All tables one below the other, without rules and blank lines; with what stands above them, or without. */
static text expected_tables(const char *place, int with_titles) {
  text t = {{0}, 0};
  for (int w = 0; w < CASE_WORLDS; w++) {
    if (with_titles) add(&t, "%s: %s\n", case_worlds[w].name, case_worlds[w].title);
    (case_worlds[w].judged ? add_judged : add_other)(&t, place, w);
    if (with_titles && case_worlds[w].judged) add_start(&t, place, w);
    if (with_titles) add(&t, "%s, the first 10 updates\n", case_worlds[w].name);
    add_early(&t, place, w);
  }
  if (with_titles) add(&t, "A: %s by the share of derailed documents\n", case_methods[1].label);
  add_sweep(&t, place);
  if (with_titles) add(&t, "Incomplete runs, left out of all statistics\n");
  add_incomplete(&t);
  if (with_titles)
    add(&t, "± is half the width of the 95 %% interval over seeds; differences to opd are paired by seed.\n%s\n",
        results_caveat);
  return t;
}

/* ---- Text and HTML ---- */

/* One blank for many, no rules, no empty lines. */
static text squeezed(const char *from) {
  text t = {{0}, 0};
  for (const char *line = from, *end; (end = strchr(line, '\n')); line = end + 1) {
    if (strspn(line, "- ") == (size_t)(end - line)) continue;
    for (; *line == ' '; line++) continue;
    for (; line <= end; line++) {
      if (*line != ' ' || (line[1] != ' ' && line[1] != '\n')) add(&t, "%c", *line);
    }
  }
  return t;
}

START_TEST(tables_hold_what_runs_come_to) {
  char *place = workplace_make();
  cases_write(place);
  char *printed = make_tables(place), *written = read_text(place, "table.txt");
  ck_assert_str_eq(printed, written);
  const text want = expected_tables(place, 1), got = squeezed(written);
  ck_assert_str_eq(got.at, want.at);
  free(printed);
  free(written);
  workplace_remove(place);
}
END_TEST

/* The characters that an escape at this place stands for, and how long it is; figure spaces stand for none. */
static const char *unescape(const char *at, size_t *length) {
  static const char *const escapes[][2] = {{"&amp;", "&"},   {"&lt;", "<"},  {"&gt;", ">"},
                                           {"&quot;", "\""}, {"&#39;", "'"}, {"&#8199;", ""}};
  for (int i = 0; i < 6; i++) {
    *length = strlen(escapes[i][0]);
    if (strncmp(at, escapes[i][0], *length) == 0) return escapes[i][1];
  }
  ck_abort_msg("not escaped: %.20s", at);
}

/* The rows of all tables, a blank between cells that are not empty. */
static text rows_of(const char *html) {
  text t = {{0}, 0};
  for (const char *row = html; (row = strstr(row, "<tr>")); row++) {
    const char *end = strstr(row, "</tr>"), *gap = "";
    ck_assert_ptr_nonnull(end);
    for (const char *at = row + 4; at < end;) {
      at = strchr(at, '>') + 1;
      if (*at != '<') add(&t, "%s", gap);
      if (*at != '<') gap = " ";
      while (*at != '<') {
        size_t length = 1;
        if (*at == '&') {
          add(&t, "%s", unescape(at, &length));
        } else {
          add(&t, "%c", *at);
        }
        at += length;
      }
      at = strchr(at, '>') + 1;
    }
    add(&t, "\n");
  }
  return t;
}

START_TEST(pages_hold_the_same) {
  char *place = workplace_make();
  cases_write(place);
  free(make_tables(place));
  char *html = read_text(place, "report.html");
  const text want = expected_tables(place, 0), got = rows_of(html);
  ck_assert_msg(strncmp(got.at, want.at, want.length) == 0, "got\n%s\nwant\n%s", got.at, want.at);
  const char *runs = got.at + want.length;
  ck_assert_ptr_nonnull(strstr(runs, "setting world method seed updates derailed % complete identity\n"));
  ck_assert_ptr_nonnull(strstr(runs, "A A-clean trb-0.05 10 120 0 yes feed\"<i>\n"));
  ck_assert_ptr_nonnull(strstr(runs, "A A 'x' 10 sft 8 120 10 no feed\"<i>\n"));
  ck_assert_ptr_nonnull(strstr(runs, "text text opd 4 120 yes feed\"<i>\n"));
  ck_assert_ptr_nonnull(strstr(html, "Not complete: 7 of 66 runs."));
  ck_assert_ptr_nonnull(strstr(html, "<h2>Sums &lt;of&gt; &quot;two&quot; &amp; more, clean</h2>"));
  ck_assert_int_eq(count_in(html, "<p>Before the first update the students succeed at "), 6);
  ck_assert_int_eq(count_in(html, "could not be drawn"), 15);
  ck_assert_int_eq(count_in(html, "<svg"), 0);
  free(html);
  workplace_remove(place);
}
END_TEST

/* Characters are counted, not bytes; columns without a value go; the last cell has no blanks behind it. */
START_TEST(columns_are_aligned) {
  static const char *const cells[4][4] = {{"method", "x", "nothing", "y %"},
                                          {"ε₀ long one ± 1", "1.0 ± 10.5", "", "5"},
                                          {"b ± 22", "-100.0 ± 2.0", "", ""},
                                          {"c", "never", "", "12"}};
  table t;
  ck_assert_int_eq(table_make(&t, "lrrr", 4), 1);
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 4; k++) table_set(&t, i, k, "%s", cells[i][k]);
  }
  char *got = NULL;
  size_t length;
  FILE *out = open_memstream(&got, &length);
  ck_assert_ptr_nonnull(out);
  table_text(&t, out);
  fclose(out);
  ck_assert_str_eq(got, "method                       x  y %\n"
                        "---------------  -------------  ---\n"
                        "ε₀ long one ± 1     1.0 ± 10.5    5\n"
                        "b ± 22           -100.0 ±  2.0\n"
                        "c                        never   12\n");
  free(got);
  table_clear(&t);
}
END_TEST

TCase *report_tables_case(void) {
  TCase *tables = tcase_create("tables");
  tcase_set_timeout(tables, 120.0);
  tcase_add_test(tables, tables_hold_what_runs_come_to);
  tcase_add_test(tables, pages_hold_the_same);
  tcase_add_test(tables, columns_are_aligned);
  return tables;
}
