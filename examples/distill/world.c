/* world.c - the settings' variations and controls. */
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COMMON "fixed-0.05,skd-3,temperature-0.8-25,sft-15,veto-0.5-25"

/* The budgets and lengths that arXiv 2605.31159 sweeps. */
#define PAPER_SWEEP                                                                                                    \
  "trb-0.001-15,trb-0.001-25,trb-0.001-50,trb-0.005-15,trb-0.005-25,trb-0.005-50,trb-0.01-15,trb-0.01-25,"             \
  "trb-0.01-50,trb-0.02-15,trb-0.02-25,trb-0.02-50,trb-0.05-15,trb-0.05-50"

static const struct variation {
  const char *setting, *id, *title;
  double derailed;             /* share of the teacher's documents; -1: the setting's */
  int slips;                   /* 0: a student without slips */
  const char *methods, *sweep; /* always; with sweeps, too */
} variations[] = {
    {"A", "A", "", -1.0, 1, "opd,trb-0.05-25," COMMON, PAPER_SWEEP},
    {"A", "A-derailed-0", ", teacher of clean documents only", 0.0, 1, "opd,trb-0.05-25", ""},
    {"A", "A-derailed-0.3", ", 0.3 % of the teacher's documents derailed", 0.003, 1, "", "opd,trb-0.05-25"},
    {"A", "A-derailed-1", ", 1 % of the teacher's documents derailed", 0.01, 1, "", "opd,trb-0.05-25"},
    {"A", "A-derailed-10", ", 10 % of the teacher's documents derailed", 0.1, 1, "", "opd,trb-0.05-25"},
    {"B", "B", "", -1.0, 1, "opd,trb-0.05-25," COMMON, ""},
    {"B", "B-derailed-0", ", teacher of clean documents only", 0.0, 1, "opd,trb-0.05-25", ""},
    {"C", "C", "", -1.0, 1, "opd,trb-1-50,fixed-0.2,skd-3,temperature-0.8-25,sft-15,veto-0.5-25,teacher",
     "sft,trb-0.05-50,trb-0.2-50,fixed-0.05"},
    {"C", "C-no-slip", ", a student without slips", -1.0, 0, "opd,trb-1-50,teacher", ""},
    {"text", "text", "", -1.0, 1, "opd,trb-0.05-50," COMMON, ""},
    {"ids", "ids", "", -1.0, 1, "opd,trb-0.02-50", ""},
};

static const struct variation *find_variation(const char *name, int64_t i) {
  for (size_t v = 0; v < sizeof variations / sizeof variations[0]; v++)
    if (strcmp(variations[v].setting, name) == 0 && i-- == 0) return &variations[v];
  return NULL;
}

static int64_t scale_steps(int64_t steps, double effort) {
  return steps == 0 ? 0 : (int64_t)fmax(1.0, round((double)steps * effort));
}

/* Shapes and lengths that follow from the task and from the choices. */
static void fit_setting(setting *s, const task *t, const choices *c) {
  s->teacher.vocab = s->student.vocab = (int32_t)t->vocab;
  s->teacher.context = s->student.context = (int32_t)(t->prompt + t->response);
  if (c->steps > 0) s->steps = c->steps;
  s->teacher_stage.steps = scale_steps(s->teacher_stage.steps, c->effort);
  for (int i = 0; i < MOST_STAGES; i++) s->base_stages[i].steps = scale_steps(s->base_stages[i].steps, c->effort);
}

int world_make(const char *name, int64_t i, const choices *c, world *out, char *why) {
  const struct variation *v = find_variation(name, i);
  if (v == NULL) return 0;
  *out = (world){.of = *setting_find(name), .methods = v->methods, .sweep = v->sweep, .control = i > 0};
  const char *file = NULL;
  if (strcmp(name, "text") == 0) file = c->corpus;
  if (strcmp(name, "ids") == 0) {
    file = c->prompts;
    out->teacher = c->teacher;
    out->student = c->student;
    if (file == NULL || out->teacher == NULL || out->student == NULL) {
      snprintf(why, 256, "setting ids: expected --prompts, --teacher and --student");
      return -1;
    }
  }
  out->task = task_new(out->of.task, file, why);
  if (out->task == NULL) return -1;
  fit_setting(&out->of, out->task, c);
  if (v->derailed >= 0.0) out->of.teacher_stage.derailed = v->derailed;
  if (!v->slips) out->of.slip = 0.0;
  snprintf(out->id, sizeof out->id, "%s", v->id);
  snprintf(out->title, sizeof out->title, "%s%s", out->of.title, v->title);
  return 1;
}

void world_free(world *w) {
  task_free(w->task);
}
