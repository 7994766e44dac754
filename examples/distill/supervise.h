/* supervise.h - how a teacher and a base student come to be: by imitation of documents. */
#ifndef DISTILL_SUPERVISE_H
#define DISTILL_SUPERVISE_H

#include "pupil.h"
#include "settings.h"

typedef struct course {
  const task *of;
  decoder_shape shape;
  const stage *stages; /* [n_stages] one after the other */
  int n_stages;
  uint64_t seed, identity;
  const char *path; /* where the model is left; what an earlier call of this identity left there is gone on with */
} course;

int64_t course_steps(const course *c);

/* Trains. 0 with a text in `why` (capacity 256). */
int supervise(const course *c, tell_fn tell, void *user, char *why);

#endif
