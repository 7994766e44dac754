/* lm.h - a decoder as a model that libtrb asks: callbacks, the gradient they add to, and the slips of setting C.
 *
 * With a slip rate s the distribution is m = (1 - s) softmax(z) + s u, u uniform over the tokens [slip_first,
 * slip_first + slips), and the logits that libtrb gets are log m: a limit that no training removes. */
#ifndef DISTILL_LM_H
#define DISTILL_LM_H

#include <trb.h>

#include "decoder/decoder.h"
#include "tasks/task.h"

typedef struct lm {
  decoder *decoder;
  double slip; /* 0: none, logits are the decoder's */
  int64_t slip_first, slips;
  float *grad; /* [decoder->n] backward adds to it */

  decoder_tape *tape;
  decoder_cache *cache;
  int64_t sequences; /* that the cache has room for */
  float *softmax;    /* of the decoder alone, of the rows of the last training forward */
  int64_t softmax_size;
} lm;

/* Takes the decoder over, also on failure. NULL if there is no memory. */
lm *lm_new(decoder *d);
void lm_free(lm *m);

/* Lets the model slip at this rate, among the tokens of the task's slips. */
void lm_let_slip(lm *m, double slip, const task *of);

/* Room for so many sequences that are sampled at once. 0 if there is no memory. */
int lm_reserve(lm *m, int64_t sequences);

/* The model for sampling, with a cache; and the one that sees whole responses at once, for scores and for training. */
trb_model lm_sampling(lm *m);
trb_model lm_training(lm *m);

#endif
