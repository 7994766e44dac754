/* report_cases.c - runs to report on, and what they come to by the definitions. */
#include "report_cases.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frequencies.h"
#include "report/metrics.h"
#include "random.h"
#include "report/report.h"
#include "workplace.h"

/* The fourth is again of one share with the second, the fifth has nothing to compare with, the sixth is alone in its
 * setting. */
const case_world case_worlds[CASE_WORLDS] = {{"A", "A-clean", "Sums <of> \"two\" & more, clean", 1, 1, 0.0, 0},
                                             {"A", "A", "Sums; it's 3 %", 2, 1, 0.03, 0},
                                             {"A", "A 'x' 10", "Sums, 10 %", 3, 1, 0.1, 0},
                                             {"A", "A-again", "Sums, 3 % once more", 4, 1, 0.03, 0},
                                             {"A", "A-alone", "Sums, 20 %", 5, 1, 0.2, 1},
                                             {"B", "B", "Chains", 6, 1, 0.03, 0},
                                             {"text", "text", "Glosses", 7, 0, NAN, 0}};
const int case_sweep[CASE_SWEEP] = {0, 1, 2};

const case_method case_methods[CASE_METHODS] = {{"opd", "OPD", 1, {1, 2, 4, 12}, 0},
                                                {"trb-0.05", "TRB ε₀ = {0.05} \"1, 2\" 's <b>&", 2, {1, 3, 4, 10}, 0},
                                                {"sft", "SFT ± nothing", 3, {7, 0, 0, 0}, 8}};

void case_path(char path[64], int w, int m, int64_t seed) {
  snprintf(path, 64, "%d/%d/%" PRId64 "/metrics.jsonl", w, m, seed);
}

/* ---- Writing ---- */

static void put_quoted(FILE *out, const char *name, const char *text) {
  fprintf(out, ", \"%s\": \"", name);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

static void put(FILE *out, const char *name, double x) {
  if (isnan(x)) {
    fprintf(out, ", \"%s\": null", name);
  } else {
    fprintf(out, ", \"%s\": %.17g", name, x);
  }
}

static void put_head(FILE *out, const case_world *w, const case_method *m, int64_t seed) {
  fputs("{\"type\": \"run\"", out);
  put_quoted(out, "setting", w->setting);
  put_quoted(out, "world", w->name);
  put_quoted(out, "title", w->title);
  put_quoted(out, "method", m->name);
  put_quoted(out, "label", m->label);
  put_quoted(out, "identity", "feed\"<i>");
  fprintf(out,
          ", \"world_order\": %" PRId64 ", \"method_order\": %" PRId64 ", \"seed\": %" PRId64
          ", \"steps\": %d, \"judged\": %" PRId64,
          w->order, m->order, seed, CASE_UPDATES, w->judged);
  put(out, "derailed", w->derailed);
  fputs("}\n", out);
}

static void put_step(FILE *out, int64_t step, int guided, random_stream *r) {
  static const char *const others[] = {"loss",         "budget",          "log_student", "entropy_teacher",
                                       "length",       "entropy_student", "gradient",    "rate",
                                       "teacher_calls"};
  fprintf(out, "{\"type\": \"step\", \"step\": %" PRId64, step);
  for (int i = 0; i < 9; i++) put(out, others[i], random_uniform(r));
  put(out, "beta", step == 3 || !guided ? NAN : random_uniform(r));
  put(out, "saturated", guided ? random_uniform(r) : NAN);
  put(out, "kl_student", guided ? 0.1 * random_uniform(r) : 0.0);
  put(out, "log_teacher", -3.0 * random_uniform(r));
  fputs("}\n", out);
}

static void put_evaluation(FILE *out, int64_t step, int judged, double success, random_stream *r) {
  fprintf(out, "{\"type\": \"evaluation\", \"step\": %" PRId64 ", \"prompts\": 64", step);
  put(out, "success", judged ? success : NAN);
  put(out, "greedy", judged && step == CASE_UPDATES ? random_uniform(r) : NAN);
  put(out, "reverse_kl", random_uniform(r));
  put(out, "log_teacher", -random_uniform(r));
  put(out, "bits_per_byte", judged ? NAN : 2.0 + random_uniform(r));
  put(out, "length", 20.0 + random_uniform(r));
  put(out, "teacher_success", judged && step == 0 ? 0.9 + 0.1 * random_uniform(r) : NAN);
  fputs("}\n", out);
}

/* Success grows to a height of its own; that of opd in the third world stays below one half, trb's reaches it but for
 * seed 1. */
static void put_run(FILE *out, int w, int m, int64_t seed, int complete) {
  const int judged = (int)case_worlds[w].judged;
  random_stream r = {(uint64_t)seed, (uint64_t)(10 * w + m), 0};
  double height = 0.6 + 0.4 * random_uniform(&r);
  if (w == 2 && (m == 0 || seed == 1)) height *= 0.4;
  put_head(out, &case_worlds[w], &case_methods[m], seed);
  put_evaluation(out, 0, judged, 0.1 * height, &r);
  for (int64_t step = 1; step <= (complete ? CASE_STEPS : 5); step++) put_step(out, step, m == 1, &r);
  for (int64_t step = CASE_EVERY; step <= CASE_UPDATES && complete; step += CASE_EVERY) {
    const double share = (double)step / CASE_UPDATES;
    put_evaluation(out, step, judged, height * share * share, &r);
  }
  if (complete) fputs("{\"type\": \"end\"}\n", out);
}

static void write_run(const char *directory, int w, int m, int64_t seed, int complete) {
  char path[64];
  case_path(path, w, m, seed);
  write_text(directory, path, "");
  char *full = path_in(directory, path);
  FILE *out = fopen(full, "wb");
  ck_assert_ptr_nonnull(out);
  put_run(out, w, m, seed, complete);
  ck_assert_int_eq(fclose(out), 0);
  free(full);
}

void cases_write(const char *directory) {
  for (int w = 0; w < CASE_WORLDS; w++) {
    for (int m = case_worlds[w].first_method; m < CASE_METHODS; m++) {
      const case_method *method = &case_methods[m];
      for (int i = 0; i < CASE_MOST && method->seeds[i]; i++) write_run(directory, w, m, method->seeds[i], 1);
      if (method->unfinished) write_run(directory, w, m, method->unfinished, 0);
    }
  }
}

/* ---- Facts ---- */

/* The number of that name in a line; NaN for null. */
static double number_in(const char *line, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\": ", name);
  const char *at = strstr(line, key);
  must(at != NULL);
  at += strlen(key);
  return strncmp(at, "null", 4) == 0 ? NAN : strtod(at, NULL);
}

static double steps_to_half(const double *success) {
  for (int i = 0; i < CASE_EVALUATIONS; i++) {
    if (isnan(success[i])) return NAN;
    if (success[i] < 0.5) continue;
    if (i == 0) return 0.0;
    return CASE_EVERY * (i - 1 + (0.5 - success[i - 1]) / (success[i] - success[i - 1]));
  }
  return INFINITY;
}

static void take_evaluation(facts *f, const char *line) {
  static const char *const names[] = {"success", "reverse_kl", "log_teacher", "bits_per_byte", "length"};
  const int i = (int)number_in(line, "step") / CASE_EVERY;
  for (int k = 0; k < 5; k++) f->curve[i][k] = number_in(line, names[k]);
  if (i == 0) f->value[BASE] = f->curve[i][0];
  if (i == 0) f->value[TEACHER] = number_in(line, "teacher_success");
  f->value[FINAL] = f->curve[i][0];
  f->value[GREEDY] = number_in(line, "greedy");
  f->value[REVERSE_KL] = f->curve[i][1];
  f->value[LOG_TEACHER] = f->curve[i][2];
  f->value[BITS] = f->curve[i][3];
}

static void take_step(facts *f, const char *line) {
  static const char *const names[] = {"log_teacher", "kl_student", "beta", "saturated"};
  const int step = (int)number_in(line, "step");
  for (int k = 0; k < 4; k++) f->updates[step][k] = number_in(line, names[k]);
}

/* Over the first ten updates that know the value. */
static double early_mean(const facts *f, int k) {
  long double sum = 0;
  int n = 0;
  for (int step = 1; step <= 10; step++) {
    if (isnan(f->updates[step][k])) continue;
    sum += f->updates[step][k];
    n++;
  }
  return n ? (double)(sum / n) : NAN;
}

facts case_facts(const char *directory, int w, int m, int64_t seed) {
  char path[64];
  case_path(path, w, m, seed);
  char *text = read_text(directory, path);
  facts f = {{0}, {{0}}, {{0}}};
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (strstr(line, "\"evaluation\"")) take_evaluation(&f, line);
    if (strstr(line, "\"type\": \"step\"")) take_step(&f, line);
  }
  free(text);
  for (int k = 0; k < 4; k++) f.value[EARLY_LOG + k] = early_mean(&f, k);
  double success[CASE_EVALUATIONS];
  for (int i = 0; i < CASE_EVALUATIONS; i++) success[i] = f.curve[i][0];
  f.value[STEPS_TO_HALF] = steps_to_half(success);
  f.value[AREA] = (success[0] / 2 + success[1] + success[2] + success[3] / 2) / (CASE_EVALUATIONS - 1);
  return f;
}

spread spread_of(const double *x, int n) {
  static const long double t[] = {12.70620473617L, 4.30265272975L, 3.18244630528L}; /* t_{0.975}, 1 to 3 degrees */
  spread s = {NAN, NAN, n};
  if (n < 1) return s;
  long double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) sum += x[i];
  s.mean = sum / n;
  for (int i = 0; i < n; i++) squares += (x[i] - s.mean) * (x[i] - s.mean);
  if (n > 1) s.half = t[n - 2] * sqrtl(squares / (n - 1) / n);
  return s;
}

spread case_mean(const char *directory, int w, int m, int fact) {
  double x[CASE_MOST];
  int n = 0;
  for (int i = 0; i < CASE_MOST && case_methods[m].seeds[i]; i++) {
    x[n] = case_facts(directory, w, m, case_methods[m].seeds[i]).value[fact];
    if (!isnan(x[n])) n++;
  }
  return spread_of(x, n);
}

spread case_gain(const char *directory, int w, int m, int fact) {
  double x[CASE_MOST];
  int n = 0;
  for (int i = 0; i < CASE_MOST && case_methods[m].seeds[i]; i++) {
    for (int k = 0; m > 0 && !case_worlds[w].first_method && k < CASE_MOST; k++) {
      const int64_t seed = case_methods[m].seeds[i];
      if (case_methods[0].seeds[k] != seed) continue;
      x[n] = case_facts(directory, w, m, seed).value[fact] - case_facts(directory, w, 0, seed).value[fact];
      if (!isnan(x[n])) n++;
    }
  }
  return spread_of(x, n);
}

spread case_curve(const char *place, int w, int m, int evaluation, int k) {
  double x[CASE_MOST];
  int n = 0;
  for (int i = 0; i < CASE_MOST && case_methods[m].seeds[i]; i++) {
    x[n] = case_facts(place, w, m, case_methods[m].seeds[i]).curve[evaluation][k];
    if (!isnan(x[n])) n++;
  }
  return spread_of(x, n);
}

spread case_update(const char *place, int w, int m, int64_t step, int k) {
  double x[CASE_MOST];
  int n = 0;
  for (int i = 0; i < CASE_MOST && case_methods[m].seeds[i]; i++) {
    x[n] = case_facts(place, w, m, case_methods[m].seeds[i]).updates[step][k];
    if (!isnan(x[n])) n++;
  }
  return spread_of(x, n);
}

/* ---- Making a report ---- */

char *make_report(const char *directory, const char *programs, int *good, char *why) {
  char *printed = NULL, *path = strdup(getenv("PATH"));
  size_t length;
  FILE *out = open_memstream(&printed, &length);
  ck_assert(out != NULL && path != NULL);
  if (programs) ck_assert_int_eq(setenv("PATH", programs, 1), 0);
  *good = report_make(directory, out, why);
  ck_assert_int_eq(setenv("PATH", path, 1), 0);
  ck_assert_int_eq(fclose(out), 0);
  free(path);
  return printed;
}

char *make_tables(const char *directory) {
  char why[METRICS_WHY] = "";
  int good;
  char *printed = make_report(directory, "/nowhere", &good, why);
  ck_assert_int_eq(good, 0);
  ck_assert_msg(strstr(why, "make deps") != NULL, "%s", why);
  return printed;
}
