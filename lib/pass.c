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
  const int64_t parts = trbi_parts(pair);
  if (pair->parts != NULL)
    trbi_each_row(pair->parts, parts, fn, task); /* its threads are ready */
  else
    for (int64_t part = 0; part < parts; part++) fn(task, part);
}

typedef struct block_task {
  const trbi_pair *pair;
  trbi_block_fn fn;
  void *task;
} block_task;

static void read_part(void *data, int64_t part) {
  const block_task *t = data;
  const trbi_range blocks = trbi_part(t->pair, part);
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    trbi_read_block(t->pair, i, &block);
    t->fn(t->task, part, &block);
  }
}

void trbi_each_block(const trbi_pair *pair, trbi_block_fn fn, void *task) {
  block_task t = {pair, fn, task};
  trbi_each_part(pair, read_part, &t);
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

void trbi_name_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                   int64_t row) {
  *pair =
      (trbi_pair){.kernels = crew->kernels, .parts = crew->parts, .student = student, .teacher = teacher, .row = row};
  pair->vocab = trbi_common_vocab(student, teacher);
  pair->scale_student = (trbi_scale){TRBI_LOG2E / trbi_temperature(student), -INFINITY, 0.0};
  pair->scale_teacher = (trbi_scale){TRBI_LOG2E / trbi_temperature(teacher), -INFINITY, 0.0};
  pair->top_student = pair->top_teacher = (trbi_top){-INFINITY, 0};
}

typedef struct tops {
  trbi_top student, teacher;
  bool bad;
} tops;

typedef struct tops_task {
  const trbi_pair *pair;
  tops part[TRBI_PARTS];
} tops_task;

static tops tops_of(const trbi_pair *pair, trbi_range blocks) {
  tops found = {{-INFINITY, 0}, {-INFINITY, 0}, false};
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    trbi_peak s, t;
    trbi_read_block(pair, i, &block);
    pair->kernels->peak(block.s, block.padded, &s);
    pair->kernels->peak(block.t, block.padded, &t);
    trbi_watch(&found.student, &s, i);
    trbi_watch(&found.teacher, &t, i);
    found.bad |= s.bad | t.bad;
  }
  return found;
}

static void tops_of_part(void *data, int64_t part) {
  tops_task *task = data;
  task->part[part] = tops_of(task->pair, trbi_part(task->pair, part));
}

static int32_t take_tops(trbi_pair *pair, const tops *found) {
  pair->top_student = found->student;
  pair->top_teacher = found->teacher;
  pair->scale_student.max = found->student.max;
  pair->scale_teacher.max = found->teacher.max;
  if (found->bad) return TRB_ROW_NOT_A_NUMBER;
  return found->student.max > -INFINITY && found->teacher.max > -INFINITY ? 0 : TRB_ROW_EMPTY;
}

int32_t trbi_find_tops_of(trbi_pair *pair, trbi_range blocks) {
  const tops found = tops_of(pair, blocks);
  return take_tops(pair, &found);
}

int32_t trbi_find_tops(trbi_pair *pair) {
  tops_task task = {.pair = pair};
  trbi_each_part(pair, tops_of_part, &task);
  tops all = task.part[0];
  for (int64_t i = 1; i < trbi_parts(pair); i++) {
    const tops *one = &task.part[i];
    if (one->student.max > all.student.max) all.student = one->student;
    if (one->teacher.max > all.teacher.max) all.teacher = one->teacher;
    all.bad |= one->bad;
  }
  return take_tops(pair, &all);
}

int32_t trbi_open_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                      int64_t row) {
  trbi_name_row(pair, crew, student, teacher, row);
  return trbi_find_tops(pair);
}

typedef struct survey_task {
  const trbi_pair *pair;
  trbi_survey part[TRBI_PARTS];
} survey_task;

static void add_survey(trbi_survey *sum, const trbi_survey *part) {
  sum->mass_student += part->mass_student;
  sum->mass_teacher += part->mass_teacher;
  sum->mean_student += part->mean_student;
  sum->mean_teacher += part->mean_teacher;
  sum->both_student += part->both_student;
  sum->both_teacher += part->both_teacher;
  sum->gap_student += part->gap_student;
  sum->gap2_student += part->gap2_student;
  sum->gap_teacher += part->gap_teacher;
  sum->tokens_both += part->tokens_both;
  sum->student_only += part->student_only;
  sum->teacher_only += part->teacher_only;
}

static void survey_block(void *data, int64_t part, const trbi_block *block) {
  survey_task *task = data;
  const trbi_pair *pair = task->pair;
  const trbi_survey one =
      pair->kernels->survey(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher);
  add_survey(&task->part[part], &one);
}

static trbi_survey survey_blocks(const trbi_pair *pair) {
  survey_task task = {.pair = pair};
  trbi_survey sum = {0};
  trbi_each_block(pair, survey_block, &task);
  for (int64_t i = 0; i < trbi_parts(pair); i++) add_survey(&sum, &task.part[i]);
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

int32_t trbi_survey_row_exactly(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student,
                                const trb_logits *teacher, int64_t row, trbi_summary *summary) {
  const int32_t bad = trbi_open_row(pair, crew, student, teacher, row);
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

typedef struct blend_task {
  const trbi_pair *pair;
  double beta, center;
  trbi_log_sum *masses;
  trbi_tilt part[TRBI_PARTS];
} blend_task;

static void mass_block(void *data, int64_t part, const trbi_block *block) {
  const blend_task *task = data;
  const trbi_pair *pair = task->pair;
  double top, mass;
  pair->kernels->blend_mass(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher, task->beta,
                            &top, &mass);
  trbi_log_sum_add(&task->masses[part], top, mass);
}

void trbi_blend_masses(const trbi_pair *pair, double beta, trbi_log_sum *parts) {
  blend_task task = {.pair = pair, .beta = beta, .masses = parts};
  for (int64_t i = 0; i < trbi_parts(pair); i++) parts[i] = trbi_log_sum_zero();
  trbi_each_block(pair, mass_block, &task);
}

double trbi_log2_blend_mass(const trbi_pair *pair, double beta) {
  trbi_log_sum parts[TRBI_PARTS], sum = trbi_log_sum_zero();
  trbi_blend_masses(pair, beta, parts);
  for (int64_t i = 0; i < trbi_parts(pair); i++) trbi_log_sum_add(&sum, parts[i].top, parts[i].mass);
  return trbi_log_sum_value(&sum);
}

static void add_tilt(trbi_tilt *sum, const trbi_tilt *part) {
  sum->divergence += part->divergence;
  sum->change += part->change;
  sum->square += part->square;
  sum->ratio += part->ratio;
  sum->cube += part->cube;
}

static void tilt_block(void *data, int64_t part, const trbi_block *block) {
  blend_task *task = data;
  const trbi_pair *pair = task->pair;
  const trbi_tilt one = pair->kernels->tilt(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher,
                                            task->beta, task->center);
  add_tilt(&task->part[part], &one);
}

trbi_tilt trbi_tilt_row(const trbi_pair *pair, double beta, double center) {
  blend_task task = {.pair = pair, .beta = beta, .center = center};
  trbi_tilt sum = {0};
  trbi_each_block(pair, tilt_block, &task);
  for (int64_t i = 0; i < trbi_parts(pair); i++) add_tilt(&sum, &task.part[i]);
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
