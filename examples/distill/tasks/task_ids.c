/* task_ids.c - prompts for models that have a tokenizer of their own.
 *
 * A file has one prompt a line: token ids with blanks between them. Lines end with LF or CRLF; blank ones are skipped.
 * If the first line is `stop N`, N is the token that ends a response, else it is 2. Of every ten prompts the second is
 * held out. The vocabulary reaches up to the largest id that is named; whether the model knows that id is for the
 * caller to check. A response may take what the longest prompt leaves of TASK_CONTEXT. There are no documents and no
 * success. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "task_parts.h"

static const task_split SPLIT = {.group = 10, .at = 1};

typedef struct prompts {
  int64_t *tokens; /* [n_tokens], one prompt after another */
  int64_t *ends;   /* [n], where in `tokens` each ends */
  int64_t n_tokens, n, longest, largest, stop;
  int begun; /* the first line has been read */
} prompts;

/* ---- Reading ---- */

/* Takes an id and the blanks after it, and returns where what follows begins; NULL if there is no id. */
static const char *take_id(const char *at, int64_t *id) {
  char *next;
  if (*at < '0' || *at > '9') return NULL;
  *id = strtoll(at, &next, 10);
  return *id < INT32_MAX ? next + strspn(next, " \t") : NULL;
}

static const char *read_stop(prompts *p, const char *at, const char *end) {
  const size_t blanks = strspn(at, " \t");
  if (blanks == 0 || take_id(at + blanks, &p->stop) != end) return "expected one token id after stop";
  p->largest = p->stop;
  return NULL;
}

static const char *read_prompt(prompts *p, const char *at, const char *end) {
  const int64_t begin = p->n_tokens;
  at += strspn(at, " \t");
  while (at != end) {
    int64_t id;
    at = take_id(at, &id);
    if (!at) return "expected token ids from 0 to 2147483646 with blanks between them";
    if (p->n_tokens - begin == TASK_CONTEXT - 1) return "expected at most 255 token ids, got more";
    int64_t *tokens = task_grow(p->tokens, p->n_tokens, sizeof *tokens);
    if (!tokens) return "out of memory";
    p->tokens = tokens;
    p->tokens[p->n_tokens++] = id;
    if (id > p->largest) p->largest = id;
  }
  int64_t *ends = task_grow(p->ends, p->n, sizeof *ends);
  if (!ends) return "out of memory";
  p->ends = ends;
  p->ends[p->n++] = p->n_tokens;
  if (p->n_tokens - begin > p->longest) p->longest = p->n_tokens - begin;
  return NULL;
}

static const char *read_line(void *to, const char *line, int64_t length) {
  prompts *p = to;
  const int is_first = !p->begun;
  p->begun = 1;
  if (is_first && strncmp(line, "stop", 4) == 0) return read_stop(p, line + 4, line + length);
  return read_prompt(p, line, line + length);
}

/* ---- The task ---- */

static int64_t make_prompt(const task *t, int held_out, random_stream *r, int64_t *tokens) {
  const prompts *p = t->data;
  const int64_t i = task_draw_item(t, SPLIT, held_out, r);
  const int64_t begin = i > 0 ? p->ends[i - 1] : 0, length = p->ends[i] - begin;
  memcpy(tokens, p->tokens + begin, (size_t)length * sizeof *tokens);
  return length;
}

static void print(const task *t, const int64_t *tokens, int64_t n, FILE *out) {
  (void)t;
  for (int64_t i = 0; i < n; i++) fprintf(out, "%s%" PRId64, i > 0 ? " " : "", tokens[i]);
}

static void free_prompts(task *t) {
  prompts *p = t->data;
  free(p->tokens);
  free(p->ends);
  free(p);
}

task *task_ids_new(const char *file, char *why) {
  if (!file) {
    snprintf(why, TASK_WHY, "task ids: expected a file of prompts, got none");
    return NULL;
  }
  prompts *p = malloc(sizeof *p);
  if (!p) {
    snprintf(why, TASK_WHY, "task ids: out of memory");
    return NULL;
  }
  *p = (prompts){.stop = 2, .largest = 2};
  task like = {.name = "ids",
               .summary = "prompts as token ids",
               .data = p,
               .make_prompt = make_prompt,
               .judge = task_unjudged,
               .print = print,
               .free = free_prompts};
  int done = task_read_lines(file, read_line, p, why);
  if (done && p->n <= SPLIT.at) {
    snprintf(why, TASK_WHY, "%s: expected at least 2 prompts, got %" PRId64, file, p->n);
    done = 0;
  }
  if (!done) {
    free_prompts(&like);
    return NULL;
  }
  like.vocab = p->largest + 1;
  like.prompt = p->longest;
  like.response = TASK_CONTEXT - p->longest;
  like.stop = p->stop;
  task_count_split(&like, SPLIT, p->n);
  return task_make(like, why);
}
