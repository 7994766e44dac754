/* onpolicy.h - one run: a base student distilled by one method. */
#ifndef DISTILL_ONPOLICY_H
#define DISTILL_ONPOLICY_H

#include "evaluate.h"
#include "method.h"
#include "pupil.h"
#include "settings.h"

typedef struct distillation {
  const setting *of;
  const task *task;
  const method *method;
  run_head head;           /* first line of its metrics */
  uint64_t seed, identity; /* identity of its checkpoints */
  int64_t response;        /* most tokens of a response */
  lm *teacher;             /* not changed */
  const decoder *base;     /* copied; what the student starts as */
  const char *metrics_path, *model_path;
} distillation;

/* Runs it, from where an earlier call stopped. 0 with a text in `why` (capacity 256). */
int distill(const distillation *d, tell_fn tell, void *user, char *why);

#endif
