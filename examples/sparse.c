/* sparse.c - a teacher that is a server: of every position it returns the likeliest tokens with their
 * log-probabilities.
 *
 * The student's logits are here, the teacher's are not: what the list leaves over is spread in proportion to the
 * student. The more tokens are listed, the nearer the blend comes to that with the whole teacher, which this program
 * knows for comparison. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <trb.h>

enum { VOCAB = 5000, MOST = 256 };

static void must(trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "%s\n", trb_strerror(status));
  exit(1);
}

/* The server's answer: the k tokens of the largest logits, log-softmax over all. */
static int64_t answer(const float *logits, int64_t k, int64_t *ids, float *log_q) {
  static int taken[VOCAB];
  double sum = 0.0;
  for (int v = 0; v < VOCAB; v++) {
    sum += exp((double)logits[v]);
    taken[v] = 0;
  }
  for (int64_t i = 0; i < k; i++) {
    int best = -1;
    for (int v = 0; v < VOCAB; v++)
      if (!taken[v] && (best < 0 || logits[v] > logits[best])) best = v;
    taken[best] = 1;
    ids[i] = best;
    log_q[i] = (float)((double)logits[best] - log(sum));
  }
  return k;
}

int main(void) {
  static float s[VOCAB], t[VOCAB], grad[VOCAB];
  static int64_t ids[MOST];
  static float log_q[MOST];
  for (int v = 0; v < VOCAB; v++) {
    s[v] = (float)(2.0 * sin(0.7 * v) + (v % 97 == 0 ? 5.0 : 0.0));
    t[v] = (float)(2.0 * sin(0.7 * v + 0.6) + (v % 89 == 0 ? 6.0 : 0.0));
  }
  const trb_logits student = {.data = s, .rows = 1, .vocab = VOCAB, .stride = VOCAB, .dtype = TRB_F32};
  trb_logits teacher = student, out = student;
  teacher.data = t;
  out.data = grad;
  const double budget = 0.1;
  trb_blend full;
  double loss;
  must(trb_solve(NULL, &student, &teacher, &budget, 1, NULL, &full));
  puts("    k   listed q    beta   KL(mu||p)   KL(mu||q)   KL(p||q)   token   log q");
  for (int64_t k = 0; k <= MOST; k = k ? 4 * k : 4) {
    const trb_sparse list = {.ids = ids, .log_q = log_q, .k = answer(t, k, ids, log_q), .least_rest = 1e-6};
    trb_sparse_blend blend;
    trb_draw draw;
    must(trb_solve_sparse(NULL, &student, &list, &budget, 1, NULL, &blend));
    must(trb_sample_sparse(NULL, &student, &list, &blend, NULL, &draw));
    must(trb_reverse_kl_sparse(NULL, &student, &list, NULL, NULL, &loss, &out, NULL));
    printf("%5d   %8.4f   %.3f   %9.4f   %9.4f   %8.4f   %5d   %5.2f\n", (int)k, 1.0 - exp(blend.log_rest_teacher),
           blend.blend.beta, blend.blend.kl_student, blend.blend.kl_teacher, loss, (int)draw.token, draw.log_teacher);
  }
  printf("  all   %8.4f   %.3f   %9.4f   %9.4f   %8.4f\n", 1.0, full.beta, full.kl_student, full.kl_teacher,
         full.reverse_kl);
  return 0;
}
