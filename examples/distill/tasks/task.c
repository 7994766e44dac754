/* task.c - tasks by name, and what they share. */
#include "task.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_parts.h"

/* ---- Tasks by name ---- */

task *task_new(const char *name, const char *file, char *why) {
  static const struct {
    const char *name;
    task *(*make)(char *why);
    task *(*read)(const char *file, char *why);
  } tasks[] = {{"sum", task_sum_new, NULL},
               {"chain", task_chain_new, NULL},
               {"lift", task_lift_new, NULL},
               {"text", NULL, task_text_new},
               {"ids", NULL, task_ids_new}};
  for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
    if (strcmp(tasks[i].name, name) != 0) continue;
    if (tasks[i].read) return tasks[i].read(file, why);
    if (!file) return tasks[i].make(why);
    snprintf(why, TASK_WHY, "task %s: expected no file, got %s", name, file);
    return NULL;
  }
  snprintf(why, TASK_WHY, "task: expected sum, chain, lift, text or ids, got %s", name);
  return NULL;
}

void task_free(task *t) {
  if (!t) return;
  if (t->free) t->free(t);
  free(t);
}

task *task_make(task like, char *why) {
  task *t = malloc(sizeof *t);
  if (t) {
    *t = like;
    return t;
  }
  snprintf(why, TASK_WHY, "task %s: out of memory", like.name);
  if (like.free) like.free(&like);
  return NULL;
}

void task_free_data(task *t) {
  free(t->data);
}

double task_unjudged(const task *t, const int64_t *tokens, int64_t length, int64_t prompt) {
  (void)t, (void)tokens, (void)length, (void)prompt;
  return 0.0;
}

/* ---- Prompts and documents ---- */

int task_holds_out(const int64_t *prompt, int64_t n) {
  uint64_t hash = 0;
  for (int64_t i = 0; i < n; i++) hash = random_mix(hash, (uint64_t)prompt[i]);
  return hash % 20 == 0;
}

void task_count_split(task *t, task_split s, int64_t n) {
  t->n_held_out = (n + s.group - 1 - s.at) / s.group;
  t->n_train = n - t->n_held_out;
}

int64_t task_draw_item(const task *t, task_split s, int held_out, random_stream *r) {
  if (held_out) return s.group * random_below(r, t->n_held_out) + s.at;
  const int64_t others = s.group - 1, i = random_below(r, t->n_train), place = i % others;
  return s.group * (i / others) + place + (place >= s.at);
}

int task_derails(const flaws *f, random_stream *r) {
  return random_uniform(r) < f->derailed;
}

void document_begin(document *d, int64_t prompt) {
  d->length = d->prompt = prompt;
  memset(d->learn, 0, (size_t)prompt);
}

void document_add(document *d, int64_t token, int learn) {
  d->tokens[d->length] = token;
  d->learn[d->length] = (uint8_t)learn;
  d->length++;
}

/* ---- Files ---- */

/* The length without the end of the line, which is cut off. */
static int64_t cut_end(char *line, int64_t length) {
  if (length > 0 && line[length - 1] == '\n') length--;
  if (length > 0 && line[length - 1] == '\r') length--;
  line[length] = '\0';
  return length;
}

int task_read_lines(const char *path, line_reader read, void *to, char *why) {
  FILE *in = fopen(path, "r");
  if (!in) {
    snprintf(why, TASK_WHY, "%s: %s", path, strerror(errno));
    return 0;
  }
  char *line = NULL;
  size_t room = 0;
  const char *expected = NULL;
  int64_t number = 0, length;
  while (!expected && (length = getline(&line, &room, in)) >= 0) {
    number++;
    length = cut_end(line, length);
    if ((int64_t)strspn(line, " \t") < length) expected = read(to, line, length);
  }
  const int complete = !expected && feof(in);
  if (expected) {
    snprintf(why, TASK_WHY, "%s:%" PRId64 ": %s", path, number, expected);
  } else if (!complete) {
    snprintf(why, TASK_WHY, "%s: %s", path, strerror(errno));
  }
  free(line);
  fclose(in);
  return complete;
}

/* An array of n > 0 elements has room for as many as the least power of two that is not below n. */
void *task_grow(void *array, int64_t n, size_t size) {
  if (n > 0 && (n & (n - 1)) != 0) return array;
  if ((uint64_t)n > SIZE_MAX / 4 / size) return NULL;
  return realloc(array, (n > 0 ? 2 * (size_t)n : 1) * size);
}
