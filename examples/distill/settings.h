/* settings.h - what is distilled into what: tasks, shapes of models, and how they come to be. */
#ifndef DISTILL_SETTINGS_H
#define DISTILL_SETTINGS_H

#include "decoder/decoder.h"
#include "tasks/task.h"

enum { MOST_SLIPS = 4, MOST_STAGES = 2 };

/* Supervised training on documents; the learning rate is rate_cosine. */
typedef struct stage {
  int64_t steps, documents; /* updates; documents per update */
  double rate, floor;
  int64_t warmup;
  double derailed, hazard; /* flaws of the documents */
  double slips[MOST_SLIPS];
  int64_t n_slips;
} stage;

typedef struct setting {
  const char *name, *task, *title;
  decoder_shape teacher, student; /* vocab and context follow from the task */
  stage teacher_stage;
  stage base_stages[MOST_STAGES]; /* one after the other; steps 0: none */
  double slip;                    /* of the student's distribution, see lm.h */
  int64_t steps, prompts;         /* on-policy updates; prompts per update */
  double rate;                    /* constant */
  int64_t evaluate_every, evaluate_prompts, final_prompts;
} setting;

/* "A", "B", "C", "text" or "ids"; NULL if there is no such one. The models of "ids" come from files: it has no stages.
 */
const setting *setting_find(const char *name);

#endif
