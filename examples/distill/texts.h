/* texts.h - token lists in the shape that libtrb takes, made from a task. */
#ifndef DISTILL_TEXTS_H
#define DISTILL_TEXTS_H

#include <trb.h>

#include "tasks/task.h"

/* What random numbers are for; the seed of a run and one of these give a stream. */
enum {
  FOR_WEIGHTS,
  FOR_DOCUMENTS,
  FOR_PROMPTS,
  FOR_ROLLOUTS,
  FOR_EVALUATION_PROMPTS,
  FOR_EVALUATION_ROLLOUTS,
  FOR_HELD_OUT
};

/* n lists with room for TASK_CONTEXT tokens each. */
typedef struct texts {
  int64_t n, capacity;
  int64_t *tokens, *offset;
  int64_t *prompt;  /* [n] tokens of the prompt */
  double *weight;   /* [tokens of all responses] 1, or 0 where a document is not to be imitated */
  uint64_t *stream; /* [n] one for each, for a sampler */
} texts;

texts *texts_new(int64_t capacity); /* NULL: no memory */
void texts_free(texts *t);

/* Fills in n prompts, and streams for responses to them. (seed, purpose, step) decides. */
void texts_make_prompts(texts *t, const task *of, int held_out, uint64_t seed, uint64_t step, int64_t n);

/* Fills in n documents. */
void texts_make_documents(texts *t, const task *of, int held_out, const flaws *f, uint64_t seed, uint64_t step,
                          int64_t n);

trb_texts texts_view(const texts *t);

#endif
