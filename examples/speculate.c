/* speculate.c - blocks of proposals: the same tokens, fewer calls of the teacher.
 *
 * The models are tables, as in train.c: the teacher counts, the student has half forgotten how. With blocks the student
 * proposes tokens one by one and the teacher answers all of them at once; trb_verify, inside of trb_rollout, accepts or
 * corrects them so that what stands is distributed as the blend. A training step may then route the corrected tokens to
 * the teacher's own choice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trb.h>

enum { VOCAB = 32, TEXTS = 64, LENGTH = 48 };

typedef struct table {
  float logits[VOCAB][VOCAB]; /* [last token, next token] */
  int64_t rows;               /* that were asked for */
} table;

static int32_t forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  table *model = user;
  float *row = out->data;
  for (int64_t q = 0; q < n; q++)
    for (int64_t k = 0; k < queries[q].rows; k++, row += VOCAB)
      memcpy(row, model->logits[queries[q].tokens[queries[q].length - queries[q].rows + k]], sizeof model->logits[0]);
  model->rows += out->rows;
  return TRB_CONTINUE;
}

static int32_t backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  (void)queries;
  (void)n;
  (void)grad; /* a real model would add to the gradient of its parameters */
  (void)user;
  return TRB_CONTINUE;
}

static void must(trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "%s\n", trb_strerror(status));
  exit(1);
}

static trb_rollouts *roll_out(const trb_model *student, const trb_model *teacher, double budget, int64_t block) {
  const int64_t prompt = 0, offset[] = {0, 1};
  const trb_texts prompts = {&prompt, offset, 1};
  const trb_rollout_options options = {
      .size = sizeof options, .budget = budget, .block = block, .max_tokens = LENGTH, .repeats = TEXTS};
  trb_rollouts *r;
  must(trb_rollout(NULL, student, teacher, &prompts, &options, &r));
  return r;
}

int main(void) {
  static table p, q;
  for (int a = 0; a < VOCAB; a++) {
    q.logits[a][(a + 1) % VOCAB] = 4.0f;
    p.logits[a][(a + 1) % VOCAB] = 3.0f;
    p.logits[a][(a * 5 + 2) % VOCAB] += 2.0f;
  }
  const trb_model student = {
      .size = sizeof student, .vocab = VOCAB, .forward = forward, .backward = backward, .user = &p};
  const trb_model teacher = {.size = sizeof teacher, .vocab = VOCAB, .forward = forward, .user = &q};
  puts("budget   block   teacher calls   tokens/call   corrected   dropped   first tokens");
  for (int i = 0; i < 2; i++)
    for (int64_t block = 1; block <= 16; block *= 2) {
      const double budget = i ? 0.1 : 0.02;
      trb_rollouts *r = roll_out(&student, &teacher, budget, block);
      trb_totals totals = {.size = sizeof totals};
      must(trb_rollouts_totals(NULL, r, &totals));
      printf("%6.2f   %5d   %13d   %11.2f   %8.1f%%   %6.1f%%  ", budget, (int)block, (int)r->teacher_calls,
             (double)r->n_tokens / (double)(TEXTS * r->teacher_calls),
             100.0 * (double)totals.corrected / (double)totals.tokens,
             100.0 * (double)(r->proposed - r->n_tokens) / (double)r->proposed);
      for (int k = 0; k < 6; k++) printf(" %2d", (int)r->token[k]);
      puts("");
      trb_rollouts_free(r);
    }
  trb_rollouts *r = roll_out(&student, &teacher, 0.1, 8);
  const trb_train_options options = {.size = sizeof options, .routed = 1};
  trb_train_report report = {.size = sizeof report};
  must(trb_train_step(NULL, &student, &teacher, r, &options, NULL, NULL, &report));
  printf("routed step: %d of %d tokens to the teacher's choice, mean loss %.3f there, %.3f in all\n",
         (int)report.routed, (int)report.tokens, report.routed_loss, report.loss);
  trb_rollouts_free(r);
  return 0;
}
