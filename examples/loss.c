/* loss.c - a small on-policy distillation, with and without blended rollouts. Usage: loss [--seed N]
 *
 * The teacher is a Markov chain over 48 tokens of a task and 16 of chatter. It seldom leaves the task, but it continues
 * chatter instead of correcting it. The student is linear in random features of the last token. It starts out knowing
 * the task, but slips into chatter, so that most of what it writes shows the teacher nothing of the task. Both methods
 * descend the reverse KL at the tokens they wrote. OPD lets the student write; TRB lets the blend write, with a budget
 * that anneals to 0. The last columns are exact: a chain's own texts can be averaged over without sampling. The setting
 * was chosen to make a difference visible, and other kinds of warmup are not compared. The same seed gives the same
 * numbers on one machine; another one's sgemm may round differently. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cblas.h>
#include <trb.h>

enum { VOCAB = 64, TASK = 48, FEATURES = 128, TEXTS = 4, LENGTH = 32, TOKENS = TEXTS * LENGTH };
enum { BASE_STEPS = 2000, STEPS = 200, WARMUP = 50, EVERY = 10, REPORTS = STEPS / EVERY + 1, SEEDS = 8 };
enum { LOSS, COST, BETA, LOG_TEACHER, OWN_KL, ON_TASK, COLUMNS };
static const double BUDGET = 0.05, BASE_RATE = 0.005, RATE = 1.0;
typedef double report[REPORTS][COLUMNS];
/* By the last token: its features, the teacher's logits, and the ones that the student begins with. */
static float feature[VOCAB][FEATURES], teacher[VOCAB][VOCAB], drifted[VOCAB][VOCAB];
static float inputs[TOKENS][FEATURES], student_logits[TOKENS][VOCAB], teacher_logits[TOKENS][VOCAB];

static void must(trb_status status) {
  if (status == TRB_OK) return;
  fprintf(stderr, "loss: %s\n", trb_strerror(status));
  exit(1);
}

static trb_logits view(void *data, int64_t rows) {
  return (trb_logits){.data = data, .rows = rows, .vocab = VOCAB, .stride = VOCAB, .dtype = TRB_F32};
}

/* Uniform, with mean 0 and variance 1: splitmix64. */
static float noise(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (float)(((double)(z >> 32) * 0x1p-32 - 0.5) * sqrt(12.0));
}

/* Shifts a row's chatter so that it has the wanted share of the probability. */
static void set_chatter(float *logits, double share) {
  double task = 0.0, chatter = 0.0;
  for (int v = 0; v < VOCAB; v++) *(v < TASK ? &task : &chatter) += exp((double)logits[v]);
  const double shift = log(share / (1.0 - share) * task / chatter);
  for (int v = TASK; v < VOCAB; v++) logits[v] += (float)shift;
}

static void make_world(uint64_t seed) {
  for (int a = 0; a < VOCAB; a++) {
    for (int f = 0; f < FEATURES; f++) feature[a][f] = noise(&seed);
    for (int v = 0; v < VOCAB; v++) {
      teacher[a][v] = (v < TASK ? 2.5f : 1.0f) * noise(&seed);
      drifted[a][v] = 0.8f * teacher[a][v] + 0.3f * noise(&seed);
    }
    set_chatter(teacher[a], a < TASK ? 0.005 : 0.998);
    set_chatter(drifted[a], a < TASK ? 0.4 : 0.998);
  }
}

/* The student: weights [VOCAB, FEATURES]. */
static void forward(const float *weights, int rows, const float *in, float *logits) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, VOCAB, FEATURES, 1, in, FEATURES, weights, FEATURES, 0,
              logits, VOCAB);
}

/* One step of gradient descent; grad [rows, VOCAB] is with respect to the logits. */
static void descend(float *weights, int rows, const float *in, const float *grad, double rate) {
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, VOCAB, FEATURES, rows, (float)-rate, grad, VOCAB, in, FEATURES,
              1, weights, FEATURES);
}

/* Supervised, the way to a base model: the forward KL to the drifted table, every last token alike. */
static void make_base(float *weights) {
  static float logits[VOCAB][VOCAB];
  const trb_logits own = view(logits, VOCAB), target = view(drifted, VOCAB);
  double loss[VOCAB];
  memset(weights, 0, sizeof(float) * VOCAB * FEATURES);
  for (int k = 0; k < BASE_STEPS; k++) {
    forward(weights, VOCAB, feature[0], logits[0]);
    must(trb_divergence(NULL, &own, &target, NULL, NULL, loss, &own, NULL)); /* the gradient replaces the logits */
    descend(weights, VOCAB, feature[0], logits[0], BASE_RATE);
  }
}

/* Of texts that the student writes alone: KL(p||q) per token and the share of tokens on the task, both exact. */
static void judge(const float *weights, double *line) {
  static float logits[VOCAB][VOCAB];
  const trb_logits own = view(logits, VOCAB), other = view(teacher, VOCAB);
  trb_blend blend[VOCAB];
  double no_budget = 0.0, now[VOCAB] = {1.0}; /* the distribution of the last token: token 0 starts a text */
  forward(weights, VOCAB, feature[0], logits[0]);
  must(trb_solve(NULL, &own, &other, &no_budget, 1, NULL, blend));
  for (int t = 0; t < LENGTH; t++) {
    double next[VOCAB] = {0.0};
    for (int a = 0; a < VOCAB; a++) {
      line[OWN_KL] += now[a] * blend[a].reverse_kl / LENGTH;
      for (int v = 0; v < VOCAB; v++) next[v] += now[a] * exp((double)logits[a][v] - blend[a].lse_student);
    }
    for (int v = 0; v < TASK; v++) line[ON_TASK] += next[v] / LENGTH;
    memcpy(now, next, sizeof now);
  }
}

/* Writes TEXTS texts, one token of each at a time. Row t*TEXTS + i of the buffers is position t of text i. */
static void roll_out(const float *weights, double budget, uint64_t seed, int step, double *line) {
  int64_t last[TEXTS] = {0};
  for (int row = 0; row < TOKENS; row += TEXTS) {
    trb_blend blend[TEXTS];
    trb_draw draw[TEXTS];
    uint64_t stream[TEXTS];
    int64_t index[TEXTS];
    for (int i = 0; i < TEXTS; i++) {
      memcpy(inputs[row + i], feature[last[i]], sizeof feature[0]);
      memcpy(teacher_logits[row + i], teacher[last[i]], sizeof teacher[0]);
      stream[i] = (uint64_t)(step * TEXTS + i);
      index[i] = row / TEXTS;
    }
    forward(weights, TEXTS, inputs[row], student_logits[row]);
    const trb_logits own = view(student_logits[row], TEXTS), other = view(teacher_logits[row], TEXTS);
    const trb_sampler sampler = {.size = sizeof sampler, .seed = seed, .stream = stream, .index = index};
    must(trb_solve(NULL, &own, &other, &budget, 1, NULL, blend));
    must(trb_sample(NULL, &own, &other, blend, &sampler, draw));
    for (int i = 0; i < TEXTS; i++) {
      line[COST] += blend[i].kl_student / TOKENS, line[BETA] += blend[i].beta / TOKENS;
      line[LOG_TEACHER] += draw[i].log_teacher / TOKENS;
      last[i] = draw[i].token;
    }
  }
}

static void distill(const float *base, double initial, uint64_t seed, report out) {
  static float weights[VOCAB][FEATURES];
  const trb_schedule schedule = {.size = sizeof schedule, .initial = initial, .steps = WARMUP};
  const trb_logits own = view(student_logits, TOKENS), other = view(teacher_logits, TOKENS);
  memcpy(weights, base, sizeof weights);
  for (int k = 0; k <= STEPS; k++) {
    double line[COLUMNS] = {0.0}, loss[TOKENS], budget;
    must(trb_schedule_at(NULL, &schedule, k, &budget));
    roll_out(weights[0], budget, seed, k, line);
    must(trb_reverse_kl(NULL, &own, &other, NULL, NULL, loss, &own, NULL));
    for (int i = 0; i < TOKENS; i++) line[LOSS] += loss[i] / TOKENS;
    if (k % EVERY == 0) judge(weights[0], line), memcpy(out[k / EVERY], line, sizeof line);
    descend(weights[0], TOKENS, inputs[0], student_logits[0], RATE / TOKENS);
  }
}

/* TRB minus OPD in a column, averaged over reports [begin, end): prints the mean over paired seeds and its interval
 * (2.365: Student's t, 95 %, 7 degrees of freedom). */
static double compare(const char *what, report *opd, report *trb, int column, int begin, int end) {
  double sum = 0.0, squares = 0.0;
  for (int i = 0; i < SEEDS; i++) {
    double difference = 0.0;
    for (int k = begin; k < end; k++) difference += (trb[i][k][column] - opd[i][k][column]) / (end - begin);
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / SEEDS, half = 2.365 * sqrt(fmax(0.0, squares - sum * mean) / (SEEDS - 1) / SEEDS);
  const char *sign = mean < 0.0 ? "TRB is lower" : "TRB is higher";
  printf("  %-42s %+.4f +- %.4f: %s\n", what, mean, half, fabs(mean) > half ? sign : "not told apart");
  return mean;
}

int main(int argc, char **argv) {
  static report opd[SEEDS], trb[SEEDS];
  const int given = argc == 3 && strcmp(argv[1], "--seed") == 0;
  if (argc > 1 && !given) return fprintf(stderr, "usage: %s [--seed N]\n", argv[0]), 2;
  const uint64_t first = given ? strtoull(argv[2], NULL, 10) : 1;
  for (uint64_t i = 0; i < SEEDS; i++) {
    static float base[VOCAB][FEATURES];
    make_world(first + i);
    make_base(base[0]);
    distill(base[0], 0.0, first + i, opd[i]);
    distill(base[0], BUDGET, first + i, trb[i]);
  }
  printf("Means over %d seeds: OPD | TRB with budget %g -> 0 in %d steps.\n\n", SEEDS, BUDGET, WARMUP);
  printf("%43s%62s\n", "of the tokens that were written", "of texts of the student alone");
  printf("step%14s%19s%15s%17s%20s%20s\n", "KL(p||q)", "KL(mu||p)", "beta", "log q", "KL(p||q)", "share on task");
  for (int k = 0; k < REPORTS; k++) {
    printf("%4d", k * EVERY);
    for (int c = 0; c < COLUMNS; c++) {
      double mean[2] = {0.0, 0.0};
      for (int i = 0; i < SEEDS; i++) mean[0] += opd[i][k][c] / SEEDS, mean[1] += trb[i][k][c] / SEEDS;
      printf("  %6.3f | %6.3f", mean[0], mean[1]);
    }
    printf("\n");
  }
  printf("\nTRB minus OPD, paired by seed, with a 95 %% interval:\n");
  compare("log q of what was written, warmup", opd, trb, LOG_TEACHER, 0, WARMUP / EVERY);
  compare("KL(p||q) of the student alone, last step", opd, trb, OWN_KL, REPORTS - 1, REPORTS);
  const double early = compare("share on task, warmup", opd, trb, ON_TASK, 1, WARMUP / EVERY + 1);
  const double late = compare("share on task, last step", opd, trb, ON_TASK, REPORTS - 1, REPORTS);
  printf("\nIn short, share on task, TRB - OPD: %+.1f points in the warmup, %+.1f at the end.\n", 100 * early,
         100 * late);
  return 0;
}
