/* rows_lean.h - the lean kernels: everything in single precision, one vector register of floats where the other
 * kernels need two of doubles. A part of rows_scalar.c.
 *
 * Sums are floats within a block and doubles beyond. No kernel but `mend` may meet a masked token: it gives those, and
 * its callers give tokens of the head, logits so low that they weigh nothing. No weight is below 2^-64 of the
 * reference, which is nothing too, so that no product of weights and log-ratios is a denormal number. */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Logits less the reference, and their difference: k_teacher d = log2(q/p) but for a constant. At one temperature
 * ratio is 1 and d keeps its digits where the models nearly agree. */
typedef struct lean_token {
  float x, y, d;
} lean_token;

static inline lean_token lean_read(const trbi_lean *row, float s, float t) {
  const float x = s - row->ref_student, y = t - row->ref_teacher;
  return (lean_token){x, y, fmaf(-row->ratio, x, y)};
}

static inline float weight_student(const trbi_lean *row, float x) {
  return trbi_exp2_lean(larger(x, row->floor_student), row->k_student);
}

static inline float weight_teacher(const trbi_lean *row, float y) {
  return trbi_exp2_lean(larger(y, row->floor_teacher), row->k_teacher);
}

static trbi_tokens count(const float *s, const float *t, int64_t n) {
  float both[TRBI_LANES] = {0}, in_s[TRBI_LANES] = {0}, in_t[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const float a = s[i + l] > -INFINITY ? 1.0f : 0.0f, b = t[i + l] > -INFINITY ? 1.0f : 0.0f;
      in_s[l] += a;
      in_t[l] += b;
      both[l] = fmaf(a, b, both[l]);
    }
  const double common = fold_floats(both);
  return (trbi_tokens){common, fold_floats(in_s) - common, fold_floats(in_t) - common};
}

static trbi_alone alone(const float *x, const float *other, int64_t n, float k, float ref) {
  float mass[TRBI_LANES] = {0}, mean[TRBI_LANES] = {0};
  const float floor = -64.0f / k;
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const float here = x[i + l] > -INFINITY ? 1.0f : 0.0f, gone = other[i + l] > -INFINITY ? 0.0f : here;
      const float above = larger(x[i + l] - ref, floor), w = gone * trbi_exp2_lean(above, k);
      mass[l] += w;
      mean[l] = fmaf(w, above, mean[l]);
    }
  return (trbi_alone){fold_floats(mass), fold_floats(mean)};
}

static void mend(const float *s, const float *t, int64_t n, const trbi_lean *row, float *to_s, float *to_t) {
  const float low_s = row->low_student, low_t = row->low_teacher;
  for (int64_t i = 0; i < n; i += TRBI_LANES) FOR_LANES_IN_PLACE(l) {
      const float x = s[i + l], y = t[i + l];
      const bool both = (x > -INFINITY) & (y > -INFINITY);
      to_s[i + l] = both ? x : low_s;
      to_t[i + l] = both ? y : low_t;
    }
}

ALWAYS_INLINE trbi_moments moments_any(const float *s, const float *t, int64_t n, trbi_lean row, bool for_blend) {
  float p[4][TRBI_LANES] = {{0}}, q[4][TRBI_LANES] = {{0}}, mean[2][TRBI_LANES] = {{0}};
  float least[TRBI_LANES], most[TRBI_LANES];
  FOR_LANES (l) least[l] = INFINITY, most[l] = -INFINITY;
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const lean_token v = lean_read(&row, s[i + l], t[i + l]);
      const float wp = weight_student(&row, v.x), wq = weight_teacher(&row, v.y), square = v.d * v.d;
      p[0][l] += wp;
      p[1][l] = fmaf(wp, v.d, p[1][l]);
      p[2][l] = fmaf(wp, square, p[2][l]);
      q[0][l] += wq;
      q[1][l] = fmaf(wq, v.d, q[1][l]);
      if (for_blend) {
        const float cube = square * v.d;
        p[3][l] = fmaf(wp, cube, p[3][l]);
        q[2][l] = fmaf(wq, square, q[2][l]);
        q[3][l] = fmaf(wq, cube, q[3][l]);
      } else {
        mean[0][l] = fmaf(wp, v.x, mean[0][l]);
        mean[1][l] = fmaf(wq, v.y, mean[1][l]);
      }
      least[l] = v.d < least[l] ? v.d : least[l];
      most[l] = v.d > most[l] ? v.d : most[l];
    }
  trbi_moments sum = {.least = bottom_of(least), .most = top_of(most)};
  for (int j = 0; j < 4; j++) {
    sum.p[j] = fold_floats(p[j]);
    sum.q[j] = fold_floats(q[j]);
  }
  sum.mean_student = fold_floats(mean[0]);
  sum.mean_teacher = fold_floats(mean[1]);
  return sum;
}

static trbi_moments moments(const float *s, const float *t, int64_t n, const trbi_lean *row, bool for_blend) {
  return for_blend ? moments_any(s, t, n, *row, true) : moments_any(s, t, n, *row, false);
}

/* Where no |h| is above 1 w = p e^h comes from the same polynomial as the terms. */
ALWAYS_INLINE trbi_lean_tilt lean_tilt_any(const float *s, const float *t, int64_t n, trbi_lean row, float slope,
                                           float center, bool calm) {
  float divergence[TRBI_LANES] = {0}, change[TRBI_LANES] = {0}, mass[TRBI_LANES] = {0}, square[TRBI_LANES] = {0};
  float cube[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const lean_token v = lean_read(&row, s[i + l], t[i + l]);
      const float p = weight_student(&row, v.x), h = fmaf(slope, v.d, -center);
      float w;
      if (calm) {
        const trbi_term term = trbi_kl_term_near(p, h);
        divergence[l] += term.divergence;
        change[l] += term.change;
        w = p + term.change;
      } else {
        float y = fmaf(row.k_student, v.x, h * LOG2EF);
        y = y < 127.0f ? y : 127.0f;
        w = trbi_exp2_lean(larger(y, -64.0f), 1.0f);
        const trbi_term term = trbi_kl_term(p, w, h);
        divergence[l] += term.divergence;
        change[l] += term.change;
      }
      const float wh = w * h;
      mass[l] += w;
      square[l] = fmaf(wh, h, square[l]);
      cube[l] = fmaf(wh * h, h, cube[l]);
    }
  return (trbi_lean_tilt){.divergence = fold_floats(divergence),
                          .change = fold_floats(change),
                          .mass = fold_floats(mass),
                          .square = fold_floats(square),
                          .cube = fold_floats(cube)};
}

static trbi_lean_tilt lean_tilt(const float *s, const float *t, int64_t n, const trbi_lean *row, float slope,
                                float center, bool calm) {
  return calm ? lean_tilt_any(s, t, n, *row, slope, center, true) : lean_tilt_any(s, t, n, *row, slope, center, false);
}

ALWAYS_INLINE trbi_lean_excess lean_excess_any(const float *s, const float *t, int64_t n, trbi_lean row, float slope,
                                               float center, bool calm) {
  float excess[TRBI_LANES] = {0}, mass[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const lean_token v = lean_read(&row, s[i + l], t[i + l]);
      const float p = weight_student(&row, v.x), h = fmaf(slope, v.d, -center);
      float change;
      if (calm) {
        change = trbi_kl_term_near(p, h).change;
      } else {
        float y = fmaf(row.k_student, v.x, h * LOG2EF);
        y = y < 127.0f ? y : 127.0f;
        change = trbi_kl_term(p, trbi_exp2_lean(larger(y, -64.0f), 1.0f), h).change;
      }
      const float up = h > 0.0f ? 1.0f : 0.0f;
      excess[l] = fmaf(up, change, excess[l]);
      mass[l] = fmaf(up, p + change, mass[l]);
    }
  return (trbi_lean_excess){fold_floats(excess), fold_floats(mass)};
}

static trbi_lean_excess lean_excess(const float *s, const float *t, int64_t n, const trbi_lean *row, float slope,
                                    float center, bool calm) {
  return calm ? lean_excess_any(s, t, n, *row, slope, center, true)
              : lean_excess_any(s, t, n, *row, slope, center, false);
}

/* p (e^g - 1 - g), g = log(q/p), is what a token adds to KL(p||q) as a sum of terms that are not negative. */
ALWAYS_INLINE double lean_loss_any(const float *s, const float *t, int64_t n, trbi_lean row, trbi_lean_loss form,
                                   int32_t terms, float *grad) {
  float sum[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES) FOR_LANES_IN_PLACE(l) {
      const lean_token v = lean_read(&row, s[i + l], t[i + l]);
      const float weight = trbi_exp2_lean(larger(v.x, row.zero_student), row.k_student);
      const float p = v.x > row.zero_student ? weight : 0.0f;
      if (terms != TRBI_TERMS_NONE) {
        const float g = fmaf(form.slope, v.d, form.shift);
        const bool near = terms == TRBI_TERMS_CALM || fabsf(g) <= 1.0f;
        const float x = near ? g : 0.0f;
        const float small = p * (x * x) * trbi_expm1_rest(x);
        const float large = fmaf(-p, 1.0f + g, form.unit * weight_teacher(&row, v.y));
        sum[l] += near ? small : large;
      }
      if (grad != NULL) grad[i + l] = p * fmaf(-form.scale, v.d, form.mean);
    }
  return fold_floats(sum);
}

static double lean_loss(const float *s, const float *t, int64_t n, const trbi_lean *row, const trbi_lean_loss *form,
                        float *grad) {
  const trbi_lean_loss f = *form;
  if (grad == NULL) return lean_loss_any(s, t, n, *row, f, TRBI_TERMS_ANY, NULL);
  if (f.terms == TRBI_TERMS_NONE) return lean_loss_any(s, t, n, *row, f, TRBI_TERMS_NONE, grad);
  return f.terms == TRBI_TERMS_CALM ? lean_loss_any(s, t, n, *row, f, TRBI_TERMS_CALM, grad)
                                    : lean_loss_any(s, t, n, *row, f, TRBI_TERMS_ANY, grad);
}
