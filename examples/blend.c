/* blend.c - the blend at two prefixes: align two vocabularies, solve for several budgets, draw tokens, anneal.
 *
 * Student and teacher share the first six words and the list of ids, but the student ends a text with id 6 and the
 * teacher with id 7. A real program gets the logits from its models; here they are written down. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <trb.h>

enum { ROWS = 2, VOCAB = 8, STUDENT_END = 6, TEACHER_END = 7, DRAWS = 4 };

static const char *const word[VOCAB] = {"the", "a", "cat", "dog", "sat", "ran", "<end>", "<stop>"};

/* [prefix][token]: the first prefix is the beginning of a text, the second could be its end. */
static float student_logits[ROWS][VOCAB] = {{1.5f, 1.9f, 0.3f, 0.8f, -0.5f, -0.4f, -1.0f, -6.0f},
                                            {0.2f, 0.1f, -1.0f, -0.7f, 0.9f, 1.6f, 1.1f, -6.0f}};
static float teacher_logits[ROWS][VOCAB] = {{4.0f, 2.0f, -1.0f, -1.5f, -3.0f, -3.0f, -9.0f, -5.0f},
                                            {-2.0f, -2.0f, -3.0f, -3.0f, 1.0f, 0.5f, -9.0f, 4.0f}};

static const trb_logits student = {
    .data = student_logits, .rows = ROWS, .vocab = VOCAB, .stride = VOCAB, .dtype = TRB_F32};
static const trb_logits teacher = {
    .data = teacher_logits, .rows = ROWS, .vocab = VOCAB, .stride = VOCAB, .dtype = TRB_F32};

/* Ends the program unless all is well. ctx holds the words for it. */
static void must(const trb_context *ctx, trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "%s: %s\n", trb_strerror(status), trb_context_error(ctx));
  exit(1);
}

/* The event "the text ends" gets the student's id in both models. */
static void merge_ends(trb_context *ctx) {
  const int64_t from = TEACHER_END, to = STUDENT_END;
  must(ctx, trb_merge_tokens(ctx, &student, &from, &to, 1));
  must(ctx, trb_merge_tokens(ctx, &teacher, &from, &to, 1));
  printf("%s now stands for %s in both models.\n", word[STUDENT_END], word[TEACHER_END]);
}

static void print_budgets(trb_context *ctx) {
  const double budgets[] = {0.0, 0.001, 0.01, 0.05, 0.2, 1.0, INFINITY};
  printf("\nprefix  budget    beta  KL(mu||p)  KL(mu||q)  status\n");
  for (int r = 0; r < ROWS; r++) {
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
      trb_blend blend[ROWS];
      must(ctx, trb_solve(ctx, &student, &teacher, &budgets[i], 1, NULL, blend));
      printf("%6d  %6g  %.4f    %.5f    %.5f  %s\n", r, budgets[i], blend[r].beta, blend[r].kl_student,
             blend[r].kl_teacher, trb_row_strerror(blend[r].status));
    }
  }
}

/* The same seed, sequence and position always give the same token, whatever else is in the batch. */
static void print_draws(trb_context *ctx, double budget) {
  trb_blend blend[ROWS];
  must(ctx, trb_solve(ctx, &student, &teacher, &budget, 1, NULL, blend));
  printf("\nDraws at budget %g, and what each token would have been under the three distributions:\n", budget);
  printf("prefix  token     log mu   log p   log q\n");
  for (int64_t i = 0; i < DRAWS; i++) {
    const uint64_t stream[ROWS] = {0, 1};
    const int64_t index[ROWS] = {i, i};
    const trb_sampler sampler = {.size = sizeof sampler, .seed = 1, .stream = stream, .index = index};
    trb_draw draw[ROWS];
    must(ctx, trb_sample(ctx, &student, &teacher, blend, &sampler, draw));
    for (int r = 0; r < ROWS; r++) {
      printf("%6d  %-8s  %6.3f  %6.3f  %6.3f\n", r, word[draw[r].token], draw[r].log_behavior, draw[r].log_student,
             draw[r].log_teacher);
    }
  }
}

static void print_schedule(trb_context *ctx) {
  const trb_schedule schedule = {.size = sizeof schedule, .kind = TRB_SCHEDULE_LINEAR, .initial = 0.05, .steps = 50};
  printf("\nstep  budget  beta at prefix 0  beta at prefix 1\n");
  for (int64_t k = 0; k <= 60; k += 10) {
    double budget;
    trb_blend blend[ROWS];
    must(ctx, trb_schedule_at(ctx, &schedule, k, &budget));
    must(ctx, trb_solve(ctx, &student, &teacher, &budget, 1, NULL, blend));
    printf("%4" PRId64 "  %6.3f  %16.4f  %16.4f\n", k, budget, blend[0].beta, blend[1].beta);
  }
}

int main(void) {
  trb_context *ctx;
  must(NULL, trb_context_new(NULL, &ctx));
  merge_ends(ctx);
  print_budgets(ctx);
  print_draws(ctx, 0.05);
  print_schedule(ctx);
  trb_context_free(ctx);
  return 0;
}
