/* head.c - loss and gradients from hidden states: the logits of both models never exist as a whole.
 *
 * Two hundred positions, vocabularies of 20,000 tokens, weights in bfloat16: all logits of both models would be 32 MB,
 * and four are allowed. The matrix product is OpenBLAS's, whose threads are left as they are. */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trb.h>

enum { ROWS = 200, VOCAB = 20000, STUDENT = 64, TEACHER = 96 };

static void must(const trb_context *ctx, trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "%s: %s\n", trb_strerror(status), trb_context_error(ctx));
  exit(1);
}

/* What the context takes, and the most of it. */
static size_t taken, most;

static void *take(size_t bytes, void *user) {
  size_t *memory = malloc(bytes + 64);
  (void)user;
  if (memory == NULL) return NULL;
  *memory = bytes;
  taken += bytes;
  if (taken > most) most = taken;
  return (char *)memory + 64;
}

static void give(void *memory, void *user) {
  size_t *start = (size_t *)(void *)((char *)memory - 64);
  (void)user;
  taken -= *start;
  free(start);
}

static float *numbers(int64_t n, double size) {
  float *x = malloc((size_t)n * sizeof *x);
  for (int64_t i = 0; x != NULL && i < n; i++) x[i] = (float)(size * sin(0.37 * (double)i + 1e-3 * (double)(i % 1013)));
  return x;
}

static uint16_t *halves(int64_t n, double size) {
  float *x = numbers(n, size);
  uint16_t *h = malloc((size_t)n * sizeof *h);
  for (int64_t i = 0; x != NULL && h != NULL && i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    h[i] = (uint16_t)(bits >> 16);
  }
  free(x);
  return h;
}

int main(void) {
  const int threads = openblas_get_num_threads();
  float *hidden_s = numbers(ROWS * STUDENT, 1.0), *hidden_t = numbers(ROWS * TEACHER, 1.0);
  uint16_t *weight_s = halves(VOCAB * STUDENT, 0.3), *weight_t = halves(VOCAB * TEACHER, 0.3);
  float *grad_hidden = numbers(ROWS * STUDENT, 0.0), *grad_weight = numbers(VOCAB * STUDENT, 0.0);
  if (!hidden_s || !hidden_t || !weight_s || !weight_t || !grad_hidden || !grad_weight) return 1;
  const trb_context_options own = {.size = sizeof own, .alloc = take, .free = give};
  trb_context *ctx;
  must(NULL, trb_context_new(&own, &ctx));
  const trb_head student = {.size = sizeof student,
                            .hidden = hidden_s,
                            .hidden_stride = STUDENT,
                            .weight = weight_s,
                            .weight_stride = STUDENT,
                            .vocab = VOCAB,
                            .width = STUDENT,
                            .dtype = TRB_BF16};
  const trb_head teacher = {.size = sizeof teacher,
                            .hidden = hidden_t,
                            .hidden_stride = TEACHER,
                            .weight = weight_t,
                            .weight_stride = TEACHER,
                            .vocab = VOCAB,
                            .width = TEACHER,
                            .dtype = TRB_BF16,
                            .soft_cap = 30.0f};
  const trb_head_options how = {.size = sizeof how, .sgemm = (trb_sgemm_fn)cblas_sgemm, .logits_bytes = 4 << 20};
  const trb_head_grad grad = {.size = sizeof grad,
                              .hidden = grad_hidden,
                              .hidden_stride = STUDENT,
                              .weight = grad_weight,
                              .weight_stride = STUDENT};
  static double weight[ROWS], loss[ROWS];
  for (int r = 0; r < ROWS; r++) weight[r] = 1.0 / ROWS; /* a mean over tokens */
  must(ctx, trb_head_reverse_kl(ctx, ROWS, &student, &teacher, weight, NULL, &how, loss, &grad, NULL));
  double mean = 0.0, squares = 0.0;
  for (int r = 0; r < ROWS; r++) mean += weight[r] * loss[r];
  for (int i = 0; i < VOCAB * STUDENT; i++) squares += (double)grad_weight[i] * (double)grad_weight[i];
  printf("mean KL(p||q) %.4f, norm of the head's gradient %.5f, at most %.1f MiB taken\n", mean, sqrt(squares),
         (double)most / 1048576.0);

  static trb_blend blend[ROWS];
  static trb_draw draw[ROWS];
  const double budget = 0.05;
  must(ctx, trb_head_solve(ctx, ROWS, &student, &teacher, &budget, 1, NULL, NULL, &how, blend, draw));
  printf("row 0: beta %.3f, KL(mu||p) %.4f; row %d: beta %.3f, KL(mu||p) %.4f\n", blend[0].beta, blend[0].kl_student,
         ROWS - 1, blend[ROWS - 1].beta, blend[ROWS - 1].kl_student);
  trb_context_free(ctx);
  free(hidden_s);
  free(hidden_t);
  free(weight_s);
  free(weight_t);
  free(grad_hidden);
  free(grad_weight);
  if (openblas_get_num_threads() == threads) return 0;
  fprintf(stderr, "OpenBLAS has other threads than before\n");
  return 1;
}
