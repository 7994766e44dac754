/* train.c - a model of one's own: two callbacks, rollouts within an annealed budget, and a training step.
 *
 * The models are tables: the logits of the next token depend on the last one alone. The teacher counts from 0 to 9 and
 * ends; the student has forgotten how. A real model would run its network in forward, from its cache up to `known`, and
 * its back-propagation in backward. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trb.h>

enum { VOCAB = 11, END = 10, PROMPTS = 16, LENGTH = 12, STEPS = 60, WARMUP = 40 };

typedef struct table {
  float logits[VOCAB][VOCAB]; /* [last token, next token] */
  float grad[VOCAB][VOCAB];   /* what backward adds up */
} table;

/* Row k of a query is that of the token rows - k before its end. */
static int64_t last_token(const trb_query *query, int64_t k) {
  return query->tokens[query->length - query->rows + k];
}

static int32_t forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  const table *model = user;
  float *row = out->data;
  for (int64_t q = 0; q < n; q++)
    for (int64_t k = 0; k < queries[q].rows; k++, row += VOCAB)
      memcpy(row, model->logits[last_token(&queries[q], k)], sizeof model->logits[0]);
  return TRB_CONTINUE;
}

static int32_t backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  table *model = user;
  const float *row = grad->data;
  for (int64_t q = 0; q < n; q++)
    for (int64_t k = 0; k < queries[q].rows; k++, row += VOCAB)
      for (int v = 0; v < VOCAB; v++) model->grad[last_token(&queries[q], k)][v] += row[v];
  return TRB_CONTINUE;
}

static trb_model as_model(table *of) {
  return (trb_model){.size = sizeof(trb_model), .vocab = VOCAB, .forward = forward, .backward = backward, .user = of};
}

static void must(const trb_context *ctx, trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "%s: %s\n", trb_strerror(status), trb_context_error(ctx));
  exit(1);
}

static void descend(table *model, float rate) {
  for (int a = 0; a < VOCAB; a++)
    for (int v = 0; v < VOCAB; v++) model->logits[a][v] -= rate * model->grad[a][v];
  memset(model->grad, 0, sizeof model->grad);
}

/* One step: who writes is the blend within this step's budget, what is descended is the reverse KL where it wrote. */
static void step(trb_context *ctx, int64_t k, const trb_model *student, const trb_model *teacher) {
  const trb_schedule schedule = {.size = sizeof schedule, .initial = 0.1, .steps = WARMUP};
  const int64_t end = END, prompt = 0, offset[] = {0, 1};
  const trb_texts prompts = {&prompt, offset, 1};
  const trb_sampler sampler = {.size = sizeof sampler, .seed = (uint64_t)k};
  trb_rollout_options options = {.size = sizeof options,
                                 .sampler = &sampler,
                                 .stop = &end,
                                 .n_stop = 1,
                                 .max_tokens = LENGTH,
                                 .repeats = PROMPTS,
                                 .keep_bytes = 1 << 20};
  trb_rollouts *rollouts;
  trb_totals totals = {.size = sizeof totals};
  trb_train_report report = {.size = sizeof report};
  must(ctx, trb_schedule_at(ctx, &schedule, k, &options.budget));
  must(ctx, trb_rollout(ctx, student, teacher, &prompts, &options, &rollouts));
  must(ctx, trb_train_step(ctx, student, teacher, rollouts, NULL, NULL, NULL, &report));
  must(ctx, trb_rollouts_totals(ctx, rollouts, &totals));
  if (k % 10 == 0)
    printf("%4d   %.3f   %.3f   %8.3f   %8.3f   %5.2f   %9d\n", (int)k, options.budget, totals.beta, totals.sequence_kl,
           report.loss, totals.mean_length, (int)rollouts->teacher_calls);
  trb_rollouts_free(rollouts);
}

int main(void) {
  table teacher = {.logits = {{0}}}, student = {.logits = {{0}}};
  trb_context *ctx;
  must(NULL, trb_context_new(NULL, &ctx));
  for (int a = 0; a < VOCAB; a++) {
    teacher.logits[a][a < END ? a + 1 : END] = 6.0f;
    student.logits[a][(a * 7) % VOCAB] = 1.0f;
  }
  const trb_model p = as_model(&student), q = as_model(&teacher);
  puts("step   budget   beta   KL(text)    KL(p||q)   length   teacher calls");
  for (int64_t k = 0; k <= STEPS; k++) {
    step(ctx, k, &p, &q);
    descend(&student, 2.0f);
  }
  trb_context_free(ctx);
  return 0;
}
