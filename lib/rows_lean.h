/* rows_lean.h - the lean kernels: everything in single precision, one vector register of floats where the other
 * kernels need two of doubles. A part of rows_scalar.c.
 *
 * Sums are floats within a block and doubles beyond. Tokens that a kernel must leave out get logits so low that they
 * weigh nothing; `masked` says whether any can be -inf, and is a constant in each copy of a loop. */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* a = log2 p, b = log2 q and d = log2(q/p), each but for a constant. At one temperature d comes from the difference of
 * the logits, which keeps its digits where the models nearly agree; at two it is b - a. */
typedef struct lean_token {
  float a, b, d;
} lean_token;

static inline lean_token lean_read(const trbi_lean *row, float s, float t) {
  const float x = s - row->max_student, y = t - row->max_teacher, a = row->k_student * x;
  return (lean_token){a, row->k_teacher * y, fmaf(row->k_teacher, fmaf(-row->same, x, y), -row->other * a)};
}

static double fold_floats(const float *lane) {
  double wide[TRBI_LANES];
  FOR_LANES (l) wide[l] = (double)lane[l];
  return fold(wide);
}

ALWAYS_INLINE trbi_moments moments_any(const float *s, const float *t, int64_t n, trbi_lean row, bool masked) {
  float p[4][TRBI_LANES] = {{0}}, q[4][TRBI_LANES] = {{0}}, mean[2][TRBI_LANES] = {{0}};
  float alone[2][TRBI_LANES] = {{0}}, tokens[3][TRBI_LANES] = {{0}};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const float in_s = !masked || s[i + l] > -INFINITY ? 1.0f : 0.0f;
      const float in_t = !masked || t[i + l] > -INFINITY ? 1.0f : 0.0f;
      const lean_token v =
          lean_read(&row, in_s > 0.0f ? s[i + l] : row.low_student, in_t > 0.0f ? t[i + l] : row.low_teacher);
      const float both = in_s * in_t;
      const float wp = trbi_exp2_lean(v.a), wq = trbi_exp2_lean(v.b);
      const float p0 = wp * both, p1 = p0 * v.d, p2 = p1 * v.d;
      const float q0 = wq * both, q1 = q0 * v.d, q2 = q1 * v.d;
      p[0][l] += p0;
      p[1][l] += p1;
      p[2][l] += p2;
      p[3][l] = fmaf(p2, v.d, p[3][l]);
      q[0][l] += q0;
      q[1][l] += q1;
      q[2][l] += q2;
      q[3][l] = fmaf(q2, v.d, q[3][l]);
      mean[0][l] = fmaf(wp, v.a, mean[0][l]);
      mean[1][l] = fmaf(wq, v.b, mean[1][l]);
      if (masked) {
        alone[0][l] = fmaf(wp, in_s - both, alone[0][l]);
        alone[1][l] = fmaf(wq, in_t - both, alone[1][l]);
        tokens[0][l] += both;
        tokens[1][l] += in_s - both;
        tokens[2][l] += in_t - both;
      }
    }
  trbi_moments sum = {.tokens_both = (double)n};
  for (int j = 0; j < 4; j++) {
    sum.p[j] = fold_floats(p[j]);
    sum.q[j] = fold_floats(q[j]);
  }
  sum.mean_student = fold_floats(mean[0]);
  sum.mean_teacher = fold_floats(mean[1]);
  if (masked) {
    sum.alone_student = fold_floats(alone[0]);
    sum.alone_teacher = fold_floats(alone[1]);
    sum.tokens_both = fold_floats(tokens[0]);
    sum.student_only = fold_floats(tokens[1]);
    sum.teacher_only = fold_floats(tokens[2]);
  }
  return sum;
}

static trbi_moments moments(const float *s, const float *t, int64_t n, const trbi_lean *row, bool masked) {
  return masked ? moments_any(s, t, n, *row, true) : moments_any(s, t, n, *row, false);
}

ALWAYS_INLINE trbi_tilt lean_tilt_any(const float *s, const float *t, int64_t n, trbi_lean row, float beta,
                                      float center, bool masked) {
  float divergence[TRBI_LANES] = {0}, change[TRBI_LANES] = {0}, ratio[TRBI_LANES] = {0};
  float square[TRBI_LANES] = {0}, cube[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const bool both = !masked || ((s[i + l] > -INFINITY) & (t[i + l] > -INFINITY));
      const lean_token v = lean_read(&row, both ? s[i + l] : row.low_student, both ? t[i + l] : row.low_teacher);
      const float bits = fmaf(beta, v.d, -center);
      const float p = trbi_exp2_lean(v.a), w = trbi_exp2_lean(v.a + bits), h = bits * LN2F;
      const trbi_term term = trbi_kl_term(p, w, h);
      const float whh = w * h * h;
      divergence[l] += term.divergence;
      change[l] += term.change;
      ratio[l] = fmaf(w, v.d, ratio[l]);
      square[l] += whh;
      cube[l] = fmaf(whh, h, cube[l]);
    }
  return (trbi_tilt){.divergence = fold_floats(divergence),
                     .change = fold_floats(change),
                     .square = fold_floats(square),
                     .cube = fold_floats(cube),
                     .ratio = fold_floats(ratio)};
}

static trbi_tilt lean_tilt(const float *s, const float *t, int64_t n, const trbi_lean *row, float beta, float center,
                           bool masked) {
  return masked ? lean_tilt_any(s, t, n, *row, beta, center, true) : lean_tilt_any(s, t, n, *row, beta, center, false);
}

/* A token that only the teacher allows counts with its q. */
ALWAYS_INLINE double lean_loss_any(const float *s, const float *t, int64_t n, trbi_lean row, float shift, float mean,
                                   float scale, bool masked, float *restrict grad) {
  float sum[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const bool in_t = !masked || t[i + l] > -INFINITY, both = in_t & (!masked || s[i + l] > -INFINITY);
      const lean_token v = lean_read(&row, both ? s[i + l] : row.low_student, in_t ? t[i + l] : row.low_teacher);
      const float p = trbi_exp2_lean(v.a), q = trbi_exp2_lean(v.b + shift);
      sum[l] += trbi_kl_term(q, p, both ? (v.d + shift) * -LN2F : GONE).divergence;
      if (grad != NULL) grad[i + l] = scale * (p * (mean - v.d));
    }
  return fold_floats(sum);
}

static double lean_loss(const float *s, const float *t, int64_t n, const trbi_lean *row, float shift, float mean,
                        float scale, bool masked, float *restrict grad) {
  if (grad == NULL) return lean_loss_any(s, t, n, *row, shift, mean, scale, true, NULL);
  return masked ? lean_loss_any(s, t, n, *row, shift, mean, scale, true, grad)
                : lean_loss_any(s, t, n, *row, shift, mean, scale, false, grad);
}
