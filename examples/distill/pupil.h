/* pupil.h - a model in training: its decoder and optimizer, kept in a file so that training goes on where it stopped.
 */
#ifndef DISTILL_PUPIL_H
#define DISTILL_PUPIL_H

#include "decoder/adamw.h"
#include "lm.h"

typedef struct pupil {
  lm *model;
  adamw *optimizer;
  int64_t step; /* updates done */
} pupil;

/* Told after every update. */
typedef void (*tell_fn)(int64_t done, int64_t total, void *user);

/* Takes the decoder over. 0 if there is no memory. */
int pupil_start(pupil *p, decoder *d);

/* Goes on from a file of this identity. 0, with nothing made, if there is no such file. */
int pupil_resume(pupil *p, const char *path, uint64_t identity);

int pupil_save(const pupil *p, const char *path, uint64_t identity, char *why);

/* One update with the gradient that the model's backward added up, which is 0 afterwards. Returns its length; if that
 * is not finite, nothing was changed. */
double pupil_update(pupil *p, double rate);

void pupil_end(pupil *p);

#endif
