/* onpolicy.c - the loop of on-policy distillation: rollouts, loss, update; metrics and a checkpoint at every
 * evaluation. */
#include "onpolicy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEEP_BYTES = 64 << 20 };

typedef struct loop {
  const distillation *d;
  trb_context *ctx;
  texts *texts;
  pupil student;
  metrics *log;
  exam exam;
} loop;

/* ---- One step ---- */

static trb_status write_rollouts(loop *l, trb_rollout_options *options, trb_rollouts **out) {
  const task *of = l->d->task;
  const trb_sampler sampler = {.size = sizeof sampler, .seed = l->d->seed, .stream = l->texts->stream};
  const trb_model p = lm_sampling(l->student.model), q = lm_sampling(l->d->teacher);
  options->sampler = &sampler;
  options->stop = &of->stop;
  options->n_stop = 1;
  options->max_tokens = l->d->response;
  options->keep_bytes = KEEP_BYTES;
  texts_make_prompts(l->texts, of, 0, l->d->seed, (uint64_t)l->student.step, l->d->of->prompts);
  const trb_texts view = texts_view(l->texts);
  return trb_rollout(l->ctx, &p, &q, &view, options, out);
}

/* What the models say of tokens they did not see is asked once, whoever wrote them, so that all methods report the
 * same. */
static trb_status learn(loop *l, trb_rollouts *r, const trb_train_options *options, step_line *line) {
  const trb_model p = lm_training(l->student.model), q = lm_training(l->d->teacher);
  const trb_score_options keep = {.size = sizeof keep, .keep_bytes = KEEP_BYTES};
  trb_train_report report = {.size = sizeof report};
  trb_totals totals = {.size = sizeof totals};
  trb_status status = trb_score(l->ctx, &p, &q, &keep, r);
  if (status == TRB_OK) status = trb_train_step(l->ctx, &p, &q, r, options, NULL, NULL, &report);
  if (status == TRB_OK) status = trb_rollouts_totals(l->ctx, r, &totals);
  if (status != TRB_OK) return status;
  line->loss = report.loss;
  line->budget = r->budget;
  line->beta = totals.beta;
  line->saturated = totals.saturated;
  line->kl_student = totals.kl_student;
  line->log_teacher = totals.log_teacher;
  line->log_student = totals.log_student;
  line->entropy_teacher = totals.entropy_teacher;
  line->entropy_student = totals.entropy_student;
  line->length = totals.mean_length;
  line->teacher_calls = (double)r->teacher_calls;
  return TRB_OK;
}

static int step(loop *l, char *why) {
  trb_rollout_options behavior = {.size = sizeof behavior};
  trb_train_options objective = {.size = sizeof objective};
  trb_term_options room;
  trb_rollouts *r = NULL;
  step_line line = {.step = l->student.step + 1, .rate = l->d->of->rate};
  method_at(l->d->method, l->student.step, &behavior, &objective, &room);
  trb_status status = write_rollouts(l, &behavior, &r);
  if (status == TRB_OK) status = learn(l, r, &objective, &line);
  trb_rollouts_free(r);
  if (status != TRB_OK) {
    snprintf(why, 256, "step %lld: %s", (long long)line.step, trb_context_error(l->ctx));
    return 0;
  }
  line.gradient = pupil_update(&l->student, line.rate);
  if (!isfinite(line.gradient)) {
    snprintf(why, 256, "step %lld: the gradient is not finite", (long long)line.step);
    return 0;
  }
  if (metrics_step(l->log, &line)) return 1;
  snprintf(why, 256, "%s: cannot be written", l->d->metrics_path);
  return 0;
}

/* ---- The run ---- */

static int examine(loop *l, char *why) {
  const setting *of = l->d->of;
  const int first = l->student.step == 0, last = l->student.step == of->steps;
  const int64_t prompts = last ? of->final_prompts : of->evaluate_prompts;
  evaluation_line line;
  if (!evaluate(&l->exam, l->student.model, prompts, first, last, &line, why)) return 0;
  line.step = l->student.step;
  if (metrics_evaluation(l->log, &line)) return 1;
  snprintf(why, 256, "%s: cannot be written", l->d->metrics_path);
  return 0;
}

/* From an evaluation to the next one, with a checkpoint in between. What is in the file of metrics when a checkpoint is
 * written covers its step. */
static int go_on(loop *l, tell_fn tell, void *user, char *why) {
  const setting *of = l->d->of;
  if (l->student.step == 0 && !examine(l, why)) return 0;
  while (l->student.step < of->steps) {
    if (!step(l, why)) return 0;
    tell(l->student.step, of->steps, user);
    if (l->student.step % of->evaluate_every != 0 && l->student.step < of->steps) continue;
    if (!examine(l, why) || !pupil_save(&l->student, l->d->model_path, l->d->identity, why)) return 0;
  }
  return metrics_end(l->log);
}

static decoder *copy_decoder(const decoder *from) {
  decoder *d = decoder_new(&from->shape);
  if (d != NULL) memcpy(d->weights, from->weights, (size_t)d->n * sizeof *d->weights);
  return d;
}

/* The student where an earlier call left it, or as the base, and the metrics up to there. */
static int open_student(loop *l, char *why) {
  const distillation *d = l->d;
  const int resumed = pupil_resume(&l->student, d->model_path, d->identity);
  if (!resumed && !pupil_start(&l->student, copy_decoder(d->base))) {
    snprintf(why, 256, "no memory for the student");
    return 0;
  }
  lm_let_slip(l->student.model, d->of->slip, d->task);
  l->log = metrics_open(d->metrics_path, &d->head, resumed ? l->student.step : -1, why);
  return l->log != NULL;
}

static int open_rest(loop *l, char *why) {
  const setting *of = l->d->of;
  int64_t most = of->prompts;
  if (of->evaluate_prompts > most) most = of->evaluate_prompts;
  if (of->final_prompts > most) most = of->final_prompts;
  l->texts = texts_new(most);
  if (l->texts != NULL && lm_reserve(l->student.model, most) && lm_reserve(l->d->teacher, most) &&
      trb_context_new(NULL, &l->ctx) == TRB_OK) {
    l->exam = (exam){l->d->task, l->ctx, l->d->teacher, l->texts, l->d->seed, l->d->response};
    return 1;
  }
  snprintf(why, 256, "no memory for %lld sequences", (long long)most);
  return 0;
}

int distill(const distillation *d, tell_fn tell, void *user, char *why) {
  loop l = {.d = d};
  int done = open_student(&l, why) && open_rest(&l, why) && go_on(&l, tell, user, why);
  if (l.log != NULL && !metrics_close(l.log) && done) {
    snprintf(why, 256, "%s: cannot be written", d->metrics_path);
    done = 0;
  }
  trb_context_free(l.ctx);
  texts_free(l.texts);
  pupil_end(&l.student);
  return done;
}
