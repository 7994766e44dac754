/* report_cases.h - runs to report on, and what they come to by the definitions: read from their files without the
 * demo's reader, summed in long double. */
#ifndef TEST_DISTILL_REPORT_CASES_H
#define TEST_DISTILL_REPORT_CASES_H

#include <check.h>
#include <stdint.h>

/* Updates are planned, every so many are evaluated, the first ones are in the files. */
enum { CASE_UPDATES = 120, CASE_EVERY = 40, CASE_EVALUATIONS = 4, CASE_STEPS = 12, CASE_MOST = 4 };

/* A world and a method as tables show them. */
typedef struct case_world {
  const char *setting, *name, *title;
  int64_t order, judged;
  double derailed;  /* NaN: null */
  int first_method; /* 0, or 1: no opd */
} case_world;

typedef struct case_method {
  const char *name, *label;
  int64_t order;
  int64_t seeds[CASE_MOST]; /* that are complete, ascending; 0 ends them */
  int64_t unfinished;       /* a seed that is not complete, or 0 */
} case_method;

enum { CASE_WORLDS = 7, CASE_METHODS = 3 };
extern const case_world case_worlds[CASE_WORLDS];    /* in the order of tables */
extern const case_method case_methods[CASE_METHODS]; /* likewise; "opd" is the first */

/* Writes the files of all runs: in the world w, the method m, a seed: "<w>/<m>/<seed>/metrics.jsonl". */
void cases_write(const char *directory);
void case_path(char path[64], int w, int m, int64_t seed);

/* What one run comes to, in the order of summary.csv. */
enum {
  FINAL,
  AREA,
  STEPS_TO_HALF,
  GREEDY,
  REVERSE_KL,
  LOG_TEACHER,
  BITS,
  EARLY_LOG,
  EARLY_KL,
  EARLY_BETA,
  EARLY_BUDGET,
  BASE,
  TEACHER,
  FACTS
};
typedef struct facts {
  double value[FACTS];
  double curve[CASE_EVALUATIONS][5]; /* success, reverse_kl, log_teacher, bits_per_byte, length */
  double updates[CASE_STEPS + 1][4]; /* log_teacher, kl_student, beta, saturated */
} facts;
facts case_facts(const char *directory, int w, int m, int64_t seed);

/* Mean and half width of the 95 % interval of n <= 4 values; NaN where there are too few. */
typedef struct spread {
  long double mean, half;
  int n;
} spread;
spread spread_of(const double *x, int n);

/* Of a fact over the seeds of a method; and minus opd, over the seeds that both have. */
spread case_mean(const char *directory, int w, int m, int fact);
spread case_gain(const char *directory, int w, int m, int fact);

/* Of value k of an evaluation; of value k of an update: log_teacher, kl_student, beta. */
spread case_curve(const char *directory, int w, int m, int evaluation, int k);
spread case_update(const char *directory, int w, int m, int64_t step, int k);

/* The worlds that differ in the share of derailed documents and are compared. */
enum { CASE_SWEEP = 3 };
extern const int case_sweep[CASE_SWEEP];

/* Makes the report of a directory; returns what was printed, to be freed. gnuplot is looked for in the directory
 * `programs`, NULL: where it always is. */
char *make_report(const char *directory, const char *programs, int *good, char *why);

/* A report without pictures, for tests of all else. */
char *make_tables(const char *directory);

/* Cases of the suite that stand in files of their own. */
TCase *report_tables_case(void);   /* test_report_tables.c */
TCase *report_pictures_case(void); /* test_report_pictures.c */

#endif
