/* rotary.c - positions as rotations of queries and keys (arXiv 2104.09864), in pairs of neighbors as llama2.c has them.
 */
#include <math.h>

#include "decoder_parts.h"

int decoder_angles_fit(decoder_angles *angles, int64_t head_width, int64_t positions) {
  if (positions <= angles->positions) return 1;
  float *table = decoder_resize(angles->table, positions * head_width, sizeof *table);
  if (!table) return 0;
  angles->table = table;
  for (int64_t i = 0; i < head_width; i += 2) {
    const double frequency = pow(10000.0, -(double)i / (double)head_width);
    for (int64_t p = angles->positions; p < positions; p++) {
      table[p * head_width + i] = (float)cos((double)p * frequency);
      table[p * head_width + i + 1] = (float)sin((double)p * frequency);
    }
  }
  angles->positions = positions;
  return 1;
}

static void rotate_head(float *x, const float *turn, int64_t width, float sign) {
  for (int64_t i = 0; i < width; i += 2) {
    const float cosine = turn[i], sine = sign * turn[i + 1], a = x[i], b = x[i + 1];
    x[i] = a * cosine - b * sine;
    x[i + 1] = a * sine + b * cosine;
  }
}

void decoder_rotate(const decoder_layout *at, const decoder_batch *batch, const decoder_angles *angles, float sign,
                    float *qkv) {
  for (const decoder_piece *p = batch->pieces; p < batch->pieces + batch->n; p++) {
    for (int64_t i = p->first; i < p->length; i++) {
      float *row = qkv + (p->at + i - p->first) * at->qkv_width;
      const float *turn = angles->table + i * at->head_width;
      for (int64_t h = 0; h < at->heads + at->kv_heads; h++)
        rotate_head(row + h * at->head_width, turn, at->head_width, sign);
    }
  }
}
