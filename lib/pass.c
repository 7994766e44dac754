/* pass.c - passes over a row. */
#include "pass.h"

#include <math.h>

#include "dmath.h"

int64_t trbi_blocks(const trbi_pair *pair) {
  return (pair->vocab + TRBI_BLOCK - 1) / TRBI_BLOCK;
}

int64_t trbi_parts(const trbi_pair *pair) {
  const int64_t blocks = trbi_blocks(pair), each = (blocks + TRBI_PARTS - 1) / TRBI_PARTS;
  return (blocks + each - 1) / each;
}

trbi_range trbi_part(const trbi_pair *pair, int64_t part) {
  const int64_t blocks = trbi_blocks(pair), each = (blocks + TRBI_PARTS - 1) / TRBI_PARTS;
  const int64_t end = (part + 1) * each;
  return (trbi_range){part * each, end < blocks ? end : blocks};
}

void trbi_each_part(const trbi_pair *pair, trb_task_fn fn, void *task) {
  for (int64_t part = 0; part < trbi_parts(pair); part++) fn(task, part);
}

const float *trbi_read_row(const trbi_kernels *kernels, const trb_logits *view, int64_t row, int64_t begin,
                           int64_t tokens, float *room) {
  const void *data = trbi_element(view, row, begin);
  if (view->dtype == TRB_F32 && tokens % TRBI_LANES == 0) return data;
  kernels->load(data, view->dtype, room, tokens);
  for (int64_t i = tokens; i % TRBI_LANES != 0; i++) room[i] = -INFINITY;
  return room;
}

void trbi_read_block(const trbi_pair *pair, int64_t number, trbi_block *block) {
  const int64_t begin = number * TRBI_BLOCK, left = pair->vocab - begin;
  block->begin = begin;
  block->tokens = left < TRBI_BLOCK ? left : TRBI_BLOCK;
  block->padded = trbi_padded(block->tokens);
  block->s = trbi_read_row(pair->kernels, pair->student, pair->row, begin, block->tokens, block->room[0]);
  block->t = pair->teacher == pair->student
                 ? block->s
                 : trbi_read_row(pair->kernels, pair->teacher, pair->row, begin, block->tokens, block->room[1]);
}

/* ---- Survey ---- */

void trbi_watch(trbi_top *top, const trbi_peak *peak, int64_t block) {
  if ((double)peak->max > top->max) *top = (trbi_top){(double)peak->max, block};
}

void trbi_name_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student, const trb_logits *teacher,
                   int64_t row) {
  *pair = (trbi_pair){.kernels = kernels, .student = student, .teacher = teacher, .row = row};
  pair->vocab = trbi_common_vocab(student, teacher);
  pair->scale_student = (trbi_scale){TRBI_LOG2E / trbi_temperature(student), -INFINITY, 0.0};
  pair->scale_teacher = (trbi_scale){TRBI_LOG2E / trbi_temperature(teacher), -INFINITY, 0.0};
  pair->top_student = pair->top_teacher = (trbi_top){-INFINITY, 0};
}

int32_t trbi_find_tops(trbi_pair *pair, trbi_range blocks) {
  bool bad = false;
  trbi_block block;
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_peak s, t;
    trbi_read_block(pair, i, &block);
    pair->kernels->peak(block.s, block.padded, &s);
    pair->kernels->peak(block.t, block.padded, &t);
    trbi_watch(&pair->top_student, &s, i);
    trbi_watch(&pair->top_teacher, &t, i);
    bad |= s.bad | t.bad;
  }
  pair->scale_student.max = pair->top_student.max;
  pair->scale_teacher.max = pair->top_teacher.max;
  if (bad) return TRB_ROW_NOT_A_NUMBER;
  return pair->top_student.max > -INFINITY && pair->top_teacher.max > -INFINITY ? 0 : TRB_ROW_EMPTY;
}

int32_t trbi_open_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                      const trb_logits *teacher, int64_t row) {
  trbi_name_row(pair, kernels, student, teacher, row);
  return trbi_find_tops(pair, (trbi_range){0, trbi_blocks(pair)});
}

static trbi_survey survey_blocks(const trbi_pair *pair) {
  trbi_survey sum = {0};
  trbi_block block;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    trbi_read_block(pair, i, &block);
    const trbi_survey part =
        pair->kernels->survey(block.s, block.t, block.padded, pair->scale_student, pair->scale_teacher);
    sum.mass_student += part.mass_student;
    sum.mass_teacher += part.mass_teacher;
    sum.mean_student += part.mean_student;
    sum.mean_teacher += part.mean_teacher;
    sum.both_student += part.both_student;
    sum.both_teacher += part.both_teacher;
    sum.gap_student += part.gap_student;
    sum.gap2_student += part.gap2_student;
    sum.gap_teacher += part.gap_teacher;
    sum.tokens_both += part.tokens_both;
    sum.student_only += part.student_only;
    sum.teacher_only += part.teacher_only;
  }
  return sum;
}

/* Sums of base-2 exponents relative to the maxima become moments of natural logarithms. */
void trbi_summarize(trbi_pair *pair, const trbi_survey *sum, trbi_summary *out) {
  const double log_s = trbi_log(sum->mass_student), log_t = trbi_log(sum->mass_teacher);
  const double shift = log_s - log_t; /* of log(q/p) against LN2 * (x_teacher - x_student) */
  pair->scale_student.norm = log_s * TRBI_LOG2E;
  pair->scale_teacher.norm = log_t * TRBI_LOG2E;
  pair->lse_student = fma(pair->scale_student.k * pair->scale_student.max, TRBI_LN2, log_s);
  pair->lse_teacher = fma(pair->scale_teacher.k * pair->scale_teacher.max, TRBI_LN2, log_t);
  out->entropy_student = fmax(0.0, log_s - TRBI_LN2 * sum->mean_student / sum->mass_student);
  out->entropy_teacher = fmax(0.0, log_t - TRBI_LN2 * sum->mean_teacher / sum->mass_teacher);
  out->tokens_student = (int64_t)(sum->tokens_both + sum->student_only);
  out->student_only = sum->student_only;
  out->teacher_only = sum->teacher_only;
  out->alone = (sum->mass_student - sum->both_student) / sum->mass_student;
  out->both_teacher = sum->both_teacher / sum->mass_teacher;
  const double gap = sum->gap_student / sum->both_student;
  out->gap = fma(TRBI_LN2, gap, shift);
  out->variance = TRBI_LN2 * TRBI_LN2 * fmax(0.0, sum->gap2_student / sum->both_student - gap * gap);
  out->reverse_kl = sum->student_only > 0.0 ? INFINITY : fmax(0.0, -out->gap);
  out->forward_kl = fma(TRBI_LN2, sum->gap_teacher / sum->both_teacher, shift) - trbi_log(out->both_teacher);
}

int32_t trbi_survey_row_exactly(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                                const trb_logits *teacher, int64_t row, trbi_summary *summary) {
  const int32_t bad = trbi_open_row(pair, kernels, student, teacher, row);
  if (bad != 0) return bad;
  const trbi_survey sum = survey_blocks(pair);
  trbi_summarize(pair, &sum, summary);
  return 0;
}

/* ---- The blend ---- */

trbi_log_sum trbi_log_sum_zero(void) {
  return (trbi_log_sum){-INFINITY, 0.0};
}

void trbi_log_sum_add(trbi_log_sum *sum, double top, double mass) {
  if (!(top > -INFINITY)) return;
  const double high = top > sum->top ? top : sum->top;
  sum->mass = sum->mass * trbi_exp(TRBI_LN2 * (sum->top - high)) + mass * trbi_exp(TRBI_LN2 * (top - high));
  sum->top = high;
}

double trbi_log_sum_value(const trbi_log_sum *sum) {
  return sum->top > -INFINITY ? fma(TRBI_LOG2E, trbi_log(sum->mass), sum->top) : -INFINITY;
}

typedef struct mass_task {
  const trbi_pair *pair;
  double beta;
  trbi_log_sum *parts;
} mass_task;

static void mass_part(void *data, int64_t part) {
  const mass_task *task = data;
  const trbi_pair *pair = task->pair;
  const trbi_range blocks = trbi_part(pair, part);
  trbi_log_sum sum = trbi_log_sum_zero();
  trbi_block block;
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    double top, mass;
    trbi_read_block(pair, i, &block);
    pair->kernels->blend_mass(block.s, block.t, block.padded, pair->scale_student, pair->scale_teacher, task->beta,
                              &top, &mass);
    trbi_log_sum_add(&sum, top, mass);
  }
  task->parts[part] = sum;
}

void trbi_blend_masses(const trbi_pair *pair, double beta, trbi_log_sum *parts) {
  mass_task task = {pair, beta, parts};
  trbi_each_part(pair, mass_part, &task);
}

double trbi_log2_blend_mass(const trbi_pair *pair, double beta) {
  trbi_log_sum parts[TRBI_PARTS], sum = trbi_log_sum_zero();
  trbi_blend_masses(pair, beta, parts);
  for (int64_t i = 0; i < trbi_parts(pair); i++) trbi_log_sum_add(&sum, parts[i].top, parts[i].mass);
  return trbi_log_sum_value(&sum);
}

trbi_tilt trbi_tilt_row(const trbi_pair *pair, double beta, double center) {
  trbi_tilt sum = {0};
  trbi_block block;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    trbi_read_block(pair, i, &block);
    const trbi_tilt part =
        pair->kernels->tilt(block.s, block.t, block.padded, pair->scale_student, pair->scale_teacher, beta, center);
    sum.divergence += part.divergence;
    sum.change += part.change;
    sum.square += part.square;
    sum.ratio += part.ratio;
    sum.cube += part.cube;
  }
  return sum;
}

/* ---- One token ---- */

double trbi_log2_probability(const trb_logits *view, int64_t row, trbi_scale scale, int64_t token) {
  return fma(scale.k, (double)trbi_load(view, row, token) - scale.max, -scale.norm);
}

static int64_t argmax(const trb_logits *view, int64_t row, trbi_top top) {
  int64_t token = top.block * TRBI_BLOCK;
  while ((double)trbi_load(view, row, token) < top.max) token++;
  return token;
}

int64_t trbi_argmax_student(const trbi_pair *pair) {
  return argmax(pair->student, pair->row, pair->top_student);
}

int64_t trbi_argmax_teacher(const trbi_pair *pair) {
  return argmax(pair->teacher, pair->row, pair->top_teacher);
}
