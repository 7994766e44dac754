/* main.c - bench: what the library costs against what any implementation must pay, and how well it keeps its budget.
 *
 * docs/benchmarks.md says what the columns mean. Exit status 1: the accuracy contract is broken. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "head.h"
#include "report.h"

enum { VOCABS = 3, LEAST_VOCAB = 1024, MOST_VOCAB = 1048576 };
static const int64_t grid_vocabs[VOCABS] = {32000, 151936, 262144};

typedef struct command {
  plan plan;
  long vocab, threads;
  char *families, *kernels, *dtypes;
  int accuracy, timing, grid, head, json;
} command;

static bool fail(const char *text) {
  fprintf(stderr, "bench: %s\n", text);
  return false;
}

/* Marks those of n that a list "NAME,NAME" has; all without a list. false: another name. */
static bool choose(const char *list, const char *(*name_of)(int), int n, bool *chosen) {
  for (int i = 0; i < n; i++) chosen[i] = list == NULL;
  for (const char *at = list; at;) {
    const size_t length = strcspn(at, ",");
    int i = 0;
    while (i < n && (strlen(name_of(i)) != length || strncmp(at, name_of(i), length) != 0)) i++;
    if (i == n) return false;
    chosen[i] = true;
    at = at[length] ? at + length + 1 : NULL;
  }
  return true;
}

static bool check_command(command *c, const machine *m) {
  plan *p = &c->plan;
  if (c->vocab < LEAST_VOCAB || c->vocab > MOST_VOCAB) return fail("--vocab: expected 1024 to 1048576");
  if (!(p->budget >= 1e-6 && p->budget <= 10.0)) return fail("--budget: expected 1e-6 to 10");
  if (c->threads < 1 || c->threads > 1024) return fail("--threads: expected 1 to 1024");
  if (p->repeats < 1 || p->repeats > MAX_REPEATS) return fail("--repeats: expected 1 to 99");
  if (!choose(c->families, row_family_name, ROW_FAMILIES, p->family))
    return fail("--rows: expected spiky, peaked, flat, disagreeing, masked");
  if (!choose(c->kernels, kernel_name, KERNELS, p->kernel))
    return fail("--kernel: expected solve, sample, loss, forward, jsd, write, verify, lists");
  if (!choose(c->dtypes, dtype_name, DTYPES, p->dtype)) return fail("--dtype: expected f32, f16, bf16");
  p->dtype[TRB_F32] = true; /* what others are compared with */
  p->kernel[SOLVE] |= p->kernel[SAMPLE];
  if (!c->kernels && !c->grid) p->kernel[FORWARD] = p->kernel[JSD] = false; /* these take minutes */
  p->halves_by_threads = c->grid;
  p->threads = m->processors > 1 ? c->threads : 1;
  c->vocab = c->vocab / 64 * 64; /* as the floors want it */
  return true;
}

static bool read_command(int argc, const char **argv, command *c, const machine *m) {
  const struct poptOption options[] = {
      {"grid", 'g', POPT_ARG_NONE, &c->grid, 0,
       "everything, in an hour: V = 32000, 151936 and 262144, forward and jsd, threads for all dtypes", NULL},
      {"head", 0, POPT_ARG_NONE, &c->head, 0, "the heads only, beside bare matrix products, in some minutes", NULL},
      {"accuracy", 0, POPT_ARG_NONE, &c->accuracy, 0, "accuracy only", NULL},
      {"timing", 0, POPT_ARG_NONE, &c->timing, 0, "times only", NULL},
      {"vocab", 'V', POPT_ARG_LONG | POPT_ARGFLAG_SHOW_DEFAULT, &c->vocab, 0, "tokens of a row", "N"},
      {"rows", 'r', POPT_ARG_STRING, &c->families, 0, "of spiky, peaked, flat, disagreeing, masked", "LIST"},
      {"kernel", 'k', POPT_ARG_STRING, &c->kernels, 0,
       "of solve, sample (with solve), loss, forward, jsd, write, verify, lists; without a list and a grid no forward "
       "and no jsd",
       "LIST"},
      {"dtype", 'd', POPT_ARG_STRING, &c->dtypes, 0, "of f16, bf16 beside f32, which is always there", "LIST"},
      {"budget", 'b', POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &c->plan.budget, 0, "of what is timed", "NATS"},
      {"threads", 't', POPT_ARG_LONG | POPT_ARGFLAG_SHOW_DEFAULT, &c->threads, 0, "compared with one; 1: none", "N"},
      {"repeats", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &c->plan.repeats, 0, "that medians are taken over", "N"},
      {"json", 'j', POPT_ARG_NONE, &c->json, 0, "a JSON object a line instead of tables", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext parser = poptGetContext("bench", argc, argv, options, 0);
  const int end = poptGetNextOpt(parser);
  const bool good = end == -1 && poptPeekArg(parser) == NULL;
  if (end < -1) fprintf(stderr, "bench: %s: %s\n", poptBadOption(parser, 0), poptStrerror(end));
  if (end == -1 && !good) fprintf(stderr, "bench: %s: expected options only\n", poptPeekArg(parser));
  poptFreeContext(parser);
  return good && check_command(c, m);
}

static bool time_vocab(const report *r, int64_t vocab) {
  bench b;
  figures f[ROW_FAMILIES];
  const bool good = bench_new(&b, r->plan, vocab);
  for (int family = 0; family < ROW_FAMILIES && good; family++) {
    if (!r->plan->family[family]) continue;
    f[family] = bench_measure(&b, family);
    report_family(r, &b, family, &f[family]);
  }
  if (good) report_vocab(r, &b, f);
  bench_free(&b);
  return good || fail("no memory");
}

static bool check_accuracy(const report *r, int64_t vocab) {
  int64_t broken = 0;
  for (int32_t d = 0; d < DTYPES; d++) {
    accuracy a[BUDGETS];
    if (!r->plan->dtype[d]) continue;
    accuracy_measure(vocab, d, a);
    report_accuracy(r, vocab, d, a);
    for (int i = 0; i < BUDGETS; i++) broken += a[i].broken;
  }
  return broken == 0;
}

int main(int argc, const char **argv) {
  const machine m = machine_here();
  command c = {.plan = {.budget = 0.02, .repeats = 9}, .vocab = 151936, .threads = 2};
  if (!read_command(argc, argv, &c, &m)) return 2;
  const report r = {&c.plan, c.json};
  report_machine(&r, &m);
  if (c.head) return head_measure(c.vocab, c.plan.repeats, c.json) ? EXIT_SUCCESS : EXIT_FAILURE;
  bool good = true;
  for (int i = 0; i < (c.grid ? VOCABS : 1); i++) {
    const int64_t vocab = c.grid ? grid_vocabs[i] : c.vocab;
    if (!c.accuracy) good &= time_vocab(&r, vocab);
    if (!c.timing) good &= check_accuracy(&r, vocab);
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
