/* The pictures of reports: that gnuplot draws them, and what they are drawn from. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report/metrics.h"
#include "report_cases.h"
#include "workplace.h"

static const char *const pictures[] = {"A-clean-learning",
                                       "A-clean-rollouts",
                                       "A-learning",
                                       "A-rollouts",
                                       "A%20%27x%27%2010-learning",
                                       "A%20%27x%27%2010-rollouts",
                                       "A-again-learning",
                                       "A-again-rollouts",
                                       "A-alone-learning",
                                       "A-alone-rollouts",
                                       "B-learning",
                                       "B-rollouts",
                                       "text-learning",
                                       "text-rollouts",
                                       "A-derailed"};
enum { PICTURES = sizeof pictures / sizeof pictures[0] };

static char *read_picture(const char *place, int i, const char *ending) {
  char name[128];
  snprintf(name, sizeof name, "plots/%s%s", pictures[i], ending);
  return read_text(place, name);
}

/* Names of parts of a page are there once, and what is referred to is there. */
static void check_names(const char *html) {
  for (const char *at = html; (at = strstr(at, "id='")); at++) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 4, "'") + 5, at);
    ck_assert_msg(count_in(html, name) == 1, "%s is there %d times", name, count_in(html, name));
  }
  for (const char *at = html; (at = strstr(at, "href='#")); at++) {
    char name[64];
    snprintf(name, sizeof name, "id='%.*s'", (int)strcspn(at + 7, "'"), at + 7);
    ck_assert_msg(count_in(html, name) == 1, "%s is there %d times", name, count_in(html, name));
  }
}

START_TEST(pictures_are_drawn) {
  char *place = workplace_make(), why[METRICS_WHY] = "";
  int good;
  cases_write(place);
  char *printed = make_report(place, NULL, &good, why);
  ck_assert_msg(good, "%s", why);
  for (int i = 0; i < PICTURES; i++) {
    char *svg = read_picture(place, i, ".svg"), *png = read_picture(place, i, ".png");
    ck_assert(strncmp(svg, "<?xml", 5) == 0 && strstr(svg, "</svg>") != NULL);
    ck_assert(strncmp(png, "\x89PNG\r\n\x1a\n", 8) == 0);
    if (i < PICTURES - 1) ck_assert_ptr_nonnull(strstr(svg, "TRB ε₀ = {0.05} \"1, 2\" 's &lt;b>&amp;"));
    free(svg);
    free(png);
  }
  ck_assert(!is_there(place, "plots/A-learning.svg.part"));
  ck_assert(!is_there(place, "plots/gnuplot.log"));
  ck_assert(!is_there(place, "report.html.part"));

  char *html = read_text(place, "report.html");
  ck_assert_int_eq(count_in(html, "<svg"), PICTURES);
  ck_assert_int_eq(count_in(html, "</svg>"), PICTURES);
  ck_assert_int_eq(count_in(html, "could not be drawn"), 0);
  ck_assert_int_eq(count_in(html, "http"), 0);
  ck_assert_int_eq(count_in(html, "<script"), 0);
  check_names(html);
  free(html);
  free(printed);
  workplace_remove(place);
}
END_TEST

/* Rows of a data file, block after block. */
static void check_data_line(char **line, const double *want, int n) {
  while (**line == '\n' || **line == '#') *line = strchr(*line, '\n') + 1;
  char *at = *line;
  for (int i = 0; i < n; i++) {
    char *end = at;
    const double got = strtod(at, &end);
    if (isnan(want[i])) {
      end = at + strspn(at, " ");
      ck_assert_int_eq(*end++, '?');
    } else {
      ck_assert(end != at && fabs(got - want[i]) <= 1e-9 * fabs(want[i]) + 1e-13);
    }
    at = end;
  }
  ck_assert_int_eq(*at, '\n');
  *line = at + 1;
}

START_TEST(pictures_show_the_same_numbers) {
  char *place = workplace_make();
  cases_write(place);
  free(make_tables(place));
  char *data = read_picture(place, 4, ".dat"), *line = data;
  for (int m = 0; m < CASE_METHODS; m++) {
    for (int e = 0; e < CASE_EVALUATIONS; e++) {
      const spread s = case_curve(place, 2, m, e, 0);
      check_data_line(&line, (double[]){e * CASE_EVERY, 100.0 * (double)s.mean, 100.0 * (double)s.half}, 3);
    }
  }
  ck_assert_str_eq(line, "");
  free(data);

  data = read_picture(place, 5, ".dat");
  line = data;
  for (int m = 0; m < CASE_METHODS; m++) {
    for (int64_t step = 1; step <= CASE_STEPS; step++) {
      double want[4] = {(double)step};
      for (int k = 0; k < 3; k++) want[1 + k] = (double)case_update(place, 2, m, step, k).mean;
      check_data_line(&line, want, 4);
    }
  }
  ck_assert_str_eq(line, "");
  free(data);

  data = read_picture(place, PICTURES - 1, ".dat");
  line = data;
  for (int i = 0; i < CASE_SWEEP; i++) {
    const spread s = case_gain(place, case_sweep[i], 1, AREA);
    check_data_line(&line, (double[]){i, 100.0 * (double)s.mean, 100.0 * (double)s.half}, 3);
  }
  ck_assert_str_eq(line, "");
  free(data);
  workplace_remove(place);
}
END_TEST

/* Also where a world lacks the first method. */
START_TEST(methods_keep_their_colors) {
  char *place = workplace_make();
  cases_write(place);
  free(make_tables(place));
  for (int i = 0; i < PICTURES - 1; i++) {
    char *script = read_picture(place, i, ".gp");
    ck_assert_ptr_nonnull(strstr(script, "linecolor rgb '#0072B2' dashtype 1 title 'TRB ε₀"));
    ck_assert_ptr_nonnull(strstr(script, "linecolor rgb '#D55E00' dashtype 1 title 'SFT ± nothing'"));
    free(script);
  }
  workplace_remove(place);
}
END_TEST

/* A gnuplot that begins pictures and fails. */
START_TEST(failed_pictures_leave_the_old_ones) {
  char *place = workplace_make(), why[METRICS_WHY] = "";
  int good;
  cases_write(place);
  write_text(place, "bin/gnuplot", "#!/bin/sh\necho half > A-learning.svg.part\necho trouble >&2\nexit 3\n");
  write_text(place, "plots/A-learning.svg", "<svg>old</svg>");
  char *programs = path_in(place, "bin"), *gnuplot = path_in(programs, "gnuplot");
  ck_assert_int_eq(chmod(gnuplot, 0755), 0);
  char *printed = make_report(place, programs, &good, why);
  ck_assert_int_eq(good, 0);
  ck_assert_msg(strstr(why, "gnuplot failed, see plots/gnuplot.log") != NULL, "%s", why);
  char *old = read_text(place, "plots/A-learning.svg"), *log = read_text(place, "plots/gnuplot.log");
  ck_assert_str_eq(old, "<svg>old</svg>");
  ck_assert_str_eq(log, "trouble\n");
  ck_assert(!is_there(place, "plots/A-learning.svg.part"));
  char *html = read_text(place, "report.html");
  ck_assert_int_eq(count_in(html, "could not be drawn"), PICTURES);
  free(html);
  free(old);
  free(log);
  free(printed);
  free(gnuplot);
  free(programs);
  workplace_remove(place);
}
END_TEST

TCase *report_pictures_case(void) {
  TCase *pictures_case = tcase_create("pictures");
  tcase_set_timeout(pictures_case, 120.0);
  tcase_add_test(pictures_case, pictures_are_drawn);
  tcase_add_test(pictures_case, pictures_show_the_same_numbers);
  tcase_add_test(pictures_case, methods_keep_their_colors);
  tcase_add_test(pictures_case, failed_pictures_leave_the_old_ones);
  return pictures_case;
}
