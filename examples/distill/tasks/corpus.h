/* corpus.h - words and their definitions, from a file or from WordNet.
 *
 * A file has one entry a line, `word<TAB>definition`, in any encoding: bytes are bytes. Lines end with LF or CRLF;
 * blank ones are skipped. A directory is one of WordNet (data.noun, data.verb, data.adj, data.adv in the format of
 * wndb(5)); there the first word of each synset, with its gloss up to the first example, is an entry.
 *
 * An entry is a text "word: definition" and a newline. Those that are longer than they may be are left out, then those
 * whose word came before. */
#ifndef DISTILL_CORPUS_H
#define DISTILL_CORPUS_H

#include <stdint.h>

enum {
  CORPUS_PROMPT = 24,  /* bytes of "word: " at most */
  CORPUS_RESPONSE = 72 /* bytes of the definition with its newline at most */
};

typedef struct corpus_entry {
  int64_t prompt, length; /* bytes of "word: ", and of all */
  unsigned char bytes[CORPUS_PROMPT + CORPUS_RESPONSE];
} corpus_entry;

typedef struct corpus {
  corpus_entry *entries; /* [n], in the order of reading */
  int64_t n, too_long, repeated;
} corpus;

/* 1; or 0 with a text in `why` (capacity 256), and nothing is made. */
int corpus_read(corpus *c, const char *path, char *why);
void corpus_free(corpus *c);

#endif
