/* draw.c - one token from a behavior.
 *
 * The blend says how much of mu each part of the row has, so without a filter one part is chosen and read; a filter
 * needs the whole row. What is read is read once for its largest logits and once for its mass by groups of blocks; the
 * token is then found by reading one group again. */
#include "draw.h"

#include "blend.h"
#include "dmath.h"
#include "fmath.h"
#include "weights.h"

/* Without a filter: the part in which a draw falls, its mass, and where in it. */
typedef struct slot {
  int64_t part;
  double mass, at;
} slot;

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
  const int64_t tokens = trbi_read_weights(mu, number, &padded, y);
  trbi_apply_cut(cut, number, tokens, y);
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
    const int64_t tokens = trbi_read_weights(mu, i, &padded, y);
    for (int64_t v = 0; v < tokens; v++) {
      token = y[v] > top ? i * TRBI_BLOCK + v : token;
      top = y[v] > top ? y[v] : top;
    }
  }
  return token;
}

double trbi_log_probability(const trb_logits *view, int64_t row, int64_t token, double lse) {
  return (double)trbi_load(view, row, token) / trbi_temperature(view) - lse;
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
  double masses[TRBI_WEIGHT_GROUPS], all;
  const slot chosen = find_slot(blend->mass, u);
  const int32_t bad = trbi_open_blocks(mu, trbi_part(&mu->pair, chosen.part), masses, &all);
  if (bad != 0) return bad;
  draw->kept = blend->support;
  draw->token = draw_token(mu, trbi_cut_nothing(), masses, chosen.at * all);
  draw->log_behavior = trbi_log_weight(mu, draw->token) + trbi_log(chosen.mass / all);
  draw->log_sampled = draw->log_behavior;
  return 0;
}

static int32_t draw_filtered(const trb_sampler *sampler, trbi_mu *mu, double u, trb_draw *draw) {
  double masses[TRBI_WEIGHT_GROUPS], all;
  const int32_t bad = trbi_open_weights(mu, masses, &all);
  if (bad != 0) return bad;
  const trbi_cut cut = trbi_find_cut(mu, sampler);
  const double total = trbi_cut_masses(mu, cut, masses, &draw->kept);
  draw->token = sampler->greedy ? first_top(mu) : draw_token(mu, cut, masses, u * total);
  const double weight = trbi_log_weight(mu, draw->token);
  draw->log_sampled = sampler->greedy ? 0.0 : weight - trbi_log(total);
  draw->log_behavior = weight - trbi_log(all);
  return 0;
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
  const trbi_entry e = trbi_find_listed(&list, out->token);
  out->log_student = trbi_log_probability(student, row, out->token, blend->blend.lse_student);
  out->log_teacher = TRBI_LN2 * e.b;
  return TRB_ROW_OK;
}
