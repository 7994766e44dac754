/* texts.c - prompts and documents of a step. */
#include "texts.h"

#include <stdlib.h>
#include <string.h>

texts *texts_new(int64_t capacity) {
  texts *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  const size_t n = (size_t)capacity;
  t->capacity = capacity;
  t->tokens = malloc(n * TASK_CONTEXT * sizeof *t->tokens);
  t->offset = malloc((n + 1) * sizeof *t->offset);
  t->prompt = malloc(n * sizeof *t->prompt);
  t->weight = malloc(n * TASK_CONTEXT * sizeof *t->weight);
  t->stream = malloc(n * sizeof *t->stream);
  if (t->tokens != NULL && t->offset != NULL && t->prompt != NULL && t->weight != NULL && t->stream != NULL) return t;
  texts_free(t);
  return NULL;
}

void texts_free(texts *t) {
  if (t == NULL) return;
  free(t->tokens);
  free(t->offset);
  free(t->prompt);
  free(t->weight);
  free(t->stream);
  free(t);
}

/* A stream for number i of a step: the numbers of one never meet those of another. */
static random_stream stream_of(uint64_t seed, uint64_t purpose, uint64_t step, int64_t i) {
  return (random_stream){seed, random_mix(random_mix(purpose, step), (uint64_t)i), 0};
}

void texts_make_prompts(texts *t, const task *of, int held_out, uint64_t seed, uint64_t step, int64_t n) {
  const uint64_t purpose = held_out ? FOR_EVALUATION_PROMPTS : FOR_PROMPTS;
  t->n = n;
  t->offset[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    random_stream r = stream_of(seed, purpose, step, i);
    t->prompt[i] = of->make_prompt(of, held_out, &r, t->tokens + t->offset[i]);
    t->offset[i + 1] = t->offset[i] + t->prompt[i];
    t->stream[i] = stream_of(seed, held_out ? FOR_EVALUATION_ROLLOUTS : FOR_ROLLOUTS, step, i).stream;
  }
}

void texts_make_documents(texts *t, const task *of, int held_out, const flaws *f, uint64_t seed, uint64_t step,
                          int64_t n) {
  double *weight = t->weight;
  t->n = n;
  t->offset[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    random_stream r = stream_of(seed, held_out ? FOR_HELD_OUT : FOR_DOCUMENTS, step, i);
    document d;
    of->make_document(of, held_out, f, &r, &d);
    memcpy(t->tokens + t->offset[i], d.tokens, (size_t)d.length * sizeof *d.tokens);
    t->prompt[i] = d.prompt;
    t->offset[i + 1] = t->offset[i] + d.length;
    for (int64_t k = d.prompt; k < d.length; k++) *weight++ = d.learn[k];
  }
}

trb_texts texts_view(const texts *t) {
  return (trb_texts){t->tokens, t->offset, t->n};
}
