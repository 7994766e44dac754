/* adamw.h - Adam with decoupled weight decay (arXiv 1711.05101), gradient clipping, and the learning rates of the demo.
 */
#ifndef DISTILL_ADAMW_H
#define DISTILL_ADAMW_H

#include <stdint.h>

typedef struct adamw {
  int64_t n, steps;      /* weights; updates done */
  float *first, *second; /* [n] moments */
  double beta1, beta2, epsilon, decay;
} adamw;

adamw *adamw_new(int64_t n, double beta1, double beta2, double decay); /* epsilon 1e-8; NULL: no memory */
void adamw_free(adamw *a);

/* One update; a gradient longer than `clip` (> 0; 0: never) is shortened to it. Returns the length it had;
 * if that is not finite, nothing was changed. */
double adamw_step(adamw *a, float *weights, const float *grad, double rate, double clip);

/* Linear warmup to `peak` over `warmup` steps, then a cosine down to `floor * peak` at step `steps`. */
double rate_cosine(double peak, double floor, int64_t warmup, int64_t steps, int64_t step);

#endif
