/* weights.c - the behavior at a row as weights of its tokens, before and after the caller's filters. Weights are
 * relative to the largest one of what is read, whose logarithm is 0. */
#include "weights.h"

#include <math.h>

#include "blend.h"
#include "dmath.h"
#include "fmath.h"

/* log2 of what a list's token weighs, and of what p is multiplied with off the list. */
static double entry_weight(const trbi_mu *mu, const trbi_entry *entry) {
  if (mu->beta == 0.0) return entry->a;
  if (!(entry->a > -INFINITY && entry->b > -INFINITY)) return -INFINITY;
  return fma(mu->beta, entry->b, (1.0 - mu->beta) * entry->a) - mu->log2_z;
}

static double rest_factor(const trbi_mu *mu) {
  const trbi_listed *list = mu->list;
  if (mu->beta == 0.0) return 0.0;
  if (!(list->rest_student > -INFINITY && list->rest_teacher > -INFINITY)) return -INFINITY;
  return mu->beta * (list->rest_teacher - list->rest_student) - mu->log2_z;
}

/* Of a repeated id the first entry is written last. */
static void weigh_listed(const trbi_mu *mu, const trbi_block *block, float *y) {
  const trbi_listed *list = mu->list;
  const trbi_scale p = list->scale;
  trbi_entry e;
  mu->pair.kernels->blend(block->s, block->s, block->padded, p, p, 0.0, mu->top - rest_factor(mu), y);
  for (int64_t i = list->n - 1; i >= 0; i--) {
    const int64_t v = list->ids[i] - block->begin;
    if (v < 0 || v >= block->tokens || !trbi_entry_at(list, i, &e)) continue;
    y[v] = (float)(entry_weight(mu, &e) - mu->top);
  }
}

/* log2 weights of a block; returns its number of tokens, the padding beyond is -inf. */
int64_t trbi_read_weights(const trbi_mu *mu, int64_t number, int64_t *padded, float *y) {
  trbi_block block;
  trbi_read_block(&mu->pair, number, &block);
  *padded = block.padded;
  if (mu->list != NULL)
    weigh_listed(mu, &block, y);
  else
    mu->pair.kernels->blend(block.s, block.t, block.padded, mu->pair.scale_student, mu->pair.scale_teacher, mu->beta,
                            mu->top, y);
  return block.tokens;
}

/* Of a whole row. */
static const float *read_values(const void *of, int64_t block, int64_t *tokens, float *room) {
  int64_t padded;
  *tokens = trbi_read_weights(of, block, &padded, room);
  return room;
}

/* Masks what the cut leaves out, counting what it keeps. */
int64_t trbi_apply_cut(trbi_cut cut, int64_t block, int64_t tokens, float *y) {
  int64_t kept = 0;
  for (int64_t i = 0; i < tokens; i++) {
    const bool in = trbi_in_cut(cut, y[i], block * TRBI_BLOCK + i);
    kept += in;
    y[i] = in ? y[i] : -INFINITY;
  }
  return kept;
}

/* The largest weight of a block and its mass in units of that. */
static void block_mass(const trbi_mu *mu, int64_t number, double *top, double *mass) {
  trbi_block block;
  float y[TRBI_BLOCK];
  trbi_read_block(&mu->pair, number, &block);
  if (mu->list == NULL) {
    mu->pair.kernels->blend_mass(block.s, block.t, block.padded, mu->pair.scale_student, mu->pair.scale_teacher,
                                 mu->beta, top, mass);
    return;
  }
  trbi_mu plain = *mu;
  plain.top = 0.0;
  weigh_listed(&plain, &block, y);
  *top = -INFINITY;
  for (int64_t i = 0; i < block.tokens; i++) *top = (double)y[i] > *top ? (double)y[i] : *top;
  for (int64_t i = 0; i<block.padded && * top> - INFINITY; i++) y[i] -= (float)*top;
  *mass = *top > -INFINITY ? mu->pair.kernels->mass(y, block.padded) : 0.0;
}

/* Mass of each group before any filter, in units of the largest weight of all; returns the total, 0 if mu is nothing.
 * Finds mu->top on the way: first every group relative to its own largest weight, then all of them to that. */
static double group_masses(trbi_mu *mu, double *masses) {
  trbi_log_sum sums[TRBI_WEIGHT_GROUPS];
  mu->top = -INFINITY;
  for (int64_t g = 0; g < mu->groups; g++) sums[g] = trbi_log_sum_zero();
  for (int64_t i = mu->blocks.begin; i < mu->blocks.end; i++) {
    double top, mass;
    block_mass(mu, i, &top, &mass);
    trbi_log_sum_add(&sums[(i - mu->blocks.begin) / mu->group_blocks], top, mass);
    mu->top = top > mu->top ? top : mu->top;
  }
  double total = 0.0;
  for (int64_t g = 0; g < mu->groups; g++) {
    /* Below 2^-125 of the largest weight a group is nothing, so that a walk through it never finds only zeros. */
    const double down = sums[g].top - mu->top;
    masses[g] = down > -125.0 ? sums[g].mass * trbi_exp(TRBI_LN2 * down) : 0.0;
    total += masses[g];
  }
  return total;
}

/* The same of a whole row after a cut; *kept counts its tokens. */
double trbi_cut_masses(const trbi_mu *mu, trbi_cut cut, double *masses, int64_t *kept) {
  float y[TRBI_BLOCK];
  double total = 0.0;
  *kept = 0;
  for (int64_t g = 0; g < mu->groups; g++) masses[g] = 0.0;
  for (int64_t i = 0; i < mu->blocks.end; i++) {
    int64_t padded;
    const int64_t tokens = trbi_read_weights(mu, i, &padded, y);
    *kept += trbi_apply_cut(cut, i, tokens, y);
    masses[i / mu->group_blocks] += mu->pair.kernels->mass(y, padded);
  }
  for (int64_t g = 0; g < mu->groups; g++) total += masses[g];
  return total;
}

/* ---- Filters ---- */

trbi_cut trbi_find_cut(const trbi_mu *mu, const trb_sampler *sampler) {
  const trbi_values values = {read_values, mu, mu->blocks.end};
  trbi_cut cut = trbi_cut_nothing();
  if (sampler->top_k > 0) cut = trbi_select_count(&values, cut, sampler->top_k);
  if (sampler->top_p > 0.0 && sampler->top_p < 1.0) cut = trbi_select_mass(&values, cut, sampler->top_p);
  if (sampler->min_p > 0.0) {
    const float least = (float)(TRBI_LOG2E * trbi_log(sampler->min_p));
    if (least > cut.floor) cut = (trbi_cut){least, INT64_MAX};
  }
  return cut;
}

/* ---- One token ---- */

/* log2 p and log2 q of a token, listed or not. */
trbi_entry trbi_find_listed(const trbi_listed *list, int64_t token) {
  trbi_entry e;
  for (int64_t i = 0; i < list->n; i++)
    if (list->ids[i] == token && trbi_entry_at(list, i, &e)) return e;
  const double a = trbi_log2_probability(list->student, list->row, list->scale, token);
  return (trbi_entry){token, a, a + (list->rest_teacher - list->rest_student)};
}

double trbi_log_weight(const trbi_mu *mu, int64_t token) {
  const trbi_pair *pair = &mu->pair;
  if (mu->list != NULL) {
    const trbi_entry e = trbi_find_listed(mu->list, token);
    return TRBI_LN2 * (entry_weight(mu, &e) - mu->top);
  }
  const double a = trbi_log2_probability(pair->student, pair->row, pair->scale_student, token);
  const double b = trbi_log2_probability(pair->teacher, pair->row, pair->scale_teacher, token);
  return TRBI_LN2 * (fma(mu->beta, b, (1.0 - mu->beta) * a) - mu->top);
}

/* ---- Reading ---- */

/* Opens a range of blocks of the row. */
int32_t trbi_open_blocks(trbi_mu *mu, trbi_range blocks, double *masses, double *all) {
  const int32_t bad = trbi_find_tops_of(&mu->pair, blocks);
  if (bad != 0) return bad;
  const int64_t n = blocks.end - blocks.begin;
  mu->blocks = blocks;
  mu->group_blocks = (n + TRBI_WEIGHT_GROUPS - 1) / TRBI_WEIGHT_GROUPS;
  mu->groups = (n + mu->group_blocks - 1) / mu->group_blocks;
  *all = group_masses(mu, masses);
  return *all > 0.0 ? 0 : TRB_ROW_EMPTY;
}

int32_t trbi_open_weights(trbi_mu *mu, double *masses, double *all) {
  return trbi_open_blocks(mu, (trbi_range){0, trbi_blocks(&mu->pair)}, masses, all);
}

/* ---- What the filters leave ---- */

int32_t trbi_filter_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        const trb_blend *blend, const trb_sampler *sampler, int64_t row, trbi_filtered *out) {
  double masses[TRBI_WEIGHT_GROUPS], all;
  int64_t one;
  trbi_mu *mu = &out->mu;
  *mu = (trbi_mu){.beta = blend->beta};
  int32_t bad = trbi_name_blend(&mu->pair, crew, student, teacher, blend, row);
  if (bad == 0) bad = trbi_open_weights(mu, masses, &all);
  if (bad != 0) return bad;
  out->cut = trbi_find_cut(mu, sampler);
  out->share = trbi_cut_masses(mu, out->cut, masses, &out->kept) / all;
  if (sampler->greedy == 0) return 0;
  const trbi_values values = {read_values, mu, mu->blocks.end};
  out->cut = trbi_select_count(&values, out->cut, 1);
  out->share = trbi_cut_masses(mu, out->cut, masses, &one) / all;
  return 0;
}

void trbi_filter_block(const trbi_filtered *filtered, int64_t number, bool *in) {
  float y[TRBI_BLOCK];
  int64_t padded;
  const int64_t tokens = trbi_read_weights(&filtered->mu, number, &padded, y);
  for (int64_t i = 0; i < padded; i++) in[i] = i < tokens && trbi_in_cut(filtered->cut, y[i], number * TRBI_BLOCK + i);
}
