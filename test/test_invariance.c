/* test_invariance.c - the same bits from every function for any number of threads, split of the batch, stride, element
 * type of the same numbers, and instruction set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "common.h"

enum { SHARED = 5, ROWS = 9, SAMPLERS = 6, VERIFIERS = 3, SPARSE = 3, LOSSES = 15, ESTIMATORS = 5, K = 20 };

static const int families[ROWS] = {FAMILY_SPIKY,        FAMILY_CORRELATED,   FAMILY_MASK_BOTH,
                                   FAMILY_GAUSSIAN,     FAMILY_MASK_TEACHER, FAMILY_PEAKED,
                                   FAMILY_NEARLY_EQUAL, FAMILY_DEEP_TAIL,    FAMILY_FLAT};

/* What all calls are given. Row 3 holds a NaN, row 4 has weight 0. */
typedef struct inputs {
  const trb_logits *student, *teacher;
  float log_q[ROWS * K];
  double budget[ROWS], beta[ROWS], weight[ROWS], log_behavior[ROWS];
  uint64_t stream[ROWS];
  int64_t index[ROWS], token[ROWS], ids[ROWS * K];
} inputs;

/* What they give. */
typedef struct results {
  trb_blend solved[ROWS], bisected[ROWS], given[ROWS];
  trb_draw draw[SAMPLERS][ROWS];
  trb_verdict verdict[VERIFIERS][ROWS];
  trb_blend verified[ROWS];
  trb_sparse_blend listed[ROWS];
  trb_draw listed_draw[2][ROWS];
  double listed_loss[SPARSE][ROWS];
  trb_loss_row listed_row[SPARSE][ROWS];
  double loss[LOSSES][ROWS];
  trb_loss_row row[LOSSES][ROWS];
  trb_term term[ESTIMATORS][ROWS];
  double entropy[2][ROWS];
  trb_status status[64]; /* of the last call of each kind that covered all rows */
  matrix log_mu[3], grad[LOSSES], term_grad[ESTIMATORS], listed_grad[SPARSE];
} results;

static results *results_new(int64_t vocab, int64_t stride) {
  results *x = calloc(1, sizeof *x);
  if (!x) abort();
  for (int32_t i = 0; i < 3; i++) x->log_mu[i] = matrix_new(ROWS, vocab, stride, i, 0.0f);
  for (int32_t i = 0; i < LOSSES; i++) x->grad[i] = matrix_new(ROWS, vocab, stride, i % 3, 0.0f);
  for (int32_t i = 0; i < SPARSE; i++) x->listed_grad[i] = matrix_new(ROWS, vocab, stride, i, 0.0f);
  for (int32_t i = 0; i < ESTIMATORS; i++) x->term_grad[i] = matrix_new(ROWS, vocab, stride, i % 3, 0.0f);
  return x;
}

static void results_free(results *x) {
  for (int i = 0; i < 3; i++) matrix_free(&x->log_mu[i]);
  for (int i = 0; i < LOSSES; i++) matrix_free(&x->grad[i]);
  for (int i = 0; i < SPARSE; i++) matrix_free(&x->listed_grad[i]);
  for (int i = 0; i < ESTIMATORS; i++) matrix_free(&x->term_grad[i]);
  free(x);
}

/* ---- All calls on rows [first, first + n) ---- */

typedef struct range {
  trb_context *ctx;
  const inputs *in;
  results *out;
  trb_logits s, t;
  int64_t first, n;
} range;

static void run_blends(const range *x) {
  const inputs *in = x->in;
  results *out = x->out;
  int64_t r = x->first;
  trb_solve_options bisection = {sizeof bisection, 0, TRB_METHOD_BISECTION, 0};
  out->status[0] = trb_solve(x->ctx, &x->s, &x->t, in->budget + r, x->n, NULL, out->solved + r);
  out->status[1] = trb_solve(x->ctx, &x->s, &x->t, in->budget + r, x->n, &bisection, out->bisected + r);
  out->status[2] = trb_blend_at(x->ctx, &x->s, &x->t, in->beta + r, x->n, out->given + r);
  for (int i = 0; i < 3; i++) {
    trb_logits view = matrix_rows(&out->log_mu[i].view, r, x->n);
    out->status[3 + i] = trb_write_blend(x->ctx, &x->s, &x->t, out->solved + r, &view);
  }
}

static void run_samples(const range *x) {
  for (int i = 0; i < SAMPLERS; i++) {
    trb_sampler o = {sizeof o, 7, x->in->stream + x->first, x->in->index + x->first, 0, 0, 0, 0, i};
    if (i & 1) o.top_k = 50;
    if (i & 2) o.top_p = 0.9;
    if (i == 4) o.min_p = 0.01;
    if (i == 5) o.greedy = 1;
    x->out->status[6 + i] = trb_sample(x->ctx, &x->s, &x->t, x->out->given + x->first, &o, x->out->draw[i] + x->first);
  }
}

/* Blocks of one row, so that any split of the batch has the same ones. */
static void run_verifiers(const range *x) {
  int64_t offset[ROWS + 1];
  for (int64_t r = 0; r <= ROWS; r++) offset[r] = x->first + r;
  const trb_texts proposals = {x->in->token, offset, x->n};
  for (int i = 0; i < VERIFIERS; i++) {
    const trb_sampler sampler = {
        sizeof sampler, 8, x->in->stream + x->first, x->in->index + x->first, i == 1 ? 50 : 0, 0, 0, i == 2, 0};
    const trb_verify_options o = {sizeof o, NULL, &sampler, TRB_BEHAVIOR_BUDGET, 0};
    x->out->status[52 + i] = trb_verify(x->ctx, &x->s, &x->t, &proposals, x->in->budget + x->first, x->n, &o,
                                        x->out->verified + x->first, x->out->verdict[i] + x->first);
  }
}

static void run_lists(const range *x) {
  static const int32_t forms[SPARSE] = {TRB_FORM_FULL, TRB_FORM_TRUNCATED, TRB_FORM_GENERALIZED};
  const inputs *in = x->in;
  results *out = x->out;
  const int64_t r = x->first;
  const trb_sparse lists = {in->ids + r * K, in->log_q + r * K, NULL, K, 1e-6};
  out->status[55] = trb_solve_sparse(x->ctx, &x->s, &lists, in->budget + r, x->n, NULL, out->listed + r);
  for (int i = 0; i < 2; i++) {
    const trb_sampler o = {sizeof o, 9, in->stream + r, in->index + r, i ? 30 : 0, 0, 0, 0, i};
    out->status[56 + i] = trb_sample_sparse(x->ctx, &x->s, &lists, out->listed + r, &o, out->listed_draw[i] + r);
  }
  for (int i = 0; i < SPARSE; i++) {
    const trb_loss_options o = {sizeof o, forms[i], 0, 0, NULL};
    const trb_logits grad = matrix_rows(&out->listed_grad[i].view, r, x->n);
    out->status[58 + i] = trb_reverse_kl_sparse(x->ctx, &x->s, &lists, in->weight + r, &o, out->listed_loss[i] + r,
                                                &grad, out->listed_row[i] + r);
  }
}

static void run_losses(const range *x) {
  const double *weight = x->in->weight + x->first;
  for (int32_t i = 0; i < LOSSES; i++) {
    double *loss = x->out->loss[i] + x->first;
    trb_loss_row *row = x->out->row[i] + x->first;
    trb_logits grad = matrix_rows(&x->out->grad[i].view, x->first, x->n);
    if (i < 13) { /* full, then four forms on three supports */
      trb_loss_options o = {sizeof o, i ? (i - 1) / 3 + 1 : 0, i ? (i - 1) % 3 + 1 : 0, i ? K : 0, NULL};
      if (o.support == TRB_SUPPORT_IDS) o.ids = x->in->ids + x->first * K;
      x->out->status[20 + i] = trb_reverse_kl(x->ctx, &x->s, &x->t, weight, &o, loss, &grad, row);
    } else {
      trb_divergence_options o = {sizeof o, i == 13 ? 0.0 : 0.3, i - 13, 0};
      x->out->status[20 + i] = trb_divergence(x->ctx, &x->s, &x->t, weight, &o, loss, &grad, row);
    }
  }
}

static void run_terms(const range *x) {
  for (int32_t i = 0; i < ESTIMATORS; i++) {
    trb_term_options o = {sizeof o, 0, i ? 0 : 1.2, i ? 0 : 3.0, i, 0};
    trb_logits grad = matrix_rows(&x->out->term_grad[i].view, x->first, x->n);
    x->out->status[40 + i] =
        trb_token_terms(x->ctx, &x->s, &x->t, x->in->token + x->first, i ? NULL : x->in->log_behavior + x->first,
                        x->in->weight + x->first, &o, x->out->term[i] + x->first, &grad);
  }
}

static void run_entropies(const range *x) {
  x->out->status[50] = trb_entropy(x->ctx, &x->s, x->out->entropy[0] + x->first);
  x->out->status[51] = trb_entropy(x->ctx, &x->t, x->out->entropy[1] + x->first);
}

static void run(trb_context *ctx, const inputs *in, int64_t first, int64_t n, results *out) {
  range x = {ctx, in, out, matrix_rows(in->student, first, n), matrix_rows(in->teacher, first, n), first, n};
  run_blends(&x);
  run_samples(&x);
  run_verifiers(&x);
  run_lists(&x);
  run_losses(&x);
  run_terms(&x);
  run_entropies(&x);
}

/* ---- Comparison ---- */

static void compare_matrix(const matrix *a, const matrix *b, const char *what) {
  size_t bytes = (size_t)a->view.vocab * (a->view.dtype == TRB_F32 ? 4 : 2);
  for (int64_t r = 0; r < ROWS; r++) {
    trb_logits x = matrix_rows(&a->view, r, 1), y = matrix_rows(&b->view, r, 1);
    ck_assert_msg(memcmp(x.data, y.data, bytes) == 0, "%s: a matrix of type %d differs in row %d", what, a->view.dtype,
                  (int)r);
  }
  ck_assert(matrix_gaps_intact(a) && matrix_gaps_intact(b) && matrix_guarded(a) && matrix_guarded(b));
}

#define SAME(member)                                                                                                   \
  ck_assert_msg(memcmp(&a->member, &b->member, sizeof a->member) == 0, "%s: " #member " differ", what)

static void compare(const results *a, const results *b, bool statuses, const char *what) {
  SAME(solved);
  SAME(bisected);
  SAME(given);
  SAME(draw);
  SAME(verdict);
  SAME(verified);
  SAME(listed);
  SAME(listed_draw);
  SAME(listed_loss);
  SAME(listed_row);
  SAME(loss);
  SAME(row);
  SAME(term);
  SAME(entropy);
  if (statuses) SAME(status);
  for (int i = 0; i < 3; i++) compare_matrix(&a->log_mu[i], &b->log_mu[i], what);
  for (int i = 0; i < LOSSES; i++) compare_matrix(&a->grad[i], &b->grad[i], what);
  for (int i = 0; i < SPARSE; i++) compare_matrix(&a->listed_grad[i], &b->listed_grad[i], what);
  for (int i = 0; i < ESTIMATORS; i++) compare_matrix(&a->term_grad[i], &b->term_grad[i], what);
}

/* ---- The scene ---- */

static void fill_inputs(inputs *in, models *m, rng *g, int64_t vocab, int32_t dtype) {
  *m = models_new(ROWS, vocab, dtype, dtype, 0.9f, 1.1f);
  for (int64_t r = 0; r < ROWS; r++) {
    models_fill_row(m, r, g, families[r]);
    in->budget[r] = r == 7 ? 0.0 : rng_scale(g, 1e-6, 10.0);
    in->beta[r] = r == 7 ? 1.0 : r == 8 ? 0.0 : rng_uniform(g);
    in->weight[r] = r == 4 ? 0.0 : rng_normal(g);
    in->log_behavior[r] = -10.0 * rng_uniform(g);
    in->stream[r] = rng_next(g);
    in->index[r] = rng_between(g, 0, 1000);
    in->token[r] = rng_between(g, 0, vocab - 1);
    for (int i = 0; i < K; i++) in->log_q[r * K + i] = -3.5f - (float)i;
    for (int i = 0; i < K; i++) in->ids[r * K + i] = i % 7 == 6 ? -1 : rng_between(g, 0, vocab - 1);
    in->ids[r * K] = 0;
    in->ids[r * K + 1] = vocab > 1 ? vocab - 1 : 0;
  }
  matrix_set(&m->s, 3, vocab / 2, (double)NAN);
  in->student = &m->s.view;
  in->teacher = &m->t.view;
}

static trb_context *scalar(void) {
  trb_context *ctx = context_with(1, TRB_ISA_SCALAR);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

/* Loop tests run over the three element types. */
START_TEST(test_threads) {
  rng g = {0x171 + (uint64_t)_i};
  inputs in;
  models m;
  const int64_t vocab = long_row(5200);
  fill_inputs(&in, &m, &g, vocab, _i);
  trb_context *one = context_with(1, TRB_ISA_AUTO);
  results *reference = results_new(vocab, 0);
  run(one, &in, 0, ROWS, reference);
  static const int64_t threads[] = {1, 2, 3, 8};
  for (int i = 0; i < 9; i++) {
    results *x = results_new(vocab, 0);
    trb_context *ctx = i == 8  ? NULL
                       : i < 4 ? context_with(threads[i], TRB_ISA_AUTO)
                               : context_on_caller_threads(threads[i % 4]);
    ck_assert(ctx != NULL || i == 8);
    run(ctx, &in, 0, ROWS, x);
    compare(reference, x, true,
            describe("%s, %d threads",
                     i < 4   ? "pool"
                     : i < 8 ? "parallel_for"
                             : "no context",
                     (int)threads[i % 4]));
    trb_context_free(ctx);
    results_free(x);
  }
  trb_context_free(one);
  results_free(reference);
  models_free(&m);
}
END_TEST

/* Rows so long, and so few in a call, that threads share each of them. */
START_TEST(test_shared_rows) {
  rng g = {0x177 + (uint64_t)_i};
  inputs in;
  models m;
  const int64_t vocab = 36003;
  fill_inputs(&in, &m, &g, vocab, _i);
  results *reference = results_new(vocab, 0), *x = results_new(vocab, 0);
  trb_context *shared[] = {context_with(2, TRB_ISA_AUTO), context_with(8, TRB_ISA_AUTO), context_on_caller_threads(3)};
  for (int64_t r = 0; r < SHARED; r++) run(NULL, &in, r, 1, reference);
  for (int i = 0; i < 3; i++) {
    for (int64_t r = 0; r < SHARED; r++) run(shared[i], &in, r, 1, x);
    compare(reference, x, false, describe("shared by threads, %d", i));
    trb_context_free(shared[i]);
  }
  results_free(reference);
  results_free(x);
  models_free(&m);
}
END_TEST

/* Every split of the batch in two, and row by row. */
START_TEST(test_batch_splits) {
  rng g = {0x172 + (uint64_t)_i};
  inputs in;
  models m;
  const int64_t vocab = long_row(1100);
  fill_inputs(&in, &m, &g, vocab, _i);
  trb_context *ctx = context_with(2, TRB_ISA_AUTO);
  results *reference = results_new(vocab, 0);
  run(ctx, &in, 0, ROWS, reference);
  for (int64_t cut = 1; cut <= ROWS; cut++) {
    results *x = results_new(vocab, 0);
    if (cut < ROWS) {
      run(ctx, &in, cut, ROWS - cut, x);
      run(ctx, &in, 0, cut, x);
    } else {
      for (int64_t r = 0; r < ROWS; r++) run(ctx, &in, r, 1, x);
    }
    compare(reference, x, false, describe("cut at %d", (int)cut));
    results_free(x);
  }
  trb_context_free(ctx);
  results_free(reference);
  models_free(&m);
}
END_TEST

/* Strides beyond the vocabulary, of inputs and outputs, the gaps full of NaN. */
START_TEST(test_strides) {
  const int64_t sizes[] = {16, long_row(1000), long_row(1024), long_row(2600)};
  rng g = {0x173 + (uint64_t)_i};
  for (int i = 0; i < 4; i++) {
    inputs in;
    models m;
    fill_inputs(&in, &m, &g, sizes[i], _i);
    results *reference = results_new(sizes[i], 0);
    run(NULL, &in, 0, ROWS, reference);
    for (int64_t gap = 1; gap <= 64; gap += 21) {
      matrix s = matrix_convert(&m.s, sizes[i] + gap, _i), t = matrix_convert(&m.t, sizes[i] + 2 * gap + 1, _i);
      inputs wide = in;
      wide.student = &s.view;
      wide.teacher = &t.view;
      results *x = results_new(sizes[i], sizes[i] + gap + 3);
      run(NULL, &wide, 0, ROWS, x);
      compare(reference, x, true, describe("vocab %d gap %d", (int)sizes[i], (int)gap));
      results_free(x);
      matrix_free(&s);
      matrix_free(&t);
    }
    results_free(reference);
    models_free(&m);
  }
}
END_TEST

/* The numbers of a 16-bit buffer in an f32 buffer. */
START_TEST(test_element_types) {
  rng g = {0x174 + (uint64_t)_i};
  const int64_t sizes[] = {1, 17, long_row(2600)};
  for (int i = 0; i < 3; i++) {
    inputs in;
    models m;
    fill_inputs(&in, &m, &g, sizes[i], _i);
    results *reference = results_new(sizes[i], 0), *x = results_new(sizes[i], 0);
    run(NULL, &in, 0, ROWS, reference);
    matrix s = matrix_convert(&m.s, 0, TRB_F32), t = matrix_convert(&m.t, 0, TRB_F32);
    inputs wide = in;
    wide.student = &s.view;
    wide.teacher = &t.view;
    run(NULL, &wide, 0, ROWS, x);
    compare(reference, x, true, describe("type %d against f32, vocab %d", _i, (int)sizes[i]));
    matrix_free(&s);
    matrix_free(&t);
    results_free(reference);
    results_free(x);
    models_free(&m);
  }
}
END_TEST

/* Every instruction set of this machine against the scalar kernels, on sizes around the lanes and blocks. */
START_TEST(test_instruction_sets) {
  static const int64_t sizes[] = {1, 2, 15, 16, 17, 31, 33, 64, 1023, 1024, 1025, 2049, 5000};
  rng g = {0x175 + (uint64_t)_i};
  trb_context *base = scalar();
  int sets = 0;
  for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
    trb_context *ctx = context_with(1, isa);
    if (!ctx || isa == TRB_ISA_SCALAR) {
      trb_context_free(ctx);
      continue;
    }
    sets++;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      if (sizes[i] > scaled(50000)) break; /* long rows cost minutes under valgrind */
      inputs in;
      models m;
      fill_inputs(&in, &m, &g, sizes[i], _i);
      results *reference = results_new(sizes[i], 0), *x = results_new(sizes[i], 0);
      run(base, &in, 0, ROWS, reference);
      run(ctx, &in, 0, ROWS, x);
      compare(reference, x, true, describe("ISA %d (%d), vocab %d", isa, trb_context_isa(ctx), (int)sizes[i]));
      results_free(reference);
      results_free(x);
      models_free(&m);
    }
    trb_context_free(ctx);
  }
  ck_assert_int_ge(sets, 1);
  if (verbose()) printf("instruction sets compared with scalar: %d\n", sets);
  trb_context_free(base);
}
END_TEST

/* Rows of every family, solved: the search takes the same path everywhere. */
START_TEST(test_solve_of_every_family) {
  rng g = {0x176 + (uint64_t)_i};
  trb_context *base = scalar();
  for (int64_t i = 0; i < scaled(60); i++) {
    int64_t vocab = family_vocab(&g, _i);
    models m = models_varied(&g, 4, vocab, 0);
    m.t.view.temperature = 0.7f;
    double budget[4];
    trb_blend reference[4], x[4];
    for (int64_t r = 0; r < 4; r++) {
      models_fill_row(&m, r, &g, _i);
      budget[r] = rng_scale(&g, 1e-6, 10.0);
    }
    trb_solve(base, &m.s.view, &m.t.view, budget, 4, NULL, reference);
    for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
      trb_context *ctx = context_with(2, isa);
      if (!ctx) continue;
      trb_solve(ctx, &m.s.view, &m.t.view, budget, 4, NULL, x);
      ck_assert_msg(memcmp(reference, x, sizeof x) == 0, "%s %d: ISA %d", family_name(_i), (int)i, isa);
      trb_context_free(ctx);
    }
    models_free(&m);
  }
  trb_context_free(base);
}
END_TEST

Suite *invariance_suite(void) {
  Suite *suite = suite_create("invariance");
  TCase *tc = long_case("bits");
  tcase_add_loop_test(tc, test_threads, 0, 3);
  if (scaled(1000) >= 100) tcase_add_loop_test(tc, test_shared_rows, 0, 3); /* not under valgrind */
  tcase_add_loop_test(tc, test_batch_splits, 0, 3);
  tcase_add_loop_test(tc, test_strides, 0, 3);
  tcase_add_loop_test(tc, test_element_types, 1, 3);
  tcase_add_loop_test(tc, test_instruction_sets, 0, 3);
  tcase_add_loop_test(tc, test_solve_of_every_family, 0, FAMILIES);
  suite_add_tcase(suite, tc);
  return suite;
}
