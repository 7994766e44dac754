/* task.h - what is learnt: prompts, documents to learn from, and who succeeded.
 *
 * sum, chain   arithmetic with its steps written out (task_symbols.h), from random prompts
 * lift         doors on floors, with typos that are ignored and errors that can be mended (task_lift.h)
 * text         words and their definitions, byte by byte (corpus.h)
 * ids          prompts as token ids, for models that have a tokenizer of their own (task_ids.c) */
#ifndef DISTILL_TASK_H
#define DISTILL_TASK_H

#include <stdint.h>
#include <stdio.h>

#include "random.h"

enum { TASK_CONTEXT = 256 }; /* no task's sequences are longer */

/* A prompt with its response. `learn` is 0 for tokens that a student of the document must not imitate. */
typedef struct document {
  int64_t length, prompt;
  int64_t tokens[TASK_CONTEXT];
  uint8_t learn[TASK_CONTEXT]; /* of the prompt always 0 */
} document;

/* What is wrong with documents: a share of them derails into chatter, with probability `hazard` at each token of the
 * response; and each has a slip rate drawn from a list. The task "text" has neither. */
typedef struct flaws {
  double derailed, hazard;
  const double *slips; /* [n_slips]; only the task "lift" has slips */
  int64_t n_slips;     /* 0: none */
} flaws;

typedef struct task task;
struct task {
  const char *name, *summary;
  int64_t vocab, prompt, response, stop; /* longest prompt and response; the token that ends a response */
  int64_t slip_first, slips;             /* token ids that a slip may be: [slip_first, slip_first + slips); 0: none */
  int judged;                            /* 1: success is defined; 0: judge always says 0 */
  int64_t n_train, n_held_out;           /* of tasks on data: prompts; else 0, and any number can be made */
  void *data;                            /* the task's own */

  /* A prompt; returns its length. `held_out` 1 takes one that documents for training never have. */
  int64_t (*make_prompt)(const task *t, int held_out, random_stream *r, int64_t *tokens);
  /* A document. NULL: the task has none ("ids"). */
  void (*make_document)(const task *t, int held_out, const flaws *f, random_stream *r, document *out);
  /* 1 if the sequence, a prompt as make_prompt makes them with a response of any tokens, is a success. */
  double (*judge)(const task *t, const int64_t *tokens, int64_t length, int64_t prompt);
  /* Prints tokens below `vocab` as people read them. */
  void (*print)(const task *t, const int64_t *tokens, int64_t n, FILE *out);
  /* Frees `data`; task_free calls it. */
  void (*free)(task *t);
};

/* The task of that name: "sum" (A), "chain" (B), "lift" (C), "text", "ids". `file` is the corpus of "text" (NULL: the
 * glosses of WordNet as Debian's wordnet-base installs them) and the prompts of "ids"; else NULL. NULL with a text in
 * `why` (capacity 256) on failure. A task does not change after this: threads may share it. */
task *task_new(const char *name, const char *file, char *why);
void task_free(task *t);

task *task_sum_new(char *why);
task *task_chain_new(char *why);
task *task_lift_new(char *why);
task *task_text_new(const char *file, char *why);
task *task_ids_new(const char *file, char *why);

#endif
