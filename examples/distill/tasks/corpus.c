/* corpus.c - reads words and definitions. */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "task_parts.h"

static const char *add_entry(corpus *c, const char *word, size_t word_length, const char *definition,
                             size_t definition_length) {
  if (word_length + 2 > CORPUS_PROMPT || definition_length + 1 > CORPUS_RESPONSE) {
    c->too_long++;
    return NULL;
  }
  corpus_entry *entries = task_grow(c->entries, c->n, sizeof *entries);
  if (!entries) return "out of memory";
  c->entries = entries;
  corpus_entry *e = &entries[c->n++];
  memset(e, 0, sizeof *e);
  memcpy(e->bytes, word, word_length);
  memcpy(e->bytes + word_length, ": ", 2);
  e->prompt = (int64_t)word_length + 2;
  memcpy(e->bytes + e->prompt, definition, definition_length);
  e->bytes[e->prompt + (int64_t)definition_length] = '\n';
  e->length = e->prompt + (int64_t)definition_length + 1;
  return NULL;
}

/* ---- Lines ---- */

static const char *read_entry(void *to, const char *line, int64_t length) {
  const char *tab = memchr(line, '\t', (size_t)length);
  if (!tab) return "expected a word, a tab and a definition, got no tab";
  if (tab == line) return "expected a word before the tab, got none";
  const char *definition = tab + 1, *end = line + length;
  if (definition == end) return "expected a definition after the tab, got none";
  return add_entry(to, line, (size_t)(tab - line), definition, (size_t)(end - definition));
}

/* The lines of the license begin with two blanks. A synset is
 *   offset file type words word id ... | definition; "example"; ...
 * where a word has _ for blanks and may end with its place in the sentence in parentheses. */
static const char *read_synset(void *to, const char *line, int64_t length) {
  char word[72]; /* what does not fit is too long for an entry */
  (void)length;
  if (strncmp(line, "  ", 2) == 0) return NULL;
  const char *bar = strstr(line, " | ");
  if (!bar || sscanf(line, "%*[0-9] %*2[0-9] %*1[nvasr] %*2[0-9a-f] %71s", word) != 1) {
    return "expected a synset of wndb(5), got something else";
  }
  for (char *at = word; *at; at++) {
    if (*at == '_') *at = ' ';
  }
  const char *gloss = bar + 3, *example = strstr(gloss, "; \"");
  size_t gloss_length = example ? (size_t)(example - gloss) : strlen(gloss);
  while (gloss_length > 0 && gloss[gloss_length - 1] == ' ') gloss_length--;
  if (gloss_length == 0) return "expected a gloss after the bar, got none";
  return add_entry(to, word, strcspn(word, "("), gloss, gloss_length);
}

static int read_wordnet(corpus *c, const char *directory, char *why) {
  static const char *const names[] = {"noun", "verb", "adj", "adv"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[1024];
    const int length = snprintf(path, sizeof path, "%s/data.%s", directory, names[i]);
    if (length < 0 || (size_t)length >= sizeof path) {
      snprintf(why, TASK_WHY, "%s: expected a shorter path", directory);
      return 0;
    }
    if (!task_read_lines(path, read_synset, c, why)) return 0;
  }
  return 1;
}

/* ---- Repeated words ---- */

static int compare_words(const corpus_entry *x, const corpus_entry *y) {
  if (x->prompt != y->prompt) return x->prompt < y->prompt ? -1 : 1;
  return memcmp(x->bytes, y->bytes, (size_t)x->prompt);
}

/* By word; the same words in the order of reading. */
static int compare(const void *a, const void *b) {
  const corpus_entry *x = *(corpus_entry *const *)a, *y = *(corpus_entry *const *)b;
  const int order = compare_words(x, y);
  return order ? order : (x > y) - (x < y);
}

/* Keeps the first entry of each word. 0: out of memory. */
static int drop_repeated(corpus *c) {
  corpus_entry **sorted = malloc(((size_t)c->n + 1) * sizeof *sorted); /* not 0; less than the entries take */
  if (!sorted) return 0;
  for (int64_t i = 0; i < c->n; i++) sorted[i] = &c->entries[i];
  qsort(sorted, (size_t)c->n, sizeof *sorted, compare);
  const corpus_entry *first = NULL;
  for (int64_t i = 0; i < c->n; i++) {
    corpus_entry *e = sorted[i];
    if (first && compare_words(e, first) == 0) {
      e->length = 0;
    } else {
      first = e;
    }
  }
  free(sorted);
  int64_t kept = 0;
  for (int64_t i = 0; i < c->n; i++) {
    if (c->entries[i].length > 0) c->entries[kept++] = c->entries[i];
  }
  c->repeated = c->n - kept;
  c->n = kept;
  return 1;
}

int corpus_read(corpus *c, const char *path, char *why) {
  struct stat status;
  *c = (corpus){0};
  const int is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
  int done = is_directory ? read_wordnet(c, path, why) : task_read_lines(path, read_entry, c, why);
  if (done && !drop_repeated(c)) {
    snprintf(why, TASK_WHY, "%s: out of memory", path);
    done = 0;
  }
  if (!done) corpus_free(c);
  return done;
}

void corpus_free(corpus *c) {
  free(c->entries);
  *c = (corpus){0};
}
