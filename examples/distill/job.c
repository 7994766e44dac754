/* job.c - what a job does: it loads the models that it needs, trains, and leaves what it made in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "decoder/checkpoint.h"
#include "decoder/llama2.h"
#include "onpolicy.h"
#include "plan.h"
#include "supervise.h"

void job_name(const job *j, char *name, size_t capacity) {
  const char *of = j->world->id;
  if (j->kind == JOB_TEACHER) snprintf(name, capacity, "%s: teacher", of);
  if (j->kind == JOB_BASE) snprintf(name, capacity, "%s: base student, seed %lld", of, (long long)j->seed);
  if (j->kind == JOB_RUN) snprintf(name, capacity, "%s: %s, seed %lld", of, j->method.label, (long long)j->seed);
}

/* ---- Teachers and base students ---- */

static course course_of(const job *j) {
  const setting *of = &j->world->of;
  const int teacher = j->kind == JOB_TEACHER;
  return (course){.of = j->world->task,
                  .shape = teacher ? of->teacher : of->student,
                  .stages = teacher ? &of->teacher_stage : of->base_stages,
                  .n_stages = teacher ? 1 : MOST_STAGES,
                  .seed = (uint64_t)j->seed,
                  .identity = j->identity,
                  .path = j->model};
}

/* ---- Runs ---- */

static int is_llama(const char *path) {
  const size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".bin") == 0;
}

static decoder *load_model(const char *path, char *why) {
  decoder *d = NULL;
  int64_t step;
  if (is_llama(path)) return llama2_load(path, why);
  return checkpoint_load(path, 0, &step, &d, NULL, why) ? d : NULL;
}

static run_head head_of(const job *j) {
  const world *w = j->world;
  run_head head = {.world_order = j->world_order,
                   .method_order = j->method_order,
                   .seed = j->seed,
                   .steps = w->of.steps,
                   .judged = w->task->judged,
                   .derailed = w->of.teacher_stage.derailed};
  snprintf(head.setting, sizeof head.setting, "%s", w->of.name);
  snprintf(head.world, sizeof head.world, "%s", w->id);
  snprintf(head.title, sizeof head.title, "%s", w->title);
  snprintf(head.method, sizeof head.method, "%s", j->method.id);
  snprintf(head.label, sizeof head.label, "%s", j->method.label);
  snprintf(head.identity, sizeof head.identity, "%016llx", (unsigned long long)j->identity);
  return head;
}

/* Longest response that task and models allow. */
static int64_t response_of(const task *t, const decoder *teacher, const decoder *student) {
  const int64_t context =
      teacher->shape.context < student->shape.context ? teacher->shape.context : student->shape.context;
  return t->response < context - t->prompt ? t->response : context - t->prompt;
}

static lm *load_lm(const char *path, char *why) {
  decoder *d = load_model(path, why);
  lm *m = d != NULL ? lm_new(d) : NULL;
  if (d != NULL && m == NULL) snprintf(why, 256, "%s: no memory for the model", path);
  return m;
}

lm *job_teacher(const job *j, char *why) {
  return load_lm(j->teacher, why);
}

lm *job_student(const job *j, char *why) {
  lm *m = load_lm(j->base, why);
  if (m != NULL) lm_let_slip(m, j->world->of.slip, j->world->task);
  return m;
}

int64_t job_response(const job *j, const lm *teacher, const lm *student) {
  return response_of(j->world->task, teacher->decoder, student->decoder);
}

/* A student that came from a file of llama2.c goes back into one, beside its checkpoint. */
static int export_student(const job *j, char *why) {
  char path[PLAN_PATH + 4];
  int64_t step;
  decoder *d;
  if (!is_llama(j->base)) return 1;
  if (!checkpoint_load(j->model, j->identity, &step, &d, NULL, why)) return 0;
  snprintf(path, sizeof path, "%.*s.bin", (int)(strlen(j->model) - strlen(".model")), j->model);
  const int saved = llama2_save(path, d, why);
  decoder_free(d);
  return saved;
}

static int distill_base(const job *j, lm *teacher, const decoder *base, tell_fn tell, void *user, char *why) {
  const distillation d = {.of = &j->world->of,
                          .task = j->world->task,
                          .method = &j->method,
                          .head = head_of(j),
                          .seed = (uint64_t)j->seed,
                          .identity = j->identity,
                          .response = response_of(j->world->task, teacher->decoder, base),
                          .teacher = teacher,
                          .base = base,
                          .metrics_path = j->metrics,
                          .model_path = j->model};
  if (d.response < 1) {
    snprintf(why, 256, "%.100s: expected models with a context above %lld tokens, the longest prompt", j->teacher,
             (long long)j->world->task->prompt);
    return 0;
  }
  return distill(&d, tell, user, why) && export_student(j, why);
}

static int do_run(const job *j, tell_fn tell, void *user, char *why) {
  int done = 0;
  decoder *base = load_model(j->base, why);
  lm *teacher = base != NULL ? job_teacher(j, why) : NULL;
  if (teacher != NULL) done = distill_base(j, teacher, base, tell, user, why);
  lm_free(teacher);
  decoder_free(base);
  return done;
}

/* ---- Both ---- */

int job_is_done(const job *j) {
  char why[256];
  if (j->kind == JOB_RUN) {
    run_head head = head_of(j);
    run *r = metrics_read(j->metrics, why);
    const int done = r != NULL && r->complete && strcmp(r->head.identity, head.identity) == 0;
    run_free(r);
    return done;
  }
  decoder *d;
  int64_t step;
  if (!checkpoint_load(j->model, j->identity, &step, &d, NULL, why)) return 0;
  decoder_free(d);
  const course c = course_of(j);
  return step == course_steps(&c);
}

/* OpenBLAS's kernels prefetch from a buffer beyond what small products have ever written. On some machines looking for
 * pages that are not there makes these products take three times as long; a larger one writes the buffer. */
static void wake_openblas(void) {
  enum { N = 512 };
  float *x = calloc(3 * N * N, sizeof *x);
  if (x == NULL) return;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1.0f, x, N, x + N * N, N, 0.0f, x + 2 * N * N, N);
  free(x);
}

int job_do(const job *j, tell_fn tell, void *user, char *why) {
  wake_openblas();
  if (j->kind == JOB_RUN) return do_run(j, tell, user, why);
  const course c = course_of(j);
  return supervise(&c, tell, user, why);
}

static double count_weights(const decoder_shape *s) {
  return (double)s->layers * s->dim * (4.0 * s->dim + 2.0 * s->hidden) + (double)s->vocab * s->dim;
}

/* Floating-point operations, and for each step of sampling what its small products waste. */
double job_cost(const job *j) {
  const setting *of = &j->world->of;
  const task *t = j->world->task;
  const double tokens = (double)(t->prompt + t->response), waste = 6e6;
  if (j->kind == JOB_RUN) {
    const double evaluations = (double)(of->steps / of->evaluate_every);
    const double sequences =
        (double)(of->steps * of->prompts + of->final_prompts) + evaluations * (double)of->evaluate_prompts;
    return tokens * sequences * (6.0 * count_weights(&of->student) + 4.0 * count_weights(&of->teacher)) +
           waste * (double)(of->steps * t->response);
  }
  const course c = course_of(j);
  double documents = 0.0;
  for (int i = 0; i < c.n_stages; i++) documents += (double)(c.stages[i].steps * c.stages[i].documents);
  return 6.0 * documents * tokens * count_weights(&c.shape);
}
