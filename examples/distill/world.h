/* world.h - a setting with its variations: what the methods are compared in. */
#ifndef DISTILL_WORLD_H
#define DISTILL_WORLD_H

#include "report/metrics.h"
#include "settings.h"

/* What the command line says. */
typedef struct choices {
  const char *out;      /* directory */
  const char *settings; /* names, separated by commas */
  const char *methods;  /* likewise; NULL: those of the world */
  int64_t seeds, first_seed;
  int64_t steps;                           /* on-policy updates; 0: the setting's */
  double effort;                           /* share of the steps that teachers and base students are trained for */
  int controls, sweep;                     /* 1: with the control worlds; with the sweeps */
  const char *corpus;                      /* of "text"; NULL: WordNet */
  const char *teacher, *student, *prompts; /* files of "ids" */
} choices;

typedef struct world {
  setting of; /* as the choices change it */
  task *task;
  char id[METRICS_TEXT], title[METRICS_TEXT];

  const char *methods; /* separated by commas */
  const char *sweep;   /* more of them, or "" */
  int control;
  const char *teacher, *student; /* files of models that are not trained here, or NULL */
} world;

/* Variation number i of a setting, 0 being the setting itself. 1; 0 if there is none; -1 with a text in `why` (capacity
 * 256). */
int world_make(const char *name, int64_t i, const choices *c, world *out, char *why);
void world_free(world *w);

#endif
