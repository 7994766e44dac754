/* support.c - supports of the top-k losses: found without storing anything of the vocabulary's size. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "dmath.h"

/* ---- Top-k ---- */

typedef struct logit_source {
  const trbi_pair *pair;
  const trb_logits *view;
} logit_source;

static const float *read_logits(const void *of, int64_t block, int64_t *tokens, float *room) {
  const logit_source *source = of;
  const int64_t begin = block * TRBI_BLOCK, left = source->pair->vocab - begin;
  *tokens = left < TRBI_BLOCK ? left : TRBI_BLOCK;
  return trbi_read_row(source->pair->kernels, source->view, source->pair->row, begin, *tokens, room);
}

trbi_cut trbi_top_k(const trbi_pair *pair, const trb_logits *view, int64_t k) {
  const logit_source source = {pair, view};
  const trbi_values values = {read_logits, &source, trbi_blocks(pair)};
  return trbi_select_count(&values, trbi_cut_nothing(), k);
}

/* ---- Masks ---- */

static void mask_cut(trbi_cut cut, const float *logits, const trbi_block *block, uint8_t *mask) {
  for (int64_t i = 0; i < block->padded; i++) mask[i] = trbi_in_cut(cut, logits[i], block->begin + i);
}

/* A list in any order: each block looks through it. */
static void mask_ids(const trbi_support *support, const trbi_block *block, uint8_t *mask) {
  memset(mask, 0, (size_t)block->padded);
  for (int64_t k = 0; k < support->n_ids; k++) {
    const int64_t at = support->ids[k] - block->begin;
    if (at >= 0 && at < block->tokens) mask[at] = 1;
  }
}

void trbi_support_block(const trbi_support *support, const trbi_block *block, uint8_t *mask) {
  switch (support->kind) {
  case TRB_SUPPORT_STUDENT_TOP_K:
    mask_cut(support->cut, block->s, block, mask);
    break;
  case TRB_SUPPORT_TEACHER_TOP_K:
    mask_cut(support->cut, block->t, block, mask);
    break;
  case TRB_SUPPORT_IDS:
    mask_ids(support, block, mask);
    break;
  default:
    memset(mask, 1, (size_t)block->padded);
  }
}

/* ---- Scales ---- */

/* A block of one model, masked where the support is not what is wanted. */
static int64_t read_within(const trbi_pair *pair, const trbi_support *support, bool inside, bool of_teacher,
                           int64_t number, float *part) {
  trbi_block block;
  uint8_t mask[TRBI_BLOCK];
  trbi_read_block(pair, number, &block);
  trbi_support_block(support, &block, mask);
  const float *from = of_teacher ? block.t : block.s;
  for (int64_t v = 0; v < block.padded; v++) part[v] = (mask[v] != 0) == inside ? from[v] : -INFINITY;
  return block.padded;
}

trbi_scale trbi_scale_within(const trbi_pair *pair, const trbi_support *support, bool inside, bool of_teacher) {
  float part[TRBI_BLOCK], log2_weights[TRBI_BLOCK];
  trbi_scale scale = {of_teacher ? pair->scale_teacher.k : pair->scale_student.k, -INFINITY, 0.0};
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    const int64_t padded = read_within(pair, support, inside, of_teacher, i, part);
    trbi_peak peak;
    pair->kernels->peak(part, padded, &peak);
    scale.max = fmax(scale.max, (double)peak.max);
  }
  if (!(scale.max > -INFINITY)) return scale;
  double mass = 0.0;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    const int64_t padded = read_within(pair, support, inside, of_teacher, i, part);
    pair->kernels->blend(part, part, padded, scale, scale, 0.0, 0.0, log2_weights);
    mass += pair->kernels->mass(log2_weights, padded);
  }
  scale.norm = TRBI_LOG2E * trbi_log(mass);
  return scale;
}
