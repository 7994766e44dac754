/* lean_loss.c - the full reverse KL and its gradient in two readings of a row. */
#include "dmath.h"
#include "loss.h"
#include "outline.h"

/* Where the loss is at least this the first reading's mean of log(q/p) holds its digits. */
static const double PLAIN = 0.1;

typedef struct loss_task {
  const trbi_loss_job *job;
  const trbi_pair *pair;
  const trbi_outline *outline;
  trbi_lean_loss form;
  bool plain; /* only the gradient is wanted */
  double sum[TRBI_PARTS];
} loss_task;

/* No |log(q/p)| of the part is above 1: the kernel rounds as this does. */
static int32_t terms_of(const loss_task *task, const trbi_outline_part *part) {
  const trbi_lean_loss *f = &task->form;
  if (task->plain) return TRBI_TERMS_NONE;
  const bool calm = fmaf(f->slope, part->least, f->shift) >= -1.0f && fmaf(f->slope, part->most, f->shift) <= 1.0f;
  return calm ? TRBI_TERMS_CALM : TRBI_TERMS_ANY;
}

/* Where the kernel writes: the caller's own memory if it takes the block as it is. */
static float *room_of(const trb_logits *to, int64_t row, const trbi_block *block, float *room) {
  if (to == NULL) return NULL;
  return to->dtype == TRB_F32 && block->tokens == block->padded ? trbi_element(to, row, block->begin) : room;
}

static void loss_part(void *data, int64_t index) {
  loss_task *task = data;
  const trbi_pair *pair = task->pair;
  const trb_logits *to = task->job->grad;
  const trbi_range blocks = trbi_part(pair, index);
  trbi_lean_loss form = task->form;
  int64_t next = 0;
  form.terms = terms_of(task, &task->outline->part[index]);
  task->sum[index] = 0.0;
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    float grad[TRBI_BLOCK];
    trbi_read_tail(pair, task->outline, index, i, &next, &block);
    float *at = room_of(to, pair->row, &block, grad);
    task->sum[index] += pair->kernels->lean_loss(block.s, block.t, block.padded, &task->outline->lean, &form, at);
    if (at == grad) pair->kernels->store(grad, trbi_element(to, pair->row, block.begin), to->dtype, block.tokens);
  }
}

/* With m = log2(q/p) = k d + shift: loss = -ln 2 E_p m, gradient p ln 2 (E_p m - m) times weight over temperature. */
int32_t trbi_lean_loss_row(const trbi_loss_job *job, int64_t row, double weight, trb_loss_row *record, double *loss) {
  trbi_pair pair;
  trbi_summary summary;
  trbi_outline o;
  const int32_t bad = trbi_outline_row(&pair, &job->crew, job->student, job->teacher, row, TRBI_FOR_LOSS, &summary, &o);
  if (bad != 0) return bad;
  if (summary.student_only > 0.0) return TRB_ROW_INFINITE;
  const double slope = TRBI_LN2 * pair.scale_teacher.k,
               scale = slope * o.unit * weight / trbi_temperature(job->student);
  const bool plain = summary.reverse_kl >= PLAIN;
  if (!(o.square < (plain ? 2000.0 : 200.0)) || !(fabs(scale) > 1e-30 && fabs(scale) < 1e30)) return TRBI_NO_OUTLINE;
  trbi_describe_row(job, &pair, &summary, record);
  loss_task task = {.job = job, .pair = &pair, .outline = &o, .plain = plain};
  task.form = (trbi_lean_loss){.slope = (float)slope,
                               .shift = (float)(TRBI_LN2 * o.shift),
                               .unit = (float)trbi_exp(TRBI_LN2 * o.shift),
                               .scale = (float)scale,
                               .mean = (float)(scale * o.mean)};
  if (!task.plain || job->grad != NULL) trbi_each_part(&pair, loss_part, &task);
  if (job->grad != NULL && pair.vocab < job->grad->vocab) trbi_zero_row(job->grad, row, pair.vocab);
  double sum = 0.0;
  for (int64_t i = 0; i < trbi_parts(&pair); i++) sum += task.sum[i];
  record->mass_student = record->mass_teacher = 1.0;
  record->support = summary.tokens_student;
  *loss = task.plain ? summary.reverse_kl : o.unit * sum + o.alone_teacher;
  return TRB_ROW_OK;
}
