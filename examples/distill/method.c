/* method.c - the methods that arXiv 2605.31159 compares. */
#include "method.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Names ---- */

/* How a method is written, and what its first and second number may be; whole ones are numbers of steps or tokens. */
static const struct form {
  const char *scan;
  method_kind kind;
  int numbers;
  double low, high;
  int whole[2];
  const char *label;
} forms[] = {
    {"opd%n", METHOD_BUDGET, 0, 0.0, 0.0, {0, 0}, "OPD"},
    {"trb-%lf-%lf%n", METHOD_BUDGET, 2, 0.0, 1e6, {0, 1}, "TRB \u03b5\u2080 = %g, K = %g"},
    {"fixed-%lf%n", METHOD_BUDGET, 1, 0.0, 1e6, {0, 0}, "fixed \u03b5 = %g"},
    {"skd-%lf%n", METHOD_SKD, 1, 1.0, 1e6, {1, 0}, "SKD, top %g"},
    {"temperature-%lf-%lf%n", METHOD_TEMPERATURE, 2, 0.01, 100.0, {0, 1}, "temperature %g to 1 over %g"},
    {"teacher%n", METHOD_TEACHER, 0, 0.0, 0.0, {0, 0}, "teacher rollouts"},
    {"sft%n", METHOD_SFT, 0, 0.0, 0.0, {0, 0}, "SFT throughout"},
    {"sft-%lf%n", METHOD_SFT, 1, 1.0, 1e9, {1, 0}, "SFT for %g, then OPD"},
    {"veto-%lf-%lf%n", METHOD_VETO, 2, 1e-6, 1.0, {0, 1}, "Veto %g to 1 over %g"},
};

static int in_range(const struct form *f, const double *x) {
  if (f->numbers > 0 && !(x[0] >= f->low && x[0] <= f->high)) return 0;
  if (f->numbers > 1 && !(x[1] >= 1.0 && x[1] <= 1e9)) return 0;
  for (int i = 0; i < f->numbers; i++)
    if (f->whole[i] && x[i] != floor(x[i])) return 0;
  return 1;
}

int method_parse(const char *text, method *out, char *why) {
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    const struct form *f = &forms[i];
    double x[2] = {0.0, 0.0};
    int end = 0;
    if (f->numbers == 0) sscanf(text, f->scan, &end);
    if (f->numbers == 1) sscanf(text, f->scan, &x[0], &end);
    if (f->numbers == 2) sscanf(text, f->scan, &x[0], &x[1], &end);
    if (end == 0 || text[end] != '\0' || strlen(text) >= METHOD_TEXT || !in_range(f, x)) continue;
    *out = (method){.kind = f->kind, .amount = x[0], .until = INT64_MAX};
    if (f->numbers == 2) out->until = (int64_t)x[1];
    if (f->kind == METHOD_SFT && f->numbers == 1) out->until = (int64_t)x[0];
    snprintf(out->id, sizeof out->id, "%s", text);
    snprintf(out->label, sizeof out->label, f->label, x[0], x[1]);
    return 1;
  }
  snprintf(why, 256,
           "method '%.64s': expected opd, trb-BUDGET-STEPS, fixed-BUDGET, skd-K, temperature-T-STEPS, teacher, sft, "
           "sft-STEPS or veto-WEIGHT-STEPS with numbers in range",
           text);
  return 0;
}

/* ---- Steps ---- */

/* From `amount` at k = 0 to 1 at k = until. */
static double rise(const method *m, int64_t k) {
  return k >= m->until ? 1.0 : m->amount + (1.0 - m->amount) * (double)k / (double)m->until;
}

/* arXiv 2605.31159: linear to 0; a budget without an end is constant. */
static double budget_at(const method *m, int64_t k) {
  const trb_schedule schedule = {.size = sizeof schedule,
                                 .kind = m->until == INT64_MAX ? TRB_SCHEDULE_CONSTANT : TRB_SCHEDULE_LINEAR,
                                 .initial = m->amount,
                                 .steps = m->until == INT64_MAX ? 0 : m->until};
  double budget = 0.0;
  return trb_schedule_at(NULL, &schedule, k, &budget) == TRB_OK ? budget : NAN;
}

void method_at(const method *m, int64_t k, trb_rollout_options *rollout, trb_train_options *train,
               trb_term_options *room) {
  switch (m->kind) {
  case METHOD_BUDGET:
    rollout->behavior = TRB_BEHAVIOR_BUDGET;
    rollout->budget = budget_at(m, k);
    break;
  case METHOD_SKD:
    rollout->behavior = TRB_BEHAVIOR_SKD;
    rollout->top_k = (int64_t)m->amount;
    break;
  case METHOD_TEMPERATURE:
    rollout->behavior = TRB_BEHAVIOR_STUDENT;
    rollout->temperature = rise(m, k);
    break;
  case METHOD_TEACHER:
    rollout->behavior = TRB_BEHAVIOR_TEACHER;
    break;
  case METHOD_SFT:
    rollout->behavior = k < m->until ? TRB_BEHAVIOR_TEACHER : TRB_BEHAVIOR_BUDGET;
    if (k >= m->until) break;
    *room = (trb_term_options){.size = sizeof *room, .estimator = TRB_ESTIMATOR_NLL};
    train->objective = TRB_OBJECTIVE_TOKEN;
    train->token = room;
    break;
  case METHOD_VETO:
    rollout->behavior = TRB_BEHAVIOR_BUDGET;
    train->bridge = rise(m, k);
    break;
  }
}
