/* outline.c - a row read once. */
#include "outline.h"

#include <math.h>
#include <string.h>

#include "dmath.h"

/* Logits over temperature, in bits, up to which lean kernels take a row. */
static const double TAME = 0x1p16;
/* The head takes tokens with more than 2^-HEAD_BITS of the mass of the tail so far. */
enum { HEAD_BITS = 10 };

typedef struct reader {
  trbi_pair *pair;
  trbi_outline *outline;
  bool with_head;
  trbi_moments sum; /* relative to the largest logits so far */
} reader;

/* ---- Sums ---- */

static void add(trbi_moments *sum, const trbi_moments *part) {
  for (int j = 0; j < 4; j++) {
    sum->p[j] += part->p[j];
    sum->q[j] += part->q[j];
  }
  sum->mean_student += part->mean_student;
  sum->mean_teacher += part->mean_teacher;
  sum->alone_student += part->alone_student;
  sum->alone_teacher += part->alone_teacher;
  sum->tokens_both += part->tokens_both;
  sum->student_only += part->student_only;
  sum->teacher_only += part->teacher_only;
}

/* Moments of d + c, times a factor. */
static void move(double *x, double c, double factor) {
  const double x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
  x[0] = factor * x0;
  x[1] = factor * (x1 + c * x0);
  x[2] = factor * (x2 + 2.0 * c * x1 + c * c * x0);
  x[3] = factor * (x3 + 3.0 * c * x2 + 3.0 * c * c * x1 + c * c * c * x0);
}

/* All log2 p fall by s bits and all log2 q by t. */
static void lower(trbi_moments *sum, double s, double t) {
  const double factor_s = trbi_exp(-TRBI_LN2 * s), factor_t = trbi_exp(-TRBI_LN2 * t);
  sum->mean_student = factor_s * (sum->mean_student - s * (sum->p[0] + sum->alone_student));
  sum->mean_teacher = factor_t * (sum->mean_teacher - t * (sum->q[0] + sum->alone_teacher));
  sum->alone_student *= factor_s;
  sum->alone_teacher *= factor_t;
  move(sum->p, s - t, factor_s);
  move(sum->q, s - t, factor_t);
}

/* ---- The largest logits ---- */

static void set_lean(trbi_lean *lean, const trbi_pair *pair) {
  const trbi_scale *s = &pair->scale_student, *t = &pair->scale_teacher;
  const double max_s = s->max > -INFINITY ? s->max : 0.0, max_t = t->max > -INFINITY ? t->max : 0.0;
  *lean = (trbi_lean){.k_student = (float)s->k,
                      .k_teacher = (float)t->k,
                      .same = s->k == t->k ? 1.0f : 0.0f,
                      .other = s->k == t->k ? 0.0f : 1.0f,
                      .max_student = (float)max_s,
                      .max_teacher = (float)max_t,
                      .low_student = (float)(max_s - 300.0 / s->k),
                      .low_teacher = (float)(max_t - 300.0 / t->k)};
}

/* Raises a maximum; returns by how many bits, 0 for the first. */
static double raise(trbi_scale *scale, int64_t *top_block, trbi_peak peak, int64_t block) {
  const double before = scale->max;
  if (!((double)peak.max > before)) return 0.0;
  scale->max = (double)peak.max;
  *top_block = block;
  return before > -INFINITY ? scale->k * (scale->max - before) : 0.0;
}

static void follow(reader *r, trbi_peak s, trbi_peak t, int64_t block) {
  trbi_pair *p = r->pair;
  if (!((double)s.max > p->scale_student.max || (double)t.max > p->scale_teacher.max)) return;
  const double up_s = raise(&p->scale_student, &p->top_block_student, s, block);
  const double up_t = raise(&p->scale_teacher, &p->top_block_teacher, t, block);
  lower(&r->sum, up_s, up_t);
  set_lean(&r->outline->lean, p);
}

/* ---- The head ---- */

/* Makes the block's rows the reader's own. */
static void own(trbi_block *block) {
  const size_t bytes = (size_t)block->padded * sizeof(float);
  if (block->s != block->room[0]) memcpy(block->room[0], block->s, bytes);
  if (block->t != block->room[1]) memcpy(block->room[1], block->t, bytes);
  block->s = block->room[0];
  block->t = block->room[1];
}

/* A token that weighs nothing; masked it stays masked. */
static void drop(const trbi_lean *lean, trbi_block *block, int64_t i) {
  if (block->room[0][i] > -INFINITY) block->room[0][i] = lean->low_student;
  if (block->room[1][i] > -INFINITY) block->room[1][i] = lean->low_teacher;
}

void trbi_drop_head(const trbi_outline *outline, trbi_block *block, int64_t *next) {
  const trbi_head *head = &outline->head;
  const int64_t end = block->begin + block->tokens;
  if (*next == head->n || head->token[*next] >= end) return;
  own(block);
  for (; *next < head->n && head->token[*next] < end; ++*next)
    drop(&outline->lean, block, head->token[*next] - block->begin);
}

/* Tokens above a threshold, as long as there is room. */
static void collect(trbi_outline *outline, trbi_block *block, float over_s, float over_t) {
  trbi_head *head = &outline->head;
  const int64_t before = head->n;
  for (int64_t i = 0; i < block->tokens && head->n < TRBI_BLOCK; i++) {
    if (!((block->s[i] > over_s) | (block->t[i] > over_t))) continue;
    head->token[head->n] = block->begin + i;
    head->s[head->n] = block->s[i];
    head->t[head->n++] = block->t[i];
  }
  int64_t next = before;
  trbi_drop_head(outline, block, &next);
}

/* The logit of a token with 2^-HEAD_BITS of a mass, to a power of two. */
static float threshold(double mass, trbi_scale scale) {
  uint64_t bits;
  memcpy(&bits, &mass, sizeof bits);
  const int exponent = (int)(bits >> 52) - 1023;
  return mass > 0x1p-900 ? (float)(scale.max + (exponent - HEAD_BITS) / scale.k) : -INFINITY;
}

static void take_head(reader *r, trbi_block *block, trbi_peak s, trbi_peak t, bool masked) {
  const trbi_pair *p = r->pair;
  double mass_s = r->sum.p[0], mass_t = r->sum.q[0];
  if (!(mass_s > 0.0 && mass_t > 0.0)) { /* there is no tail yet: the block says how large one may be */
    const trbi_moments all = p->kernels->moments(block->s, block->t, block->padded, &r->outline->lean, masked);
    mass_s = fmax(mass_s, all.p[0]);
    mass_t = fmax(mass_t, all.q[0]);
  }
  const float over_s = threshold(mass_s, p->scale_student), over_t = threshold(mass_t, p->scale_teacher);
  if (s.max > over_s || t.max > over_t) collect(r->outline, block, over_s, over_t);
}

/* ---- The row ---- */

static bool tame(trbi_peak peak, double k) {
  return !(peak.max > -INFINITY) || k * fmax(fabs((double)peak.max), fabs((double)peak.min)) <= TAME;
}

static int32_t read_block(reader *r, int64_t number) {
  trbi_pair *p = r->pair;
  trbi_block block;
  trbi_read_block(p, number, &block);
  const trbi_peak s = p->kernels->peak(block.s, block.padded), t = p->kernels->peak(block.t, block.padded);
  if (s.bad || t.bad) return TRB_ROW_NOT_A_NUMBER;
  if (!tame(s, p->scale_student.k) || !tame(t, p->scale_teacher.k)) return TRBI_NO_OUTLINE;
  const bool masked = s.masked || t.masked;
  r->outline->masked |= masked;
  follow(r, s, t, number);
  if (r->with_head) take_head(r, &block, s, t, masked);
  const trbi_moments part = p->kernels->moments(block.s, block.t, block.padded, &r->outline->lean, masked);
  add(&r->sum, &part);
  return 0;
}

/* Head and tail together. */
static void summarize(const reader *r, trbi_summary *summary) {
  const trbi_head *head = &r->outline->head;
  const trbi_moments *tail = &r->sum;
  trbi_pair *p = r->pair;
  trbi_survey sum = p->kernels->survey(head->s, head->t, trbi_padded(head->n), p->scale_student, p->scale_teacher);
  sum.mass_student += tail->p[0] + tail->alone_student;
  sum.mass_teacher += tail->q[0] + tail->alone_teacher;
  sum.mean_student += tail->mean_student;
  sum.mean_teacher += tail->mean_teacher;
  sum.both_student += tail->p[0];
  sum.both_teacher += tail->q[0];
  sum.gap_student += tail->p[1];
  sum.gap2_student += tail->p[2];
  sum.gap_teacher += tail->q[1];
  sum.tokens_both = tail->tokens_both; /* tokens of the head are there too, without weight */
  sum.student_only = tail->student_only;
  sum.teacher_only = tail->teacher_only;
  trbi_summarize(p, &sum, summary);
}

/* log of the mass of w, and the first three cumulants of log(q/p) under it. */
static void describe_end(const double *w, double norm, double shift, double *f) {
  const double mean = w[1] / w[0], second = w[2] / w[0], third = w[3] / w[0];
  f[0] = trbi_log(w[0]) - TRBI_LN2 * norm;
  f[1] = TRBI_LN2 * (mean + shift);
  f[2] = TRBI_LN2 * TRBI_LN2 * fmax(0.0, second - mean * mean);
  f[3] = TRBI_LN2 * TRBI_LN2 * TRBI_LN2 * (third - 3.0 * mean * second + 2.0 * mean * mean * mean);
}

/* Hermite's polynomial of degree 7: divided differences over the nodes 0, 0, 0, 0, 1, 1, 1, 1. */
static void fit(const double *zero, const double *one, double *model) {
  double difference[8], factorial = 1.0;
  for (int i = 0; i < 8; i++) difference[i] = i < 4 ? zero[0] : one[0];
  model[0] = difference[0];
  for (int order = 1; order < 8; order++) {
    factorial *= order;
    for (int i = 0; i + order < 8; i++) {
      if (i + order < 4)
        difference[i] = zero[order] / factorial;
      else if (i >= 4)
        difference[i] = one[order] / factorial;
      else
        difference[i] = difference[i + 1] - difference[i];
    }
    model[order] = difference[0];
  }
}

static void describe_tail(const reader *r) {
  trbi_outline *o = r->outline;
  const trbi_moments *sum = &r->sum;
  const trbi_scale *s = &r->pair->scale_student, *t = &r->pair->scale_teacher;
  double zero[4], one[4];
  o->unit = trbi_exp(-TRBI_LN2 * s->norm);
  o->shift = s->norm - t->norm;
  o->mass_both = o->unit * sum->p[0];
  o->mass_alone = o->unit * sum->alone_student;
  o->mean = sum->p[1] / sum->p[0];
  o->square = sum->p[2] / sum->p[0];
  o->no_model = !(sum->p[0] > 0x1p-900 && sum->q[0] > 0x1p-900);
  if (o->no_model) return;
  describe_end(sum->p, s->norm, o->shift, zero);
  describe_end(sum->q, t->norm, o->shift, one);
  fit(zero, one, o->model);
}

int32_t trbi_outline_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                         const trb_logits *teacher, int64_t row, bool with_head, trbi_summary *summary,
                         trbi_outline *outline) {
  trbi_name_row(pair, kernels, student, teacher, row);
  if (pair->vocab <= TRBI_SHORT) return TRBI_NO_OUTLINE;
  reader r = {.pair = pair, .outline = outline, .with_head = with_head};
  outline->head.n = 0;
  outline->masked = false;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    const int32_t status = read_block(&r, i);
    if (status != 0) return status;
  }
  if (!(pair->scale_student.max > -INFINITY && pair->scale_teacher.max > -INFINITY)) return TRB_ROW_EMPTY;
  trbi_head *head = &outline->head;
  for (int64_t i = head->n; i < trbi_padded(head->n); i++) head->s[i] = head->t[i] = -INFINITY;
  summarize(&r, summary);
  describe_tail(&r);
  return 0;
}

int32_t trbi_survey_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                        const trb_logits *teacher, int64_t row, trbi_summary *summary) {
  trbi_outline outline;
  const int32_t status = trbi_outline_row(pair, kernels, student, teacher, row, true, summary, &outline);
  return status == TRBI_NO_OUTLINE ? trbi_survey_row_exactly(pair, kernels, student, teacher, row, summary) : status;
}
