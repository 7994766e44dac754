/* functions.c - every float through the elementary functions of the row kernels.
 *
 * exp: all x in [-87.3, 0] and, for the reach of a blend, [0, 88]; lean: 2^y for all y in (-126, 0] and [0, 126];
 * log1p: all z in (-1, 0]. The reference is the C
 * library's double-precision function, whose own error is 2^-28 of what is measured. Errors count in units of the last
 * place of a float at the exact value. */
#include <stdbool.h>
#include <stdio.h>

#include "fmath.h"

typedef struct worst {
  double error;
  float at;
} worst;

static double float_ulp(double exact) {
  int exponent;
  frexp(exact, &exponent);
  return ldexp(1.0, exponent - 24);
}

static void note(worst *w, float x, float got, double exact) {
  const double error = fabs((double)got - exact) / float_ulp(exact);
  if (!(error <= w->error)) *w = (worst){error, x};
}

/* All floats from `from` away from 0 to `to`, both of one sign. */
static void each_exp(worst *w, float from, float to) {
  for (int32_t bits = trbi_float_bits(from); bits <= trbi_float_bits(to); bits++) {
    const float x = trbi_bits_float(bits);
    note(w, x, trbi_exp2((double)x * 0x1.71547652b82fep+0), exp((double)x));
  }
}

static void each_lean(worst *w, float from, float to) {
  for (int32_t bits = trbi_float_bits(from); bits <= trbi_float_bits(to); bits++) {
    const float y = trbi_bits_float(bits);
    note(w, y, trbi_exp2_lean(y, 1.0f), exp2((double)y));
  }
}

static void each_log1p(worst *w) {
  /* Below 2^-40 in size log1p(z) is z to far below half a unit: denormal floats are not worth the minutes. */
  for (int32_t bits = trbi_float_bits(-0x1p-40f); bits < trbi_float_bits(-1.0f); bits++) {
    const float z = trbi_bits_float(bits);
    note(w, z, (float)trbi_log1p_lane((double)z), log1p((double)z));
  }
}

static int report(const char *name, worst w, double bound) {
  const bool good = w.error <= bound;
  printf("%-6s worst error %.4f ULP at %a, bound %.2f: %s\n", name, w.error, (double)w.at, bound,
         good ? "ok" : "FAILED");
  return good ? 0 : 1;
}

int main(void) {
  worst exp_worst = {0}, lean_worst = {0}, log_worst = {0};
  each_exp(&exp_worst, 0.0f, 88.0f);
  each_exp(&exp_worst, -0.0f, -87.3f);
  each_lean(&lean_worst, 0.0f, 126.0f);
  each_lean(&lean_worst, -0.0f, -125.99999f);
  each_log1p(&log_worst);
  const int failed = report("exp", exp_worst, 1.0) + report("lean", lean_worst, 1.1) + report("log1p", log_worst, 0.51);
  printf("%d passed, %d failed\n", 3 - failed, failed);
  return failed;
}
