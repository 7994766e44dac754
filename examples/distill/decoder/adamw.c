/* adamw.c - one step of Adam with decoupled weight decay (arXiv 1711.05101). */
#include "adamw.h"

#include <math.h>
#include <stdlib.h>

adamw *adamw_new(int64_t n, double beta1, double beta2, double decay) {
  adamw *a = (uint64_t)n <= SIZE_MAX / sizeof(float) ? malloc(sizeof *a) : NULL;
  if (!a) return NULL;
  *a = (adamw){.n = n,
               .first = calloc((size_t)n, sizeof(float)),
               .second = calloc((size_t)n, sizeof(float)),
               .beta1 = beta1,
               .beta2 = beta2,
               .epsilon = 1e-8,
               .decay = decay};
  if (!a->first || !a->second) {
    adamw_free(a);
    return NULL;
  }
  return a;
}

void adamw_free(adamw *a) {
  if (!a) return;
  free(a->first);
  free(a->second);
  free(a);
}

/* The factors of one step. */
typedef struct factors {
  float shorten;              /* of the gradient */
  float keep1, add1;          /* beta1, 1 - beta1 */
  float keep2, add2;          /* beta2, 1 - beta2 */
  float rate;                 /* with the correction of the first moment's bias */
  float correct2;             /* 1 / sqrt(1 - beta2^t) */
  float epsilon, keep_weight; /* 1 - rate * decay */
} factors;

static void update(int64_t n, factors f, const float *restrict grad, float *restrict first, float *restrict second,
                   float *restrict weights) {
  for (int64_t i = 0; i < n; i++) {
    const float g = f.shorten * grad[i];
    first[i] = f.keep1 * first[i] + f.add1 * g;
    second[i] = f.keep2 * second[i] + f.add2 * (g * g);
    weights[i] = f.keep_weight * weights[i] - f.rate * first[i] / (f.correct2 * sqrtf(second[i]) + f.epsilon);
  }
}

double adamw_step(adamw *a, float *weights, const float *grad, double rate, double clip) {
  double squares = 0.0;
  for (int64_t i = 0; i < a->n; i++) squares += (double)grad[i] * grad[i];
  const double length = sqrt(squares);
  if (!isfinite(length)) return length;
  a->steps++;
  const double t = (double)a->steps;
  const factors f = {.shorten = (float)(clip > 0.0 && length > clip ? clip / length : 1.0),
                     .keep1 = (float)a->beta1,
                     .add1 = (float)(1.0 - a->beta1),
                     .keep2 = (float)a->beta2,
                     .add2 = (float)(1.0 - a->beta2),
                     .rate = (float)(rate / (1.0 - pow(a->beta1, t))),
                     .correct2 = (float)(1.0 / sqrt(1.0 - pow(a->beta2, t))),
                     .epsilon = (float)a->epsilon,
                     .keep_weight = (float)(1.0 - rate * a->decay)};
  update(a->n, f, grad, a->first, a->second, weights);
  return length;
}

double rate_cosine(double peak, double floor, int64_t warmup, int64_t steps, int64_t step) {
  if (step < warmup) return peak * (double)step / (double)warmup;
  if (step >= steps) return peak * floor;
  const double done = (double)(step - warmup) / (double)(steps - warmup);
  return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + cos(3.141592653589793 * done)));
}
