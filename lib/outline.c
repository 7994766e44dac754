/* outline.c - a row read once.
 *
 * A small sample of the row tells what it is like: about how large its largest logits are, to which weights are then
 * relative, and how much mass there is, which decides what belongs to the head. So parts are read each for itself. */
#include "outline.h"

#include <math.h>
#include <string.h>

#include "dmath.h"

/* Logits over temperature, in bits, up to which lean kernels take a row, and the tallest that one may be above the
 * reference: then no sum of p d^3 overflows. */
static const double TAME = 0x1p13, TALL = 48.0;
static const double LEAST_K = 0x1p-7, MOST_K = 0x1p20;
/* The head takes tokens with more than 2^-HEAD_BITS of the mass that the tail seems to have. */
static const double HEAD_BITS = 5.0;

/* The least mass of either model on the common support: what weighs nothing is 2^-64 a token. */
static const double LEAST_COMMON = 0x1p-20;

/* A row whose sample was no guide. */
enum { TOO_TALL = 2 };

/* What the reading of one part gives. */
typedef struct part_sums {
  trbi_moments sum;
  trbi_tokens tokens;
  trbi_alone alone_student, alone_teacher;
  trbi_top top_student, top_teacher;
  int64_t head; /* tokens */
  bool masked;
  int32_t status;
} part_sums;

typedef struct reader {
  trbi_pair *pair;
  trbi_outline *outline;
  trbi_purpose purpose;
  float over_student, over_teacher; /* logits above these are the head */
  part_sums part[TRBI_PARTS];
} reader;

/* ---- Sums ---- */

static void add(part_sums *sum, const trbi_moments *moments) {
  for (int j = 0; j < 4; j++) {
    sum->sum.p[j] += moments->p[j];
    sum->sum.q[j] += moments->q[j];
  }
  sum->sum.mean_student += moments->mean_student;
  sum->sum.mean_teacher += moments->mean_teacher;
  sum->sum.least = fminf(sum->sum.least, moments->least);
  sum->sum.most = fmaxf(sum->sum.most, moments->most);
}

static void add_tokens(trbi_tokens *sum, const trbi_tokens *tokens) {
  sum->both += tokens->both;
  sum->student_only += tokens->student_only;
  sum->teacher_only += tokens->teacher_only;
}

static void add_alone(trbi_alone *sum, trbi_alone alone) {
  sum->mass += alone.mass;
  sum->mean += alone.mean;
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

/* A token that weighs nothing. */
static void drop(const trbi_lean *lean, trbi_block *block, int64_t i) {
  block->room[0][i] = lean->low_student;
  block->room[1][i] = lean->low_teacher;
}

static void mend(const trbi_pair *pair, const trbi_lean *lean, trbi_block *block) {
  pair->kernels->mend(block->s, block->t, block->padded, lean, block->room[0], block->room[1]);
  block->s = block->room[0];
  block->t = block->room[1];
}

void trbi_read_tail(const trbi_pair *pair, const trbi_outline *outline, int64_t part, int64_t number, int64_t *next,
                    trbi_block *block) {
  const trbi_head *head = &outline->head;
  const int64_t last = outline->part[part].head_end;
  trbi_read_block(pair, number, block);
  const int64_t begin = (number - trbi_part(pair, part).begin) * TRBI_BLOCK, end = begin + block->tokens;
  if (outline->part[part].masked)
    mend(pair, &outline->lean, block);
  else if (*next < last && head->token[*next] < end)
    own(block);
  for (; *next < last && head->token[*next] < end; ++*next) drop(&outline->lean, block, head->token[*next] - begin);
}

/* Moves the tokens of a block that are above a level to the head, as long as the part, of which the block is `number`,
 * has room: *n of them are there. Peaks say where to look. */
static void collect(const reader *r, int64_t part, int64_t number, trbi_block *block, const trbi_peak *s,
                    const trbi_peak *t, int64_t *n) {
  trbi_head *head = &r->outline->head;
  const int64_t at = part * TRBI_HEAD_ROOM, begin = number * TRBI_BLOCK;
  own(block);
  for (int64_t g = 0; g < TRBI_GROUPS; g++)
    for (int64_t l = 0; l < TRBI_LANES; l++) {
      if (!((s->top[g][l] > r->over_student) | (t->top[g][l] > r->over_teacher))) continue;
      const int64_t end = block->tokens < (g + 1) * TRBI_GROUP ? block->tokens : (g + 1) * TRBI_GROUP;
      for (int64_t i = g * TRBI_GROUP + l; i < end && *n < TRBI_HEAD_ROOM; i += TRBI_LANES) {
        if (!((block->s[i] > r->over_student) | (block->t[i] > r->over_teacher))) continue;
        head->token[at + *n] = (int32_t)(begin + i);
        head->s[at + *n] = block->s[i];
        head->t[at + (*n)++] = block->t[i];
        drop(&r->outline->lean, block, i);
      }
    }
}

/* Closes the gaps between the parts' tokens. */
static void pack_head(reader *r, int64_t parts) {
  trbi_head *head = &r->outline->head;
  head->n = 0;
  for (int64_t i = 0; i < parts; i++) {
    r->outline->part[i].head_begin = head->n;
    for (int64_t j = i * TRBI_HEAD_ROOM; j < i * TRBI_HEAD_ROOM + r->part[i].head; j++, head->n++) {
      head->token[head->n] = head->token[j];
      head->s[head->n] = head->s[j];
      head->t[head->n] = head->t[j];
    }
    r->outline->part[i].head_end = head->n;
  }
  for (int64_t i = head->n; i < trbi_padded(head->n); i++) head->s[i] = head->t[i] = -INFINITY;
}

/* ---- A part ---- */

static bool tame(const trbi_peak *peak, double k) {
  return !(peak->max > -INFINITY) || k * fmax(fabs((double)peak->max), fabs((double)peak->min)) <= TAME;
}

static int32_t judge(const trbi_pair *pair, const trbi_peak *s, const trbi_peak *t) {
  const trbi_scale *a = &pair->scale_student, *b = &pair->scale_teacher;
  if (s->bad || t->bad) return TRB_ROW_NOT_A_NUMBER;
  if (!tame(s, a->k) || !tame(t, b->k)) return TRBI_NO_OUTLINE;
  return a->k * ((double)s->max - a->max) > TALL || b->k * ((double)t->max - b->max) > TALL ? TOO_TALL : 0;
}

/* Counts masked tokens, sums what only one model has, and mends the block. */
static void read_masked(const reader *r, trbi_block *block, part_sums *sum) {
  const trbi_kernels *k = r->pair->kernels;
  const trbi_lean *lean = &r->outline->lean;
  const trbi_tokens tokens = k->count(block->s, block->t, block->padded);
  add_tokens(&sum->tokens, &tokens);
  if (tokens.student_only > 0.0)
    add_alone(&sum->alone_student, k->alone(block->s, block->t, block->padded, lean->k_student, lean->ref_student));
  if (tokens.teacher_only > 0.0)
    add_alone(&sum->alone_teacher, k->alone(block->t, block->s, block->padded, lean->k_teacher, lean->ref_teacher));
  sum->masked = true;
  mend(r->pair, lean, block);
}

static int32_t read_block(const reader *r, int64_t number, int64_t index, part_sums *sum) {
  const trbi_pair *pair = r->pair;
  const trbi_lean *lean = &r->outline->lean;
  trbi_block block;
  trbi_peak s, t;
  trbi_read_block(pair, number, &block);
  pair->kernels->peak(block.s, block.padded, &s);
  pair->kernels->peak(block.t, block.padded, &t);
  const int32_t status = judge(pair, &s, &t);
  if (status != 0) return status;
  trbi_watch(&sum->top_student, &s, number);
  trbi_watch(&sum->top_teacher, &t, number);
  if (s.masked || t.masked)
    read_masked(r, &block, sum);
  else
    sum->tokens.both += (double)block.tokens;
  if (s.max > r->over_student || t.max > r->over_teacher)
    collect(r, index, number - trbi_part(pair, index).begin, &block, &s, &t, &sum->head);
  const trbi_moments moments =
      pair->kernels->moments(block.s, block.t, block.padded, lean, r->purpose == TRBI_FOR_BLEND);
  add(sum, &moments);
  return 0;
}

static void read_part(void *task, int64_t index) {
  reader *r = task;
  const trbi_range blocks = trbi_part(r->pair, index);
  part_sums sum = {.sum.least = INFINITY, .sum.most = -INFINITY};
  sum.top_student = sum.top_teacher = (trbi_top){-INFINITY, 0};
  for (int64_t i = blocks.begin; i < blocks.end && sum.status == 0; i++) sum.status = read_block(r, i, index, &sum);
  r->part[index] = sum;
}

/* ---- The sample ---- */

/* As many tokens from each sixteenth of the row as make a block. */
static void read_sample(const trbi_pair *pair, trbi_block *block) {
  enum { RUNS = 16, RUN = TRBI_BLOCK / RUNS };
  const trb_logits *views[] = {pair->student, pair->teacher};
  for (int64_t i = 0; i < RUNS; i++)
    for (int m = 0; m < 2; m++) {
      float *to = block->room[m] + i * RUN;
      const float *from = trbi_read_row(pair->kernels, views[m], pair->row, i * (pair->vocab / RUNS), RUN, to);
      if (from != to) memcpy(to, from, RUN * sizeof *to);
    }
  block->s = block->room[0];
  block->t = block->room[1];
  block->begin = 0;
  block->tokens = block->padded = TRBI_BLOCK;
}

static void set_lean(trbi_lean *lean, const trbi_scale *s, const trbi_scale *t) {
  *lean = (trbi_lean){.k_student = (float)s->k,
                      .k_teacher = (float)t->k,
                      .ref_student = (float)s->max,
                      .ref_teacher = (float)t->max,
                      .ratio = (float)(s->k / t->k),
                      .floor_student = (float)(-64.0 / s->k),
                      .floor_teacher = (float)(-64.0 / t->k),
                      .zero_student = (float)(-120.0 / s->k),
                      .low_student = (float)(s->max - 128.0 / s->k),
                      .low_teacher = (float)(t->max - 128.0 / t->k)};
}

/* The logit of a token with 2^-bits of a mass. */
static float level(trbi_scale scale, double mass, double bits) {
  return (float)(scale.max + (TRBI_LOG2E * trbi_log(mass) - bits) / scale.k);
}

/* Where the head begins. What the few largest tokens of the sample weigh says nothing of the tail. */
static void set_levels(reader *r, trbi_block *sample, const trbi_peak *s, const trbi_peak *t) {
  const trbi_pair *pair = r->pair;
  const trbi_lean *lean = &r->outline->lean;
  const double rows = (double)pair->vocab / TRBI_BLOCK;
  mend(pair, lean, sample);
  trbi_moments sum = pair->kernels->moments(sample->s, sample->t, TRBI_BLOCK, lean, true);
  int64_t n = 0;
  r->over_student = level(pair->scale_student, sum.p[0], 5.0);
  r->over_teacher = level(pair->scale_teacher, sum.q[0], 5.0);
  collect(r, 0, 0, sample, s, t, &n);
  sum = pair->kernels->moments(sample->s, sample->t, TRBI_BLOCK, lean, true);
  r->over_student = level(pair->scale_student, rows * sum.p[0], HEAD_BITS);
  r->over_teacher = level(pair->scale_teacher, rows * sum.q[0], HEAD_BITS);
}

/* ---- The row ---- */

/* Reads all parts, relative to the largest logits of the sample or to those that the scales hold. */
static int32_t read_parts(reader *r, bool by_sample) {
  trbi_pair *pair = r->pair;
  trbi_block sample;
  trbi_peak s, t;
  read_sample(pair, &sample);
  pair->kernels->peak(sample.s, TRBI_BLOCK, &s);
  pair->kernels->peak(sample.t, TRBI_BLOCK, &t);
  if (by_sample) {
    pair->scale_student.max = (double)s.max;
    pair->scale_teacher.max = (double)t.max;
    if (s.bad || t.bad || !(s.max > -INFINITY && t.max > -INFINITY)) return TOO_TALL;
  }
  set_lean(&r->outline->lean, &pair->scale_student, &pair->scale_teacher);
  r->over_student = r->over_teacher = INFINITY;
  if (r->purpose != TRBI_FOR_LOSS) set_levels(r, &sample, &s, &t);
  trbi_each_part(pair, read_part, r);
  int32_t status = 0;
  for (int64_t i = 0; i < trbi_parts(pair); i++) { /* a row status, which is negative, comes before the others */
    const int32_t mine = r->part[i].status;
    if (mine < 0 || (mine > 0 && status >= 0)) status = mine;
  }
  return status;
}

/* Parts into one; with d in bits, and x of the means. */
static part_sums merge(reader *r) {
  part_sums all = {.sum.least = INFINITY, .sum.most = -INFINITY};
  const int64_t parts = trbi_parts(r->pair);
  const double k_student = r->pair->scale_student.k, k = r->pair->scale_teacher.k;
  all.top_student = all.top_teacher = (trbi_top){-INFINITY, 0};
  for (int64_t i = 0; i < parts; i++) {
    const part_sums *one = &r->part[i];
    add(&all, &one->sum);
    add_tokens(&all.tokens, &one->tokens);
    add_alone(&all.alone_student, one->alone_student);
    add_alone(&all.alone_teacher, one->alone_teacher);
    if (one->top_student.max > all.top_student.max) all.top_student = one->top_student;
    if (one->top_teacher.max > all.top_teacher.max) all.top_teacher = one->top_teacher;
    r->outline->part[i] = (trbi_outline_part){.both = one->sum.p[0],
                                              .alone = one->alone_student.mass,
                                              .least = one->sum.least,
                                              .most = one->sum.most,
                                              .masked = one->masked};
  }
  pack_head(r, parts);
  for (int j = 1; j < 4; j++)
    for (int power = 0; power < j; power++) all.sum.p[j] *= k, all.sum.q[j] *= k;
  all.sum.mean_student = k_student * (all.sum.mean_student + all.alone_student.mean);
  all.sum.mean_teacher = k * (all.sum.mean_teacher + all.alone_teacher.mean);
  return all;
}

/* Head and tail together. */
static void summarize(const reader *r, const part_sums *all, trbi_summary *summary) {
  const trbi_head *head = &r->outline->head;
  const trbi_moments *tail = &all->sum;
  trbi_pair *p = r->pair;
  trbi_survey sum = p->kernels->survey(head->s, head->t, trbi_padded(head->n), p->scale_student, p->scale_teacher);
  sum.mass_student += tail->p[0] + all->alone_student.mass;
  sum.mass_teacher += tail->q[0] + all->alone_teacher.mass;
  sum.mean_student += tail->mean_student;
  sum.mean_teacher += tail->mean_teacher;
  sum.both_student += tail->p[0];
  sum.both_teacher += tail->q[0];
  sum.gap_student += tail->p[1];
  sum.gap2_student += tail->p[2];
  sum.gap_teacher += tail->q[1];
  sum.tokens_both = all->tokens.both; /* tokens of the head are there too, without weight */
  sum.student_only = all->tokens.student_only;
  sum.teacher_only = all->tokens.teacher_only;
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

static void describe_tail(const reader *r, const part_sums *all) {
  trbi_outline *o = r->outline;
  const trbi_moments *sum = &all->sum;
  const trbi_scale *s = &r->pair->scale_student, *t = &r->pair->scale_teacher;
  double zero[4], one[4];
  o->unit = trbi_exp(-TRBI_LN2 * s->norm);
  o->shift = s->norm - t->norm;
  o->mass_both = o->unit * sum->p[0];
  o->mass_alone = o->unit * all->alone_student.mass;
  o->alone_teacher = trbi_exp(-TRBI_LN2 * t->norm) * all->alone_teacher.mass;
  o->mean = sum->p[1] / sum->p[0] / t->k;
  o->square = sum->p[2] / sum->p[0];
  if (r->purpose != TRBI_FOR_BLEND) return;
  describe_end(sum->p, s->norm, o->shift, zero);
  describe_end(sum->q, t->norm, o->shift, one);
  fit(zero, one, o->model);
}

int32_t trbi_outline_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                         int64_t row, trbi_purpose purpose, trbi_summary *summary, trbi_outline *outline) {
  trbi_name_row(pair, crew, student, teacher, row);
  const double k_student = pair->scale_student.k, k_teacher = pair->scale_teacher.k;
  if (pair->vocab <= TRBI_SHORT || fmin(k_student, k_teacher) < LEAST_K || fmax(k_student, k_teacher) > MOST_K)
    return TRBI_NO_OUTLINE;
  reader r = {.pair = pair, .outline = outline, .purpose = purpose};
  int32_t status = read_parts(&r, true);
  if (status == TOO_TALL) {
    status = trbi_find_tops(pair);
    if (status == 0) status = read_parts(&r, false);
  }
  if (status != 0) return status;
  const part_sums all = merge(&r);
  pair->top_student = all.top_student;
  pair->top_teacher = all.top_teacher;
  summarize(&r, &all, summary);
  describe_tail(&r, &all);
  return purpose == TRBI_FOR_BLEND && fmin(1.0 - summary->alone, summary->both_teacher) < LEAST_COMMON ? TRBI_NO_OUTLINE
                                                                                                       : 0;
}

int32_t trbi_survey_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        int64_t row, trbi_summary *summary) {
  trbi_outline outline;
  const int32_t status = trbi_outline_row(pair, crew, student, teacher, row, TRBI_FOR_SUMMARY, summary, &outline);
  return status == TRBI_NO_OUTLINE ? trbi_survey_row_exactly(pair, crew, student, teacher, row, summary) : status;
}
