/* writer.h - a rollout under way, what the loop of rollout.c and both kinds of steps share. */
#ifndef TRBI_WRITER_H
#define TRBI_WRITER_H

#include "behavior.h"
#include "model.h"

/* Room for a block of proposals of every active sequence (block.c). Rows of a sequence are one behind the other. */
typedef struct trbi_proposals {
  void *memory;
  int64_t *offset;  /* [batch + 1] its first row */
  int64_t *count;   /* [batch] its rows */
  int64_t *token;   /* [rows] proposals; -1 where the student's row holds no distribution */
  int64_t *index;   /* [rows] */
  uint64_t *stream; /* [rows] */
  trb_blend *blend;
  trb_draw *draw; /* [batch] */
  trb_verdict *verdict;
  double *entropy_student, *entropy_teacher;
  unsigned char *answer; /* [batch, vocab] the student's, before they are put in their places */
} trbi_proposals;

typedef struct trbi_writer {
  trb_context *ctx;
  trbi_behavior behavior;
  trb_model student, teacher;
  const trb_texts *prompts;
  int64_t n, repeats, batch; /* sequences; see the options */
  int64_t length;            /* most proposals of a block; 0: none are made */
  trbi_rollouts *r;
  trbi_step step;
  trbi_proposals blocks;

  void *sequences, *logits;         /* memory of the arrays below */
  int64_t *prompt, *room, *sampled; /* [n] tokens of the prompt, most and present tokens of the response */
  int64_t *active;                  /* [batch] unfinished sequences, ascending */
  trb_query *queries;               /* [batch] */
  unsigned char *logits_student, *logits_teacher;
  int64_t n_active, waiting; /* the first sequence that has not begun */
} trbi_writer;

/* Tokens of a sequence so far. */
static inline int64_t trbi_written(const trbi_writer *w, int64_t sequence) {
  return w->prompt[sequence] + w->sampled[sequence];
}

/* Room for the text of a sequence, what is written so far at its beginning. */
static inline int64_t *trbi_text_of(const trbi_writer *w, int64_t sequence) {
  return w->r->text + w->r->text_offset[sequence];
}

/* The question about a sequence after so many proposals, for the last `rows` rows. Both models have seen all but the
 * last token of what stands. */
trb_query trbi_query_of(const trbi_writer *w, int64_t sequence, int64_t proposed, int64_t rows);

/* Whether a sequence ends with this token. */
bool trbi_ends_sequence(const trbi_writer *w, int64_t id);

/* Asks a model for `rows` rows by the first n queries, and merges ends. */
trb_status trbi_ask_rows(trbi_writer *w, bool teacher, void *data, int64_t n, int64_t rows, trb_logits *out);

/* Appends a token; `row` is the one of `teacher` that it comes with, if that is not NULL. Returns why the sequence ends
 * with it, or TRB_STOP_NONE. A token with a negative status ends it as a row of that model. */
int32_t trbi_append(trbi_writer *w, int64_t sequence, const trbi_token *token, bool of_student,
                    const trb_logits *teacher, int64_t row);

/* One token for every active sequence (step.c), and one to w->length of them (block.c). Finished ones leave. */
trb_status trbi_advance_by_token(trbi_writer *w);
trb_status trbi_advance_by_block(trbi_writer *w);

trb_status trbi_proposals_new(trbi_writer *w, int64_t rows);

#endif
