/* head.h - logits made from hidden states, a chunk of rows at a time. */
#ifndef TRBI_HEAD_H
#define TRBI_HEAD_H

#include "core.h"

/* Of every CBLAS. */
enum { TRBI_ROW_MAJOR = 101, TRBI_PLAIN = 111, TRBI_TRANSPOSED = 112 };

/* Both heads of a call and the room for a chunk of their logits. Either model's rows are as far apart as the longer of
 * them, so that a gradient fits in the teacher's place. */
typedef struct trbi_heads {
  trb_context *ctx;
  trb_sgemm_fn sgemm;
  trb_head student, teacher; /* the teacher's hidden is NULL if there is none, its shape is the student's then */
  bool lone;
  int64_t rows, chunk, stride;            /* of the call, of a chunk; floats from one row of logits to the next */
  float *logits_student, *logits_teacher; /* [chunk, stride] */
  float *piece;                           /* [PIECE] of weights as floats; NULL if all are */
} trbi_heads;

/* Reads both heads and how to work, and plans the chunks. *teacher NULL is an error unless `lone`. */
trb_status trbi_read_heads(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher, bool lone,
                           const trb_head_options *how, trbi_heads *out);

/* Arrays for the caller's block of memory. */
enum { TRBI_HEAD_ARRAYS = 3 };
void trbi_head_arrays(trbi_heads *heads, trbi_array *arrays);

/* Logits of rows [first, first + n) of one model. */
trb_logits trbi_head_logits(const trbi_heads *heads, bool teacher, int64_t first, int64_t n);

/* A piece of a head's weights as floats: rows [first, *end) of the vocabulary, in place or in heads->piece. */
const float *trbi_head_piece(const trbi_heads *heads, const trb_head *head, int64_t first, int64_t *end,
                             int64_t *stride);

/* The memory that a head reads, with names such as student->weight. */
enum { TRBI_HEAD_SPANS = 3 };
void trbi_name_head(const char *const *names, const trb_head *head, int64_t rows, trbi_span *spans);

#endif
