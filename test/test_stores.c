/* test_stores.c - how numbers become f16, bf16 and f32 on their way out. */
#include <math.h>

#include "suites.h"
#include "common.h"

/* Stores round to nearest, ties to even. The student is certain of token 0, so K1's gradient at another token y is the
 * weight itself and at token 0 its negative: a way to store any number. Midpoints of the 16-bit formats and their
 * neighbors, denormals, and what is beyond the largest number. */
static float number_to_store(rng *g, int32_t dtype) {
  matrix one = matrix_new(1, 1, 0, dtype, 0.0f);
  matrix_set(&one, 0, 0, rng_scale(g, dtype == TRB_F16 ? 1e-8 : 1e-40, dtype == TRB_F16 ? 6e4 : 3e38));
  double x = matrix_get(&one.view, 0, 0);
  float middle = (float)(x + dtype_rounding(dtype, x) * (double)rng_between(g, 0, 1));
  matrix_free(&one);
  if (dtype == TRB_F16 && rng_chance(g, 0.05)) middle = rng_chance(g, 0.5) ? 65520.0f : 65504.0f;
  int64_t step = rng_between(g, -1, 1);
  float stored = step ? nextafterf(middle, step < 0 ? 0.0f : INFINITY) : middle;
  return rng_chance(g, 0.5) ? -stored : stored;
}

START_TEST(test_stores_round_to_even) {
  enum { N = 200, VOCAB = 40 };
  rng g = {0x82 + (uint64_t)_i};
  models m = models_new(N, VOCAB, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_fill(&m.s, -1000.0);
  matrix_fill(&m.t, 0.0);
  matrix grad = matrix_new(N, VOCAB, 0, _i, 0.0f), want = matrix_new(1, 1, 0, _i, 0.0f);
  double weight[N];
  int64_t token[N];
  static trb_term out[N];
  trb_term_options options = {sizeof options, 0, 0, 0, TRB_ESTIMATOR_K1, 0};
  for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
    trb_context *ctx = context_with(1, isa);
    for (int64_t i = 0; ctx && i < scaled(20); i++) {
      for (int64_t r = 0; r < N; r++) {
        matrix_set(&m.s, r, 0, 0.0);
        weight[r] = (double)number_to_store(&g, _i);
        token[r] = rng_between(&g, 1, VOCAB - 1);
      }
      ck_assert_int_eq(trb_token_terms(ctx, &m.s.view, &m.t.view, token, NULL, weight, &options, out, &grad.view),
                       TRB_OK);
      for (int64_t r = 0; r < N; r++) {
        bool beyond = _i == TRB_F16 ? fabs(weight[r]) >= 65520.0 : _i == TRB_BF16 && fabs(weight[r]) >= 0x1.ffp127;
        for (int side = 0; side < 2; side++) {
          double x = side ? -weight[r] : weight[r], got = matrix_get(&grad.view, r, side ? 0 : token[r]);
          matrix_set(&want, 0, 0, beyond ? copysign((double)INFINITY, x) : x);
          ck_assert_msg(got == matrix_get(&want.view, 0, 0), "type %d ISA %d: %a stored as %a", _i, isa, x, got);
        }
      }
    }
    trb_context_free(ctx);
  }
  matrix_free(&want);
  matrix_free(&grad);
  models_free(&m);
}
END_TEST

TCase *stores_case(void) {
  TCase *tc = long_case("stores");
  tcase_add_loop_test(tc, test_stores_round_to_even, 0, 3);
  return tc;
}
