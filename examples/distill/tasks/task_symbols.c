/* task_symbols.c - prompts, documents and success of "sum" and "chain", from the rules of each. */
#include "task_symbols.h"

#include <stdlib.h>

#include "task_parts.h"

static int64_t make_prompt(const task *t, int held_out, random_stream *r, int64_t *tokens) {
  const symbol_rules *rules = t->data;
  do {
    rules->draw(r, tokens);
  } while (task_holds_out(tokens, SYMBOLS_PROMPT) != held_out);
  return SYMBOLS_PROMPT;
}

static int is_full(const document *d) {
  return d->length == SYMBOLS_PROMPT + SYMBOLS_RESPONSE;
}

static void add_chatter(random_stream *r, document *d) {
  while (!is_full(d)) {
    document_add(d, SYMBOL_CHATTER + random_below(r, 3), 1);
    int64_t wanted = 1 + random_below(r, 3);
    /* Each digit is taken with probability wanted/left: every choice of digits is equally likely. */
    for (int64_t digit = 0; wanted > 0 && !is_full(d); digit++) {
      if (random_below(r, 10 - digit) >= wanted) continue;
      document_add(d, digit, 1);
      wanted--;
    }
  }
}

static void make_document(const task *t, int held_out, const flaws *f, random_stream *r, document *out) {
  const symbol_rules *rules = t->data;
  int64_t response[SYMBOLS_RESPONSE];
  document_begin(out, make_prompt(t, held_out, r, out->tokens));
  rules->respond(out->tokens, response);
  const int derails = task_derails(f, r);
  for (int i = 0; i < SYMBOLS_RESPONSE; i++) {
    if (derails && random_uniform(r) < f->hazard) {
      add_chatter(r, out);
      return;
    }
    document_add(out, response[i], 1);
  }
}

static int64_t find_answer(const int64_t *response, int64_t n) {
  int64_t i = 0;
  while (i < n && response[i] != SYMBOL_ANSWER) i++;
  return i;
}

static double judge(const task *t, const int64_t *tokens, int64_t length, int64_t prompt) {
  const symbol_rules *rules = t->data;
  int64_t right[SYMBOLS_RESPONSE];
  rules->respond(tokens, right);
  const int64_t *response = tokens + prompt;
  const int64_t n = length - prompt, answer = find_answer(response, n);
  const int64_t right_answer = find_answer(right, SYMBOLS_RESPONSE), size = SYMBOLS_RESPONSE - right_answer;
  if (n - answer != size) return 0.0;
  for (int64_t i = 0; i < size; i++) {
    if (response[answer + i] != right[right_answer + i]) return 0.0;
  }
  return 1.0;
}

static void print(const task *t, const int64_t *tokens, int64_t n, FILE *out) {
  (void)t;
  for (int64_t i = 0; i < n; i++) putc(SYMBOLS[tokens[i]], out);
}

task *symbols_new(const char *name, const char *summary, symbol_rules rules, char *why) {
  symbol_rules *data = malloc(sizeof *data);
  if (!data) {
    snprintf(why, TASK_WHY, "task %s: out of memory", name);
    return NULL;
  }
  *data = rules;
  return task_make((task){.name = name,
                          .summary = summary,
                          .vocab = SYMBOL_COUNT,
                          .prompt = SYMBOLS_PROMPT,
                          .response = SYMBOLS_RESPONSE,
                          .stop = SYMBOL_END,
                          .judged = 1,
                          .data = data,
                          .make_prompt = make_prompt,
                          .make_document = make_document,
                          .judge = judge,
                          .print = print,
                          .free = task_free_data},
                   why);
}
