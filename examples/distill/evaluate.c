/* evaluate.c - rollouts of a student at temperature 1, judged by the task and by the teacher. */
#include "evaluate.h"

#include <math.h>
#include <stdio.h>

enum { KEEP_BYTES = 64 << 20 }; /* of teacher logits: what fits need not be asked for twice */

/* Rollouts of the student on held-out prompts. */
static trb_status roll_out(const exam *e, lm *student, int64_t prompts, int greedy, trb_rollouts **out) {
  const trb_sampler sampler = {.size = sizeof sampler, .seed = e->seed, .stream = e->texts->stream, .greedy = greedy};
  const trb_rollout_options options = {
      .size = sizeof options, .sampler = &sampler, .stop = &e->of->stop, .n_stop = 1, .max_tokens = e->response};
  texts_make_prompts(e->texts, e->of, 1, e->seed, 0, prompts);
  const trb_texts view = texts_view(e->texts);
  const trb_model model = lm_sampling(student);
  return trb_rollout(e->ctx, &model, NULL, &view, &options, out);
}

static double success(const exam *e, const trb_rollouts *r) {
  double sum = 0.0;
  for (int64_t i = 0; i < r->n; i++)
    sum += e->of->judge(e->of, r->text + r->text_offset[i], r->text_offset[i + 1] - r->text_offset[i],
                        e->texts->prompt[i]);
  return sum / (double)r->n;
}

/* What the teacher says of the rollouts, and KL(p||q) along them. */
static trb_status ask_teacher(const exam *e, lm *student, trb_rollouts *r, evaluation_line *out) {
  const trb_model p = lm_training(student), q = lm_training(e->teacher);
  const trb_score_options keep = {.size = sizeof keep, .keep_bytes = KEEP_BYTES};
  const trb_train_options options = {.size = sizeof options, .evaluate = 1};
  trb_train_report report = {.size = sizeof report};
  trb_totals totals = {.size = sizeof totals};
  trb_status status = trb_score(e->ctx, NULL, &q, &keep, r);
  if (status == TRB_OK) status = trb_train_step(e->ctx, &p, &q, r, &options, NULL, NULL, &report);
  if (status == TRB_OK) status = trb_rollouts_totals(e->ctx, r, &totals);
  out->reverse_kl = report.loss;
  out->log_teacher = totals.log_teacher;
  out->length = totals.mean_length;
  return status;
}

/* Bits per token of held-out documents; a token is a byte where this is asked. */
static trb_status measure_bits(const exam *e, lm *student, int64_t documents, double *bits) {
  const trb_model model = lm_training(student);
  const flaws none = {.derailed = 0.0};
  trb_rollouts *r = NULL;
  trb_totals totals = {.size = sizeof totals};
  texts_make_documents(e->texts, e->of, 1, &none, e->seed, 0, documents);
  const trb_texts view = texts_view(e->texts);
  trb_status status = trb_rollouts_new(e->ctx, &view, e->texts->prompt, NULL, NULL, &r);
  if (status == TRB_OK) status = trb_score(e->ctx, &model, NULL, NULL, r);
  if (status == TRB_OK) status = trb_rollouts_totals(e->ctx, r, &totals);
  trb_rollouts_free(r);
  *bits = -totals.log_student / log(2.0);
  return status;
}

/* Success of any model. */
static trb_status measure_success(const exam *e, lm *model, int64_t prompts, int greedy, double *out) {
  trb_rollouts *r = NULL;
  const trb_status status = roll_out(e, model, prompts, greedy, &r);
  if (status == TRB_OK) *out = success(e, r);
  trb_rollouts_free(r);
  return status;
}

static trb_status take_exam(const exam *e, lm *student, int64_t prompts, int first, int last, evaluation_line *out) {
  trb_rollouts *r = NULL;
  trb_status status = roll_out(e, student, prompts, 0, &r);
  if (status == TRB_OK && e->of->judged) out->success = success(e, r);
  if (status == TRB_OK) status = ask_teacher(e, student, r, out);
  trb_rollouts_free(r);
  if (status == TRB_OK && first && e->of->judged)
    status = measure_success(e, e->teacher, prompts, 0, &out->teacher_success);
  if (status == TRB_OK && last && e->of->judged) status = measure_success(e, student, prompts, 1, &out->greedy);
  const int bytes = !e->of->judged && e->of->make_document != NULL;
  return status == TRB_OK && bytes ? measure_bits(e, student, prompts, &out->bits_per_byte) : status;
}

int evaluate(const exam *e, lm *student, int64_t prompts, int first, int last, evaluation_line *out, char *why) {
  *out = (evaluation_line){
      .prompts = prompts, .success = NAN, .greedy = NAN, .bits_per_byte = NAN, .teacher_success = NAN};
  if (take_exam(e, student, prompts, first, last, out) == TRB_OK) return 1;
  snprintf(why, 256, "evaluation: %s", trb_context_error(e->ctx));
  return 0;
}
