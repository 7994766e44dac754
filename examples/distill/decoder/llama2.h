/* llama2.h - the public checkpoint format of llama2.c, version 0: a Llama in one flat file.
 *
 * Seven i32, little-endian: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative: the head is a matrix
 * of its own), seq_len. Then f32 tensors: token embedding [vocab, dim]; attention norms [layers, dim]; wq, wk, wv, wo
 * of all layers, each kind in turn; FFN norms; w1 (gate), w2 (down), w3 (up) likewise; the final norm; two tables of
 * rotary angles [seq_len, head/2] that nobody reads; the head [vocab, dim] if it is its own. */
#ifndef DISTILL_LLAMA2_H
#define DISTILL_LLAMA2_H

#include <stddef.h>

#include "decoder.h"

/* Every size is checked against the length of the data before anything is made. NULL with a text in `why` (capacity
 * 256) on failure. The first reads from memory, the second a file. */
decoder *llama2_parse(const unsigned char *data, size_t bytes, char *why);
decoder *llama2_load(const char *path, char *why);

/* Writes such a file. The decoder must be rotary and gated. 1, or 0 with a text. */
int llama2_save(const char *path, const decoder *d, char *why);

#endif
