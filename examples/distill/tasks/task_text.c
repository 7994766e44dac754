/* task_text.c - definitions of words: the prompt is "word: ", the response its definition and a newline, all as bytes.
 *
 * Of every twenty entries of the corpus the eighth is held out. Success is not defined, and documents have no flaws:
 * they are what the corpus says. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "task_parts.h"

#define WORDNET "/usr/share/wordnet"

static const task_split SPLIT = {.group = 20, .at = 7};

typedef struct words {
  corpus corpus;
  char summary[TASK_WHY];
} words;

static const corpus_entry *draw_entry(const task *t, int held_out, random_stream *r) {
  const words *w = t->data;
  return &w->corpus.entries[task_draw_item(t, SPLIT, held_out, r)];
}

static int64_t make_prompt(const task *t, int held_out, random_stream *r, int64_t *tokens) {
  const corpus_entry *e = draw_entry(t, held_out, r);
  for (int64_t i = 0; i < e->prompt; i++) tokens[i] = e->bytes[i];
  return e->prompt;
}

static void make_document(const task *t, int held_out, const flaws *f, random_stream *r, document *out) {
  (void)f;
  const corpus_entry *e = draw_entry(t, held_out, r);
  for (int64_t i = 0; i < e->prompt; i++) out->tokens[i] = e->bytes[i];
  document_begin(out, e->prompt);
  for (int64_t i = e->prompt; i < e->length; i++) document_add(out, e->bytes[i], 1);
}

/* Bytes that are not printable in ASCII as \xNN. */
static void print(const task *t, const int64_t *tokens, int64_t n, FILE *out) {
  (void)t;
  for (int64_t i = 0; i < n; i++) {
    if (tokens[i] >= ' ' && tokens[i] <= '~') {
      putc((int)tokens[i], out);
    } else {
      fprintf(out, "\\x%02x", (unsigned)tokens[i]);
    }
  }
}

static void free_words(task *t) {
  words *w = t->data;
  corpus_free(&w->corpus);
  free(w);
}

static words *read_words(const char *file, char *why) {
  const char *path = file ? file : WORDNET;
  words *w = malloc(sizeof *w);
  if (!w) {
    snprintf(why, TASK_WHY, "task text: out of memory");
    return NULL;
  }
  int done = corpus_read(&w->corpus, path, why);
  if (!done && !file) {
    const size_t used = strlen(why);
    snprintf(why + used, TASK_WHY - used, " (see Debian's package wordnet-base)");
  }
  if (done && w->corpus.n <= SPLIT.at) {
    snprintf(why, TASK_WHY, "%s: expected %d entries with a word up to %d and a definition up to %d bytes, got %d",
             path, (int)SPLIT.at + 1, CORPUS_PROMPT - 2, CORPUS_RESPONSE - 1, (int)w->corpus.n);
    done = 0;
  }
  if (!done) {
    corpus_free(&w->corpus);
    free(w);
    return NULL;
  }
  snprintf(w->summary, sizeof w->summary,
           "definitions of %" PRId64 " words (%" PRId64 " too long and %" PRId64 " repeated ones left out) from %s",
           w->corpus.n, w->corpus.too_long, w->corpus.repeated, path);
  return w;
}

task *task_text_new(const char *file, char *why) {
  words *w = read_words(file, why);
  if (!w) return NULL;
  task like = {.name = "text",
               .summary = w->summary,
               .vocab = 256,
               .prompt = CORPUS_PROMPT,
               .response = CORPUS_RESPONSE,
               .stop = '\n',
               .data = w,
               .make_prompt = make_prompt,
               .make_document = make_document,
               .judge = task_unjudged,
               .print = print,
               .free = free_words};
  task_count_split(&like, SPLIT, w->corpus.n);
  return task_make(like, why);
}
