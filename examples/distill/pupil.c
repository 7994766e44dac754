/* pupil.c - what supervised and on-policy training have in common. */
#include "pupil.h"

#include <string.h>

#include "decoder/checkpoint.h"

static const double BETA1 = 0.9, BETA2 = 0.98, DECAY = 0.0, CLIP = 1.0;

int pupil_start(pupil *p, decoder *d) {
  *p = (pupil){.step = 0};
  p->model = lm_new(d);
  if (p->model == NULL) return 0;
  p->optimizer = adamw_new(d->n, BETA1, BETA2, DECAY);
  if (p->optimizer != NULL) return 1;
  pupil_end(p);
  return 0;
}

int pupil_resume(pupil *p, const char *path, uint64_t identity) {
  char why[256];
  decoder *d;
  adamw *optimizer;
  int64_t step;
  if (!checkpoint_load(path, identity, &step, &d, &optimizer, why)) return 0;
  optimizer->beta1 = BETA1;
  optimizer->beta2 = BETA2;
  optimizer->decay = DECAY;
  *p = (pupil){.model = lm_new(d), .optimizer = optimizer, .step = step};
  if (p->model != NULL) return 1;
  pupil_end(p);
  return 0;
}

int pupil_save(const pupil *p, const char *path, uint64_t identity, char *why) {
  return checkpoint_save(path, identity, p->step, p->model->decoder, p->optimizer, why);
}

double pupil_update(pupil *p, double rate) {
  lm *m = p->model;
  const double length = adamw_step(p->optimizer, m->decoder->weights, m->grad, rate, CLIP);
  memset(m->grad, 0, (size_t)m->decoder->n * sizeof *m->grad);
  p->step++;
  return length;
}

void pupil_end(pupil *p) {
  lm_free(p->model);
  adamw_free(p->optimizer);
  *p = (pupil){.step = 0};
}
