/* draw.c - one token from a behavior.
 *
 * The blend says how much of mu each part of the row has, so without a filter one part is chosen and read; a filter
 * needs the whole row. What is read is read once for its largest logits and once for its mass by groups of blocks; the
 * token is then found by reading one group again. Weights are relative to the largest one of what is read, whose
 * logarithm is exactly 0. */
#include "draw.h"

#include <inttypes.h>
#include <math.h>

#include <Random123/philox.h>

#include "blend.h"
#include "dmath.h"
#include "fmath.h"

/* At most this many groups, whatever is read; one block each up to 524,288 tokens. */
enum { GROUPS = 512 };

/* Without a filter: the part in which a draw falls, its mass, and where in it. */
typedef struct slot {
  int64_t part;
  double mass, at;
} slot;

/* ---- Random numbers ---- */

double trbi_uniform(const trb_sampler *sampler, int64_t row, trbi_half half) {
  const uint64_t stream = sampler->stream != NULL ? sampler->stream[row] : (uint64_t)row;
  const uint64_t index = sampler->index != NULL ? (uint64_t)sampler->index[row] : 0;
  const philox4x32_ctr_t counter = {{(uint32_t)stream, (uint32_t)(stream >> 32), (uint32_t)index,
                                     (uint32_t)(index >> 32) | (uint32_t)sampler->purpose << 24}};
  const philox4x32_key_t key = {{(uint32_t)sampler->seed, (uint32_t)(sampler->seed >> 32)}};
  const philox4x32_ctr_t random = philox4x32_R(10, counter, key);
  return (double)(((uint64_t)random.v[2 * half] << 32 | random.v[2 * half + 1]) >> 11) * 0x1p-53;
}

/* ---- Weights ---- */

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
static int64_t read_weights(const trbi_mu *mu, int64_t number, int64_t *padded, float *y) {
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
  *tokens = read_weights(of, block, &padded, room);
  return room;
}

/* Masks what the cut leaves out, counting what it keeps. */
static int64_t apply_cut(trbi_cut cut, int64_t block, int64_t tokens, float *y) {
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
  trbi_log_sum sums[GROUPS];
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
static double cut_masses(const trbi_mu *mu, trbi_cut cut, double *masses, int64_t *kept) {
  float y[TRBI_BLOCK];
  double total = 0.0;
  *kept = 0;
  for (int64_t g = 0; g < mu->groups; g++) masses[g] = 0.0;
  for (int64_t i = 0; i < mu->blocks.end; i++) {
    int64_t padded;
    const int64_t tokens = read_weights(mu, i, &padded, y);
    *kept += apply_cut(cut, i, tokens, y);
    masses[i / mu->group_blocks] += mu->pair.kernels->mass(y, padded);
  }
  for (int64_t g = 0; g < mu->groups; g++) total += masses[g];
  return total;
}

/* ---- Filters ---- */

static trbi_cut filter(const trbi_mu *mu, const trb_sampler *sampler) {
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

/* ---- The draw ---- */

/* The token at which the cumulative mass of a few passes the target; their last one of positive weight if it does not.
 */
static int64_t walk_tokens(const float *y, int64_t n, double target) {
  int64_t token = 0;
  double sum = 0.0;
  for (int64_t v = 0; v < n && !(sum > target); v++) {
    const double weight = (double)trbi_exp2((double)y[v]);
    if (weight > 0.0) token = v;
    sum += weight;
  }
  return token;
}

enum { RUN = 4 * TRBI_LANES };

/* The weights of a block after the cut. */
static int64_t read_kept(const trbi_mu *mu, trbi_cut cut, int64_t number, float *y) {
  int64_t padded;
  const int64_t tokens = read_weights(mu, number, &padded, y);
  apply_cut(cut, number, tokens, y);
  return padded;
}

/* Walks a group, a run of tokens at a time. Rounding may leave the target just beyond the end; then it is in the last
 * run that weighs anything. */
static int64_t walk_group(const trbi_mu *mu, trbi_cut cut, int64_t group, double target) {
  float y[TRBI_BLOCK];
  int64_t run = 0; /* its first token */
  double rest = 0.0;
  bool found = false;
  const int64_t first = mu->blocks.begin + group * mu->group_blocks, end = first + mu->group_blocks;
  for (int64_t i = first; i < end && i < mu->blocks.end && !found; i++) {
    const int64_t padded = read_kept(mu, cut, i, y);
    for (int64_t v = 0; v < padded && !found; v += RUN) {
      const double mass = mu->pair.kernels->mass(y + v, padded - v < RUN ? padded - v : RUN);
      if (!(mass > 0.0)) continue;
      run = i * TRBI_BLOCK + v;
      rest = target;
      found = target < mass;
      target -= mass;
    }
  }
  const int64_t padded = read_kept(mu, cut, run / TRBI_BLOCK, y), v = run % TRBI_BLOCK;
  return run + walk_tokens(y + v, padded - v < RUN ? padded - v : RUN, rest);
}

static int64_t draw_token(const trbi_mu *mu, trbi_cut cut, const double *masses, double target) {
  int64_t last = 0;
  for (int64_t g = 0; g < mu->groups; g++) {
    if (!(masses[g] > 0.0)) continue;
    last = g;
    if (target < masses[g]) break;
    target -= masses[g];
  }
  return walk_group(mu, cut, last, target);
}

/* The lowest id of the largest weight. */
static int64_t first_top(const trbi_mu *mu) {
  float y[TRBI_BLOCK], top = -INFINITY;
  int64_t token = 0;
  for (int64_t i = 0; i < mu->blocks.end && top < 0.0f; i++) {
    int64_t padded;
    const int64_t tokens = read_weights(mu, i, &padded, y);
    for (int64_t v = 0; v < tokens; v++) {
      token = y[v] > top ? i * TRBI_BLOCK + v : token;
      top = y[v] > top ? y[v] : top;
    }
  }
  return token;
}

/* log2 p and log2 q of a token, listed or not. */
static trbi_entry find_token(const trbi_listed *list, int64_t token) {
  trbi_entry e;
  for (int64_t i = 0; i < list->n; i++)
    if (list->ids[i] == token && trbi_entry_at(list, i, &e)) return e;
  const double a = trbi_log2_probability(list->student, list->row, list->scale, token);
  return (trbi_entry){token, a, a + (list->rest_teacher - list->rest_student)};
}

static double log_weight(const trbi_mu *mu, int64_t token) {
  const trbi_pair *pair = &mu->pair;
  if (mu->list != NULL) {
    const trbi_entry e = find_token(mu->list, token);
    return TRBI_LN2 * (entry_weight(mu, &e) - mu->top);
  }
  const double a = trbi_log2_probability(pair->student, pair->row, pair->scale_student, token);
  const double b = trbi_log2_probability(pair->teacher, pair->row, pair->scale_teacher, token);
  return TRBI_LN2 * (fma(mu->beta, b, (1.0 - mu->beta) * a) - mu->top);
}

double trbi_log_probability(const trb_logits *view, int64_t row, int64_t token, double lse) {
  return (double)trbi_load(view, row, token) / trbi_temperature(view) - lse;
}

/* Opens a range of blocks of the row. */
static int32_t open_blocks(trbi_mu *mu, trbi_range blocks, double *masses, double *all) {
  const int32_t bad = trbi_find_tops_of(&mu->pair, blocks);
  if (bad != 0) return bad;
  const int64_t n = blocks.end - blocks.begin;
  mu->blocks = blocks;
  mu->group_blocks = (n + GROUPS - 1) / GROUPS;
  mu->groups = (n + mu->group_blocks - 1) / mu->group_blocks;
  *all = group_masses(mu, masses);
  return *all > 0.0 ? 0 : TRB_ROW_EMPTY;
}

/* u in [0, 1) among the parts. */
static slot find_slot(const float *mass, double u) {
  double all = 0.0, before = 0.0;
  slot found = {0};
  for (int i = 0; i < TRBI_PARTS; i++) all += (double)mass[i];
  for (int i = 0; i < TRBI_PARTS && u * all >= before; i++) {
    if (!(mass[i] > 0.0f)) continue;
    found = (slot){i, (double)mass[i] / all, (u * all - before) / (double)mass[i]};
    before += (double)mass[i];
  }
  return found;
}

static int32_t draw_freely(trbi_mu *mu, const trb_blend *blend, double u, trb_draw *draw) {
  double masses[GROUPS], all;
  const slot chosen = find_slot(blend->mass, u);
  const int32_t bad = open_blocks(mu, trbi_part(&mu->pair, chosen.part), masses, &all);
  if (bad != 0) return bad;
  draw->kept = blend->support;
  draw->token = draw_token(mu, trbi_cut_nothing(), masses, chosen.at * all);
  draw->log_behavior = log_weight(mu, draw->token) + trbi_log(chosen.mass / all);
  draw->log_sampled = draw->log_behavior;
  return 0;
}

static int32_t open_row(trbi_mu *mu, double *masses, double *all) {
  return open_blocks(mu, (trbi_range){0, trbi_blocks(&mu->pair)}, masses, all);
}

static int32_t draw_filtered(const trb_sampler *sampler, trbi_mu *mu, double u, trb_draw *draw) {
  double masses[GROUPS], all;
  const int32_t bad = open_row(mu, masses, &all);
  if (bad != 0) return bad;
  const trbi_cut cut = filter(mu, sampler);
  const double total = cut_masses(mu, cut, masses, &draw->kept);
  draw->token = sampler->greedy ? first_top(mu) : draw_token(mu, cut, masses, u * total);
  const double weight = log_weight(mu, draw->token);
  draw->log_sampled = sampler->greedy ? 0.0 : weight - trbi_log(total);
  draw->log_behavior = weight - trbi_log(all);
  return 0;
}

bool trbi_has_filter(const trb_sampler *sampler) {
  return sampler->top_k > 0 || sampler->top_p > 0.0 || sampler->min_p > 0.0 || sampler->greedy;
}

static int32_t draw(trbi_mu *mu, const trb_blend *blend, const trb_sampler *sampler, trb_draw *draw) {
  const double u = trbi_uniform(sampler, mu->pair.row, TRBI_TO_DRAW);
  return trbi_has_filter(sampler) ? draw_filtered(sampler, mu, u, draw) : draw_freely(mu, blend, u, draw);
}

int32_t trbi_draw_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                      const trb_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *out) {
  trbi_mu mu = {.beta = blend->beta};
  int32_t bad = trbi_name_blend(&mu.pair, crew, student, teacher, blend, row);
  if (bad == 0) bad = draw(&mu, blend, sampler, out);
  if (bad != 0) return bad;
  out->log_student = trbi_log_probability(student, row, out->token, blend->lse_student);
  out->log_teacher = teacher != NULL ? trbi_log_probability(teacher, row, out->token, blend->lse_teacher) : NAN;
  return TRB_ROW_OK;
}

int32_t trbi_draw_listed(const trbi_crew *crew, const trb_logits *student, const trb_sparse *teacher,
                         const trb_sparse_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *out) {
  trbi_listed list = trbi_name_listed(student, teacher, row);
  list.scale.max = blend->max_student;
  list.scale.norm = blend->log2_norm;
  list.excess = blend->log2_excess;
  list.rest_student = TRBI_LOG2E * blend->log_rest_student;
  list.rest_teacher = TRBI_LOG2E * blend->log_rest_teacher;
  trbi_mu mu = {.list = &list, .log2_z = blend->log2_z, .beta = blend->blend.beta};
  int32_t bad = trbi_name_blend(&mu.pair, crew, student, student, &blend->blend, row);
  if (bad == 0) bad = draw(&mu, &blend->blend, sampler, out);
  if (bad != 0) return bad;
  const trbi_entry e = find_token(&list, out->token);
  out->log_student = trbi_log_probability(student, row, out->token, blend->blend.lse_student);
  out->log_teacher = TRBI_LN2 * e.b;
  return TRB_ROW_OK;
}

/* ---- What the filters leave ---- */

int32_t trbi_filter_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        const trb_blend *blend, const trb_sampler *sampler, int64_t row, trbi_filtered *out) {
  double masses[GROUPS], all;
  int64_t one;
  trbi_mu *mu = &out->mu;
  *mu = (trbi_mu){.beta = blend->beta};
  int32_t bad = trbi_name_blend(&mu->pair, crew, student, teacher, blend, row);
  if (bad == 0) bad = open_row(mu, masses, &all);
  if (bad != 0) return bad;
  out->cut = filter(mu, sampler);
  out->share = cut_masses(mu, out->cut, masses, &out->kept) / all;
  if (sampler->greedy == 0) return 0;
  const trbi_values values = {read_values, mu, mu->blocks.end};
  out->cut = trbi_select_count(&values, out->cut, 1);
  out->share = cut_masses(mu, out->cut, masses, &one) / all;
  return 0;
}

void trbi_filter_block(const trbi_filtered *filtered, int64_t number, bool *in) {
  float y[TRBI_BLOCK];
  int64_t padded;
  const int64_t tokens = read_weights(&filtered->mu, number, &padded, y);
  for (int64_t i = 0; i < padded; i++) in[i] = i < tokens && trbi_in_cut(filtered->cut, y[i], number * TRBI_BLOCK + i);
}

/* ---- The sampler ---- */

static trb_status fail(trb_context *ctx, const char *name, const char *field, const char *expected, double got) {
  return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected %s, got %g", name, field, expected, got);
}

trb_status trbi_read_sampler(trb_context *ctx, const char *name, const trb_sampler *given, int64_t rows,
                             trb_sampler *out) {
  const trb_status status = trbi_read_options(ctx, name, given, out, sizeof *out, TRBI_SIZE_TO(trb_sampler, purpose));
  if (status != TRB_OK) return status;
  if (out->top_k < 0) return fail(ctx, name, "top_k", "0 or more", (double)out->top_k);
  if (!(out->top_p >= 0.0 && out->top_p <= 1.0)) return fail(ctx, name, "top_p", "a number in [0, 1]", out->top_p);
  if (!(out->min_p >= 0.0 && out->min_p <= 1.0)) return fail(ctx, name, "min_p", "a number in [0, 1]", out->min_p);
  if (out->greedy != 0 && out->greedy != 1) return fail(ctx, name, "greedy", "0 or 1", (double)out->greedy);
  if (out->purpose < 0 || out->purpose > 255) return fail(ctx, name, "purpose", "0 to 255", (double)out->purpose);
  for (int64_t r = 0; out->index != NULL && r < rows; r++)
    if (out->index[r] < 0 || out->index[r] >= INT64_C(1) << 56)
      return trbi_fail(ctx, TRB_EINVAL, "%s->index[%" PRId64 "]: expected 0 to 2^56 - 1, got %" PRId64, name, r,
                       out->index[r]);
  return TRB_OK;
}
