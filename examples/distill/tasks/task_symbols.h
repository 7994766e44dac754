/* task_symbols.h - the tasks of 20 symbols, "sum" and "chain".
 *
 * A prompt of 10 symbols has one right response of 27: the steps, then `>`, the answer and `$`. A response succeeds if
 * its first `>` is followed by the right answer and `$`, and nothing after. A document that derails goes on, from the
 * token at which it does, with chatter up to its full length: again and again one of # ~ ? and 1 to 3 ascending digits,
 * never `$`. */
#ifndef DISTILL_TASK_SYMBOLS_H
#define DISTILL_TASK_SYMBOLS_H

#include "task.h"

/* In the order of their ids: a digit's id is its value. */
#define SYMBOLS "0123456789+-*=;>$#~?"

enum {
  SYMBOL_PLUS = 10,
  SYMBOL_MINUS,
  SYMBOL_TIMES,
  SYMBOL_EQUALS,
  SYMBOL_STEP,
  SYMBOL_ANSWER,
  SYMBOL_END,
  SYMBOL_CHATTER, /* the first of three */
  SYMBOL_COUNT = 20,
  SYMBOLS_PROMPT = 10,
  SYMBOLS_RESPONSE = 27
};

typedef struct symbol_rules {
  void (*draw)(random_stream *r, int64_t *prompt);           /* a random prompt */
  void (*respond)(const int64_t *prompt, int64_t *response); /* the right response */
} symbol_rules;

task *symbols_new(const char *name, const char *summary, symbol_rules rules, char *why);

#endif
