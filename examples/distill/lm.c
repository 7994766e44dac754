/* lm.c - callbacks of a decoder. */
#include "lm.h"

#include <math.h>
#include <stdlib.h>

lm *lm_new(decoder *d) {
  lm *m = d != NULL ? calloc(1, sizeof *m) : NULL;
  if (m == NULL) {
    decoder_free(d);
    return NULL;
  }
  m->decoder = d;
  m->grad = calloc((size_t)d->n, sizeof *m->grad);
  m->tape = decoder_tape_new(d);
  if (m->grad != NULL && m->tape != NULL) return m;
  lm_free(m);
  return NULL;
}

void lm_free(lm *m) {
  if (m == NULL) return;
  decoder_cache_free(m->cache);
  decoder_tape_free(m->tape);
  decoder_free(m->decoder);
  free(m->grad);
  free(m->softmax);
  free(m);
}

void lm_let_slip(lm *m, double slip, const task *of) {
  m->slip = slip;
  m->slip_first = of->slip_first;
  m->slips = of->slips;
}

int lm_reserve(lm *m, int64_t sequences) {
  if (sequences <= m->sequences) return 1;
  decoder_cache_free(m->cache);
  m->cache = decoder_cache_new(m->decoder, sequences);
  m->sequences = m->cache != NULL ? sequences : 0;
  return m->cache != NULL;
}

/* ---- Slips ---- */

static int is_slip(const lm *m, int64_t token) {
  return token >= m->slip_first && token < m->slip_first + m->slips;
}

/* One row: z becomes log m; p, if not NULL, receives softmax(z). */
static void slip_row(const lm *m, int64_t vocab, float *z, float *p) {
  float top = z[0];
  double sum = 0.0;
  for (int64_t v = 1; v < vocab; v++) top = fmaxf(top, z[v]);
  for (int64_t v = 0; v < vocab; v++) sum += exp((double)(z[v] - top));
  for (int64_t v = 0; v < vocab; v++) {
    const double own = exp((double)(z[v] - top)) / sum;
    if (p != NULL) p[v] = (float)own;
    z[v] = (float)log((1.0 - m->slip) * own + (is_slip(m, v) ? m->slip / (double)m->slips : 0.0));
  }
}

/* The gradient with respect to log m becomes that with respect to z: with w_j = (1 - s) p_j / m_j,
 * dL/dz_i = g_i w_i - p_i sum_j g_j w_j. */
static void unslip_row(const lm *m, int64_t vocab, const float *p, float *grad) {
  double sum = 0.0;
  for (int64_t v = 0; v < vocab; v++) {
    const double own = (1.0 - m->slip) * (double)p[v];
    const double all = own + (is_slip(m, v) ? m->slip / (double)m->slips : 0.0);
    grad[v] = all > 0.0 ? (float)((double)grad[v] * own / all) : 0.0f;
    sum += (double)grad[v];
  }
  for (int64_t v = 0; v < vocab; v++) grad[v] -= (float)((double)p[v] * sum);
}

static void slip_rows(const lm *m, const trb_logits *out, float *softmax) {
  if (m->slip == 0.0) return;
  for (int64_t r = 0; r < out->rows; r++)
    slip_row(m, out->vocab, (float *)out->data + r * out->vocab, softmax != NULL ? softmax + r * out->vocab : NULL);
}

static int reserve_softmax(lm *m, int64_t size) {
  if (m->slip == 0.0 || size <= m->softmax_size) return 1;
  float *grown = realloc(m->softmax, (size_t)size * sizeof *grown);
  if (grown == NULL) return 0;
  m->softmax = grown;
  m->softmax_size = size;
  return 1;
}

/* ---- Callbacks ---- */

static int32_t sample_forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  lm *m = user;
  if (!decoder_extend(m->decoder, m->cache, queries, n, out->data)) return 0;
  slip_rows(m, out, NULL);
  return TRB_CONTINUE;
}

static int32_t train_forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  lm *m = user;
  if (!reserve_softmax(m, out->rows * out->vocab)) return 0;
  if (!decoder_forward(m->decoder, m->tape, queries, n, out->data)) return 0;
  slip_rows(m, out, m->softmax);
  return TRB_CONTINUE;
}

/* The gradient is libtrb's buffer; what it becomes there nobody reads. */
static int32_t train_backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  lm *m = user;
  (void)queries;
  (void)n;
  for (int64_t r = 0; m->slip > 0.0 && r < grad->rows; r++)
    unslip_row(m, grad->vocab, m->softmax + r * grad->vocab, (float *)grad->data + r * grad->vocab);
  decoder_backward(m->decoder, m->tape, grad->data, m->grad);
  return TRB_CONTINUE;
}

static trb_model as_model(lm *m, trb_forward_fn forward) {
  return (trb_model){.size = sizeof(trb_model),
                     .vocab = m->decoder->shape.vocab,
                     .forward = forward,
                     .backward = train_backward,
                     .user = m};
}

trb_model lm_sampling(lm *m) {
  return as_model(m, sample_forward);
}

trb_model lm_training(lm *m) {
  return as_model(m, train_forward);
}
