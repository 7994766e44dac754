/* results.c - the tables of the report: which columns they have and how numbers are written. */
#include "results.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Columns ---- */

typedef enum content { MEAN, GAIN, STEPS_TO_HALF } content;

typedef struct column {
  const char *heading;
  content content;
  int measure;
  double scale;
  int decimals;
} column;

static const column judged_columns[] = {
    {"final %", MEAN, MEASURE_FINAL, 100.0, 1},   {"area %", MEAN, MEASURE_AREA, 100.0, 1},
    {"steps to 50 %", STEPS_TO_HALF, 0, 1.0, 0},  {"final - opd", GAIN, MEASURE_FINAL, 100.0, 1},
    {"area - opd", GAIN, MEASURE_AREA, 100.0, 1}, {"greedy %", MEAN, MEASURE_GREEDY, 100.0, 1}};

static const column other_columns[] = {{"KL(p‖q)", MEAN, MEASURE_REVERSE_KL, 1.0, 3},
                                       {"log q", MEAN, MEASURE_LOG_TEACHER, 1.0, 3},
                                       {"bits per byte", MEAN, MEASURE_BITS_PER_BYTE, 1.0, 3},
                                       {"KL(p‖q) - opd", GAIN, MEASURE_REVERSE_KL, 1.0, 3},
                                       {"log q - opd", GAIN, MEASURE_LOG_TEACHER, 1.0, 3},
                                       {"bits per byte - opd", GAIN, MEASURE_BITS_PER_BYTE, 1.0, 3}};

/* The last one only where the world is judged: others have it in the table above. */
static const column early_columns[] = {{"log q", MEAN, MEASURE_EARLY_LOG_TEACHER, 1.0, 2},
                                       {"KL(μ‖p)", MEAN, MEASURE_EARLY_KL_STUDENT, 1.0, 4},
                                       {"β", MEAN, MEASURE_EARLY_BETA, 1.0, 3},
                                       {"at the budget %", MEAN, MEASURE_EARLY_SATURATED, 100.0, 1},
                                       {"KL(p‖q) at the end", MEAN, MEASURE_REVERSE_KL, 1.0, 3}};

enum {
  JUDGED_COLUMNS = sizeof judged_columns / sizeof judged_columns[0],
  OTHER_COLUMNS = sizeof other_columns / sizeof other_columns[0],
  EARLY_COLUMNS = sizeof early_columns / sizeof early_columns[0]
};

/* ---- Notes ---- */

static const char judged_note[] =
    "Success is the share of held-out prompts that the student answers right when it samples at temperature 1. "
    "final: at the last evaluation. area: mean over the run, the area under the curve. steps to 50 %: updates "
    "until success reaches one half, median over seeds. greedy: success at the end with the most probable tokens. "
    "- opd: paired difference to on-policy distillation without guidance (opd), over the seeds that both have. "
    "Means ± half the width of the 95 % interval by Student's t over seeds.";

static const char other_note[] =
    "At the last evaluation, per token of the student's own rollouts: reverse KL divergence KL(p‖q) of the "
    "student from the teacher in nats, and the teacher's log-probability log q of the sampled tokens. bits per "
    "byte: of held-out documents under the student. - opd: paired difference to on-policy distillation without "
    "guidance (opd), over the seeds that both have. Means ± half the width of the 95 % interval by Student's t "
    "over seeds.";

const char results_early_note[] =
    "Means per sampled token of the rollouts of these updates. log q: log-probability under the teacher in nats. "
    "KL(μ‖p): divergence of the behavior, which the tokens are sampled from, from the student in nats. β: weight "
    "of the teacher in the behavior. at the budget: share of prefixes where the budget binds. KL(p‖q) at the "
    "end: reverse KL divergence of the student from the teacher at the last evaluation, on the student's own "
    "rollouts.";

const char results_sweep_note[] =
    "What a trust region gains in area under the success curve over opd (paired, mean ± half the width of the "
    "95 % interval), by the share of the teacher's training documents that derail into chatter. Of worlds with "
    "the same share the first is shown.";

const char results_caveat[] =
    "Settings A, B and C are constructed to make one failure visible: students that know the task but leave it, and a "
    "teacher that continues what it reads. They show how the methods work, not how they rank on real models, and do "
    "not replicate the table of arXiv 2605.31159.";

const char *results_note(const world_runs *w) {
  return w->head->judged ? judged_note : other_note;
}

/* ---- Cells ---- */

/* A number, without a sign if it is rounded to zero. */
static void write_number(char *text, size_t capacity, double x, int decimals, int with_sign) {
  snprintf(text, capacity, with_sign ? "%+.*f" : "%.*f", decimals, x);
  if (text[0] == '-' && !strpbrk(text, "123456789")) memmove(text, text + 1, strlen(text));
}

static void set_interval(table *t, int64_t row, int at, interval x, const column *c) {
  char mean[64], half[64];
  if (x.n < 1) return;
  write_number(mean, sizeof mean, c->scale * x.mean, c->decimals, c->content == GAIN);
  if (x.n < 2) {
    table_set(t, row, at, "%s", mean);
    return;
  }
  write_number(half, sizeof half, c->scale * x.half, c->decimals, 0);
  table_set(t, row, at, "%s ± %s", mean, half);
}

/* The median; and how many runs reached one half, if not all did. */
static void set_steps(table *t, int64_t row, int at, const method_runs *m) {
  char median[64], some[64] = "";
  if (isnan(m->steps_to_half)) return;
  snprintf(median, sizeof median, "%.0f", m->steps_to_half);
  if (m->reached > 0 && m->reached < m->n) {
    snprintf(some, sizeof some, " (%" PRId64 " of %" PRId64 ")", m->reached, m->n);
  }
  table_set(t, row, at, "%s%s", isinf(m->steps_to_half) ? "never" : median, some);
}

/* Methods by columns, behind label and seeds. */
static int make_methods(table *t, const world_runs *w, const column *columns, int n) {
  if (!table_make(t, "lrrrrrrr", w->n + 1)) return 0;
  table_set(t, 0, 0, "method");
  table_set(t, 0, 1, "seeds");
  for (int i = 0; i < n; i++) table_set(t, 0, 2 + i, "%s", columns[i].heading);
  for (int64_t k = 0; k < w->n; k++) {
    const method_runs *m = &w->methods[k];
    table_set(t, 1 + k, 0, "%s", m->head->label);
    table_set(t, 1 + k, 1, "%" PRId64, m->n);
    for (int i = 0; i < n; i++) {
      const column *c = &columns[i];
      if (c->content == STEPS_TO_HALF) {
        set_steps(t, 1 + k, 2 + i, m);
      } else {
        set_interval(t, 1 + k, 2 + i, (c->content == GAIN ? m->gain : m->mean)[c->measure], c);
      }
    }
  }
  return 1;
}

void results_start(const world_runs *w, char *text, size_t capacity) {
  const interval base = w->methods[0].mean[MEASURE_BASE], teacher = w->methods[0].mean[MEASURE_TEACHER];
  text[0] = '\0';
  if (base.n < 1 || teacher.n < 1) return;
  snprintf(text, capacity, "Before the first update the students succeed at %.1f %%; their teacher does at %.1f %%.",
           100.0 * base.mean, 100.0 * teacher.mean);
}

/* ---- Tables ---- */

static int make_sweep(table *t, const sweep *s) {
  static const column area = {"", MEAN, MEASURE_AREA, 100.0, 1}, gain = {"", GAIN, MEASURE_AREA, 100.0, 1};
  if (!table_make(t, "rlrrrr", s->n + 1)) return 0;
  const char *const headings[] = {"derailed %", "world", "seeds", "area % of opd", "area %", "area - opd"};
  for (int i = 0; i < 6; i++) table_set(t, 0, i, "%s", headings[i]);
  for (int64_t k = 0; k < s->n; k++) {
    const method_runs *m = s->methods[k];
    table_set(t, 1 + k, 0, "%g", 100.0 * m->head->derailed);
    table_set(t, 1 + k, 1, "%s", m->head->world);
    table_set(t, 1 + k, 2, "%" PRId64, m->gain[MEASURE_AREA].n);
    set_interval(t, 1 + k, 3, m->base->mean[MEASURE_AREA], &area);
    set_interval(t, 1 + k, 4, m->mean[MEASURE_AREA], &area);
    set_interval(t, 1 + k, 5, m->gain[MEASURE_AREA], &gain);
  }
  return 1;
}

static int64_t updates_of(const run *r) {
  return r->n_steps > 0 ? r->steps[r->n_steps - 1].step : 0;
}

static int make_incomplete(table *t, const collection *c) {
  if (!table_make(t, "lllrr", c->n_records - c->n_complete + 1)) return 0;
  const char *const headings[] = {"file", "world", "method", "seed", "updates"};
  for (int i = 0; i < 5; i++) table_set(t, 0, i, "%s", headings[i]);
  for (int64_t row = 1; row < t->rows; row++) {
    const record *r = &c->records[c->n_complete + row - 1];
    const run_head *head = &r->run->head;
    table_set(t, row, 0, "%s", r->path);
    table_set(t, row, 1, "%s", head->world);
    table_set(t, row, 2, "%s", head->method);
    table_set(t, row, 3, "%" PRId64, head->seed);
    table_set(t, row, 4, "%" PRId64 " of %" PRId64, updates_of(r->run), head->steps);
  }
  return 1;
}

static int make_runs(table *t, const collection *c) {
  if (!table_make(t, "lllrrrll", c->n_records + 1)) return 0;
  const char *const headings[] = {"setting", "world",      "method",   "seed",
                                  "updates", "derailed %", "complete", "identity"};
  for (int i = 0; i < 8; i++) table_set(t, 0, i, "%s", headings[i]);
  for (int64_t k = 0; k < c->n_records; k++) {
    const run_head *head = &c->records[k].run->head;
    table_set(t, 1 + k, 0, "%s", head->setting);
    table_set(t, 1 + k, 1, "%s", head->world);
    table_set(t, 1 + k, 2, "%s", head->method);
    table_set(t, 1 + k, 3, "%" PRId64, head->seed);
    table_set(t, 1 + k, 4, "%" PRId64, head->steps);
    if (!isnan(head->derailed)) table_set(t, 1 + k, 5, "%g", 100.0 * head->derailed);
    table_set(t, 1 + k, 6, k < c->n_complete ? "yes" : "no");
    table_set(t, 1 + k, 7, "%s", head->identity);
  }
  return 1;
}

int results_make(results *r, const collection *of) {
  const size_t worlds = (size_t)of->n_worlds + 1, sweeps = (size_t)of->n_sweeps + 1;
  *r = (results){.of = of,
                 .worlds = calloc(worlds, sizeof(table)),
                 .early = calloc(worlds, sizeof(table)),
                 .sweeps = calloc(sweeps, sizeof(table))};
  int good = r->worlds && r->early && r->sweeps && make_incomplete(&r->incomplete, of) && make_runs(&r->runs, of);
  for (int64_t i = 0; i < of->n_worlds && good; i++) {
    const world_runs *w = &of->worlds[i];
    good = (w->head->judged ? make_methods(&r->worlds[i], w, judged_columns, JUDGED_COLUMNS)
                            : make_methods(&r->worlds[i], w, other_columns, OTHER_COLUMNS)) &&
           make_methods(&r->early[i], w, early_columns, w->head->judged ? EARLY_COLUMNS : EARLY_COLUMNS - 1);
  }
  for (int64_t i = 0; i < of->n_sweeps && good; i++) good = make_sweep(&r->sweeps[i], &of->sweeps[i]);
  if (!good) results_clear(r);
  return good;
}

void results_clear(results *r) {
  for (int64_t i = 0; i < r->of->n_worlds && r->worlds; i++) table_clear(&r->worlds[i]);
  for (int64_t i = 0; i < r->of->n_worlds && r->early; i++) table_clear(&r->early[i]);
  for (int64_t i = 0; i < r->of->n_sweeps && r->sweeps; i++) table_clear(&r->sweeps[i]);
  table_clear(&r->incomplete);
  table_clear(&r->runs);
  free(r->worlds);
  free(r->early);
  free(r->sweeps);
}

void results_text(FILE *out, const void *what) {
  const results *r = what;
  const collection *c = r->of;
  char start[RESULTS_START];
  for (int64_t i = 0; i < c->n_worlds; i++) {
    fprintf(out, "%s: %s\n\n", c->worlds[i].head->world, c->worlds[i].head->title);
    table_text(&r->worlds[i], out);
    results_start(&c->worlds[i], start, sizeof start);
    if (start[0] != '\0') fprintf(out, "\n%s\n", start);
    fprintf(out, "\n%s, the first %d updates\n\n", c->worlds[i].head->world, EARLY_STEPS);
    table_text(&r->early[i], out);
    fputc('\n', out);
  }
  for (int64_t i = 0; i < c->n_sweeps; i++) {
    const run_head *head = c->sweeps[i].methods[0]->head;
    fprintf(out, "%s: %s by the share of derailed documents\n\n", head->setting, head->label);
    table_text(&r->sweeps[i], out);
    fputc('\n', out);
  }
  if (r->incomplete.rows > 1) {
    fputs("Incomplete runs, left out of all statistics\n\n", out);
    table_text(&r->incomplete, out);
    fputc('\n', out);
  }
  fputs("± is half the width of the 95 % interval over seeds; differences to opd are paired by seed.\n", out);
  fprintf(out, "%s\n", results_caveat);
}
