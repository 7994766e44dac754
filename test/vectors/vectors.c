/* vectors.c - the bits of results, the same on every machine, compiler and instruction set.
 *
 * Runs each function over the same rows, with every instruction set that is there, and compares a hash (64-bit FNV-1a)
 * of all outputs with the one in expected.txt. Needs nothing but the library, so that it also runs where no test
 * framework is, such as under an emulator. A change that is meant to change results regenerates the file: vectors >
 * expected.txt. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trb.h"

/* Short rows and long ones, which the library works in different ways. */
enum { ROWS = 12, STRIDE = 5008 };
static const int64_t vocabs[] = {2500, 5000};

static uint64_t state;

static uint64_t next_random(void) { /* splitmix64 */
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* In [0, 1); no function of the C library takes part. */
static float uniform(void) {
  return (float)(next_random() >> 40) * 0x1p-24f;
}

static uint64_t hash;

static void add(const void *data, size_t bytes) {
  const unsigned char *c = data;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ c[i]) * UINT64_C(1099511628211);
}

typedef struct batch {
  trb_context *ctx;
  trb_logits s, t, grad;
  size_t bytes; /* of grad */
} batch;

/* Rows of many kinds: smooth, spiky, nearly equal, masked on either side, far apart, huge. */
static void fill(float *s, float *t, int64_t vocab) {
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < vocab; v++) {
      float x = 8.0f * uniform() - 4.0f, y = x + 2.0f * (uniform() - 0.5f);
      const float dice = uniform();
      if (r % 6 == 1 && dice < 0.01f) x += 12.0f;
      if (r % 6 == 2) y = x + 1e-3f * dice;
      if (r % 6 == 3 && dice < 0.05f) y = -INFINITY;
      if (r % 6 == 3 && dice > 0.95f) x = -INFINITY;
      if (r % 6 == 4) y = -40.0f * x;
      if (r % 6 == 5) x *= r > 6 ? 1e28f : 1e3f;
      s[r * STRIDE + v] = x;
      t[r * STRIDE + v] = y;
    }
}

static void line(const char *name) {
  printf("%-24s %016llx\n", name, (unsigned long long)hash);
  hash = UINT64_C(14695981039346656037);
}

/* Padding would not be the same everywhere, so fields are added one by one where a struct has any. None here has. */
static void run_blend(const batch *b) {
  static const double budgets[] = {0.0, 1e-6, 1e-4, 0.02, 0.5, 8.0, INFINITY};
  trb_blend blend[ROWS];
  trb_draw draw[ROWS];
  for (int method = 0; method < 2; method++)
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
      const trb_solve_options options = {.size = sizeof options, .method = method};
      trb_solve(b->ctx, &b->s, &b->t, &budgets[i], 1, &options, blend);
      add(blend, sizeof blend);
      trb_sampler sampler = {.size = sizeof sampler, .seed = 5 + i};
      trb_sample(b->ctx, &b->s, &b->t, blend, &sampler, draw);
      add(draw, sizeof draw);
      sampler.top_k = 40;
      sampler.top_p = 0.9;
      sampler.min_p = 0.01;
      trb_sample(b->ctx, &b->s, &b->t, blend, &sampler, draw);
      add(draw, sizeof draw);
      trb_write_blend(b->ctx, &b->s, &b->t, blend, &b->grad);
      add(b->grad.data, b->bytes);
    }
  const double beta = 0.37;
  trb_blend_at(b->ctx, &b->s, &b->t, &beta, 1, blend);
  add(blend, sizeof blend);
  line("solve, sample, write");
}

static void run_losses(const batch *b) {
  double loss[ROWS], weight[ROWS];
  trb_loss_row rows[ROWS];
  for (int r = 0; r < ROWS; r++) weight[r] = 0.25 * r;
  for (int form = 0; form <= TRB_FORM_GENERALIZED; form++)
    for (int support = 0; support < (form == TRB_FORM_FULL ? 1 : 3); support++) {
      const trb_loss_options options = {
          .size = sizeof options, .form = form, .support = support, .k = support ? 16 : 0};
      trb_reverse_kl(b->ctx, &b->s, &b->t, weight, &options, loss, &b->grad, rows);
      add(loss, sizeof loss);
      add(rows, sizeof rows);
      add(b->grad.data, b->bytes);
    }
  line("reverse KL");
  for (int kind = 0; kind < 2; kind++) {
    const trb_divergence_options options = {.size = sizeof options, .kind = kind, .b = kind ? 0.3 : 0.0};
    trb_divergence(b->ctx, &b->s, &b->t, weight, &options, loss, &b->grad, rows);
    add(loss, sizeof loss);
    add(b->grad.data, b->bytes);
  }
  line("forward KL, JSD");
}

static void run_terms(const batch *b) {
  trb_term terms[ROWS];
  int64_t token[ROWS];
  for (int r = 0; r < ROWS; r++) token[r] = (r * 211) % b->s.vocab;
  for (int e = 0; e <= TRB_ESTIMATOR_K3; e++) {
    const trb_term_options options = {.size = sizeof options, .estimator = e};
    trb_token_terms(b->ctx, &b->s, &b->t, token, NULL, NULL, &options, terms, &b->grad);
    add(terms, sizeof terms);
    add(b->grad.data, b->bytes);
  }
  line("token terms");
}

static void run_rest(const batch *b) {
  const int64_t from[] = {3, 900}, to[] = {4, 2000};
  trb_merge_tokens(b->ctx, &b->s, from, to, 2);
  add(b->s.data, b->bytes);
  for (int kind = 0; kind <= TRB_SCHEDULE_COSINE; kind++)
    for (int64_t k = 0; k < 60; k++) {
      const trb_schedule schedule = {.size = sizeof schedule, .kind = kind, .initial = 0.02, .steps = 50};
      double budget;
      trb_schedule_at(b->ctx, &schedule, k, &budget);
      add(&budget, sizeof budget);
    }
  line("merge, schedule");
}

static void run_later(const batch *b) {
  double entropy[ROWS];
  trb_term terms[ROWS];
  int64_t token[ROWS];
  trb_entropy(b->ctx, &b->s, entropy);
  add(entropy, sizeof entropy);
  trb_entropy(b->ctx, &b->t, entropy);
  add(entropy, sizeof entropy);
  line("entropy");
  for (int r = 0; r < ROWS; r++) token[r] = (r * 211) % b->s.vocab;
  const trb_term_options options = {.size = sizeof options, .estimator = TRB_ESTIMATOR_NLL};
  trb_token_terms(b->ctx, &b->s, &b->t, token, NULL, NULL, &options, terms, &b->grad);
  add(terms, sizeof terms);
  add(b->grad.data, b->bytes);
  line("negative log-likelihood");
}

/* Every row a block of its own; what is NaN is left out. */
static void run_verify(const batch *b) {
  int64_t token[ROWS], offset[ROWS + 1];
  for (int r = 0; r <= ROWS; r++) offset[r] = r;
  for (int r = 0; r < ROWS; r++) token[r] = (r * 307) % b->s.vocab;
  for (int filtered = 0; filtered < 2; filtered++) {
    const trb_texts proposals = {token, offset, ROWS};
    const trb_sampler sampler = {.size = sizeof sampler, .seed = 21, .top_p = filtered ? 0.9 : 0.0};
    const trb_verify_options options = {.size = sizeof options, .sampler = &sampler};
    const double budget = 0.05;
    trb_verdict verdict[ROWS];
    trb_verify(b->ctx, &b->s, &b->t, &proposals, &budget, 1, &options, NULL, verdict);
    add(verdict, sizeof verdict);
  }
  line("verify");
}

static void run_lists(const batch *b) {
  enum { K = 12 };
  static const int32_t forms[] = {TRB_FORM_FULL, TRB_FORM_RENORMALIZED};
  int64_t ids[ROWS * K];
  float log_q[ROWS * K];
  for (int i = 0; i < ROWS * K; i++) ids[i] = (i * 307) % b->s.vocab;
  for (int i = 0; i < ROWS * K; i++) log_q[i] = -2.75f - 0.5f * (float)(i % K);
  const trb_sparse lists = {.ids = ids, .log_q = log_q, .k = K};
  const double budget = 0.05;
  double loss[ROWS];
  trb_sparse_blend blend[ROWS];
  trb_draw draw[ROWS];
  trb_solve_sparse(b->ctx, &b->s, &lists, &budget, 1, NULL, blend);
  add(blend, sizeof blend);
  for (int filtered = 0; filtered < 2; filtered++) {
    const trb_sampler sampler = {.size = sizeof sampler, .seed = 31, .min_p = filtered ? 0.01 : 0.0};
    trb_sample_sparse(b->ctx, &b->s, &lists, blend, &sampler, draw);
    add(draw, sizeof draw);
  }
  for (int i = 0; i < 2; i++) {
    const trb_loss_options options = {.size = sizeof options, .form = forms[i]};
    trb_reverse_kl_sparse(b->ctx, &b->s, &lists, NULL, &options, loss, &b->grad, NULL);
    add(loss, sizeof loss);
    add(b->grad.data, b->bytes);
  }
  line("lists");
}

/* ---- Rollouts ---- */

enum { WORDS = 300 };

/* Logits from a hash of the prefix, for the student in f32 and for the teacher in the upper half of that, bf16. */
static int32_t answer(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  char *at = out->data;
  for (int64_t i = 0; i < n; i++)
    for (int64_t last = queries[i].length - queries[i].rows; last < queries[i].length; last++) {
      state = *(const uint64_t *)user;
      for (int64_t k = 0; k <= last; k++) state = next_random() + (uint64_t)queries[i].tokens[k];
      for (int64_t v = 0; v < WORDS; v++) {
        const float x = 8.0f * uniform() - 4.0f;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        const uint16_t half = (uint16_t)(bits >> 16);
        if (out->dtype == TRB_F32) memcpy(at, &bits, sizeof bits);
        if (out->dtype == TRB_BF16) memcpy(at, &half, sizeof half);
        at += out->dtype == TRB_F32 ? sizeof bits : sizeof half;
      }
    }
  return TRB_CONTINUE;
}

/* What is not known is NaN, of any sign. */
static void add_known(const double *x, int64_t n) {
  for (int64_t t = 0; t < n; t++) {
    const int known = !isnan(x[t]);
    add(&known, sizeof known);
    if (known) add(&x[t], sizeof x[t]);
  }
}

static void add_rollouts(const trb_rollouts *r) {
  const double *columns[] = {r->log_sampled, r->log_behavior, r->log_student, r->log_teacher,     r->beta,
                             r->kl_student,  r->kl_teacher,   r->reverse_kl,  r->entropy_student, r->entropy_teacher};
  add(r->text, (size_t)r->text_offset[r->n] * sizeof *r->text);
  add(r->offset, (size_t)(r->n + 1) * sizeof *r->offset);
  add(r->stop, (size_t)r->n * sizeof *r->stop);
  add(r->status, (size_t)r->n_tokens * sizeof *r->status);
  for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) add_known(columns[c], r->n_tokens);
  if (r->proposed == 0) return;
  add_known(r->tv, r->n_tokens);
  add(r->verdict, (size_t)r->n_tokens * sizeof *r->verdict);
  add(r->argmax_teacher, (size_t)r->n_tokens * sizeof *r->argmax_teacher);
}

/* Every behavior, with an end token of the teacher's own; filters on one of them. */
static void run_rollouts(trb_context *ctx) {
  static const struct {
    const char *name;
    trb_rollout_options options;
  } runs[] = {{"rollouts: budget", {.behavior = TRB_BEHAVIOR_BUDGET, .budget = 0.05}},
              {"rollouts: beta", {.behavior = TRB_BEHAVIOR_BETA, .beta = 0.3}},
              {"rollouts: student", {.behavior = TRB_BEHAVIOR_STUDENT, .temperature = 0.8}},
              {"rollouts: teacher", {.behavior = TRB_BEHAVIOR_TEACHER, .temperature = 1.2}},
              {"rollouts: skd", {.behavior = TRB_BEHAVIOR_SKD, .top_k = 5, .temperature = 0.9}},
              {"rollouts: blocks", {.behavior = TRB_BEHAVIOR_BUDGET, .budget = 0.05, .block = 5}}};
  static const int64_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, offset[] = {0, 1, 3, 6, 7, 9};
  static const int64_t end_student[] = {10}, end_teacher[] = {20}, stop[] = {30};
  uint64_t seeds[] = {11, 12};
  const trb_texts prompts = {tokens, offset, 5};
  const trb_ends ends = {end_student, end_teacher, 1};
  const trb_model student = {sizeof student, WORDS, answer, NULL, &seeds[0], TRB_F32, 0.9f};
  const trb_model teacher = {sizeof teacher, WORDS, answer, NULL, &seeds[1], TRB_BF16, 0.0f};
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    const trb_sampler sampler = {.size = sizeof sampler, .seed = 99, .top_p = i == 1 ? 0.9 : 0.0};
    trb_rollout_options options = runs[i].options;
    trb_rollouts *r;
    options.size = sizeof options;
    options.sampler = &sampler;
    options.stop = stop;
    options.n_stop = 1;
    options.ends = &ends;
    options.max_tokens = 40;
    if (trb_rollout(ctx, &student, &teacher, &prompts, &options, &r) == TRB_OK) add_rollouts(r);
    trb_rollouts_free(r);
    line(runs[i].name);
  }
}

static void run_rows(trb_context *ctx, int64_t vocab) {
  static float s[ROWS * STRIDE], t[ROWS * STRIDE], grad[ROWS * STRIDE];
  const batch b = {.ctx = ctx,
                   .s = {s, ROWS, vocab, STRIDE, TRB_F32, 0.0f},
                   .t = {t, ROWS, vocab, STRIDE, TRB_F32, 1.3f},
                   .grad = {grad, ROWS, vocab, STRIDE, TRB_F32, 0.0f},
                   .bytes = sizeof grad};
  memset(grad, 0, sizeof grad);
  state = 2026;
  fill(s, t, vocab);
  printf("rows of %lld tokens\n", (long long)vocab);
  run_blend(&b);
  run_losses(&b);
  run_terms(&b);
  run_rest(&b);
  run_later(&b);
  run_verify(&b);
  run_lists(&b);
}

/* NaN has many patterns and only one meaning: every function writes quiet ones, but the sign is the machine's. Rows of
 * this batch hold none. */
static int run_isa(int32_t isa) {
  const trb_context_options options = {.size = sizeof options, .isa = isa, .threads = 2};
  trb_context *ctx;
  if (trb_context_new(&options, &ctx) != TRB_OK) return 0;
  hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < sizeof vocabs / sizeof *vocabs; i++) run_rows(ctx, vocabs[i]);
  run_rollouts(ctx);
  trb_context_free(ctx);
  return 1;
}

/* Prints the hashes of one instruction set, TRB_ISA_AUTO unless a number is given; exit status 3 if it is not there. */
int main(int argc, char **argv) {
  return run_isa(argc > 1 ? atoi(argv[1]) : TRB_ISA_AUTO) ? 0 : 3;
}
