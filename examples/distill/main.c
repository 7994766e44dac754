/* main.c - distill: a teacher is distilled into students by several methods, and the methods are compared.
 *
 * The options say what to do; the files below --out say what of it is done. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cblas.h>

#include "blocks.h"
#include "report/report.h"
#include "workers.h"

typedef struct command {
  choices c;
  char *out, *settings, *methods, *corpus, *teacher, *student, *prompts;
  long seeds, first_seed, steps, jobs;
  int no_controls, sweep, report_only, blocks;
} command;

static long processors(void) {
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? n : 1;
}

static int fail(const char *text) {
  fprintf(stderr, "distill: %s\n", text);
  return 0;
}

/* Numbers in range, and the choices in the words of world.h. */
static int check_command(command *a) {
  if (a->seeds < 1 || a->seeds > 1000) return fail("--seeds: expected 1 to 1000");
  if (a->first_seed < 0) return fail("--first-seed: expected 0 or more");
  if (a->steps < 0 || a->steps > 1000000) return fail("--steps: expected 0 to 1000000");
  if (a->jobs < 1 || a->jobs > 1024) return fail("--jobs: expected 1 to 1024");
  if (!(a->c.effort > 0.0 && a->c.effort <= 100.0)) return fail("--effort: expected a number above 0, at most 100");
  a->c.out = a->out != NULL ? a->out : "build/distill";
  a->c.settings = a->settings != NULL ? a->settings : "A,C";
  a->c.methods = a->methods;
  a->c.seeds = a->seeds;
  a->c.first_seed = a->first_seed;
  a->c.steps = a->steps;
  a->c.controls = !a->no_controls;
  a->c.sweep = a->sweep;
  a->c.corpus = a->corpus;
  a->c.teacher = a->teacher;
  a->c.student = a->student;
  a->c.prompts = a->prompts;
  return 1;
}

static int read_command(int argc, const char **argv, command *a) {
  const struct poptOption options[] = {
      {"out", 'o', POPT_ARG_STRING, &a->out, 0,
       "where everything is kept, build/distill by default; what is there already is gone on with", "DIR"},
      {"settings", 's', POPT_ARG_STRING, &a->settings, 0,
       "A (addition), B (chains), C (lift), text (definitions), ids (models and prompts from files); A,C by default",
       "LIST"},
      {"methods", 'm', POPT_ARG_STRING, &a->methods, 0,
       "opd, trb-BUDGET-STEPS, fixed-BUDGET, skd-K, temperature-T-STEPS, sft-STEPS, sft, teacher, veto-WEIGHT-STEPS, "
       "instead of each setting's own",
       "LIST"},
      {"seeds", 'n', POPT_ARG_LONG | POPT_ARGFLAG_SHOW_DEFAULT, &a->seeds, 0,
       "runs of each method, with a base student of its own each", "N"},
      {"first-seed", 0, POPT_ARG_LONG | POPT_ARGFLAG_SHOW_DEFAULT, &a->first_seed, 0, "seed of the first of them", "N"},
      {"no-controls", 0, POPT_ARG_NONE, &a->no_controls, 0, "without the variations of a setting", NULL},
      {"sweep", 0, POPT_ARG_NONE, &a->sweep, 0,
       "with the budgets and lengths that arXiv 2605.31159 sweeps, and more kinds of teachers", NULL},
      {"steps", 0, POPT_ARG_LONG, &a->steps, 0, "on-policy updates, instead of each setting's own", "N"},
      {"effort", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &a->c.effort, 0,
       "multiplies the steps that teachers and base students are trained for", "F"},
      {"corpus", 0, POPT_ARG_STRING, &a->corpus, 0,
       "of the setting text: lines of a word, a tab and its definition; without it the glosses of WordNet", "FILE"},
      {"teacher", 0, POPT_ARG_STRING, &a->teacher, 0,
       "of the setting ids: a model of llama2.c (.bin) or of this program", "FILE"},
      {"student", 0, POPT_ARG_STRING, &a->student, 0, "of the setting ids, likewise", "FILE"},
      {"prompts", 0, POPT_ARG_STRING, &a->prompts, 0, "of the setting ids: lines of token ids", "FILE"},
      {"jobs", 'j', POPT_ARG_LONG, &a->jobs, 0, "processes at a time; by default one per processor", "N"},
      {"report-only", 0, POPT_ARG_NONE, &a->report_only, 0, "make the report of what is there and train nothing", NULL},
      {"blocks", 'b', POPT_ARG_NONE, &a->blocks, 0,
       "afterwards measure rollouts in which the student proposes blocks and the teacher answers them at once", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext parser = poptGetContext("distill", argc, argv, options, 0);
  poptSetOtherOptionHelp(parser,
                         "[OPTION...]\n\n"
                         "Distills a teacher into students, on-policy, with and without trust-region behavior "
                         "blending,\nand compares: tables, CSV, plots and a page below --out. The same options give "
                         "the same numbers\non the same machine. What was interrupted is gone on with by the same "
                         "command.\n");
  const int end = poptGetNextOpt(parser);
  int good = end == -1 && poptPeekArg(parser) == NULL;
  if (end < -1) fprintf(stderr, "distill: %s: %s\n", poptBadOption(parser, 0), poptStrerror(end));
  if (end == -1 && !good) fprintf(stderr, "distill: %s: expected options only\n", poptPeekArg(parser));
  poptFreeContext(parser);
  return good && check_command(a);
}

static int make_report(const command *a) {
  char why[256];
  if (report_make(a->c.out, stdout, why)) {
    fprintf(stderr, "distill: the report is %s/report.html\n", a->c.out);
    return EXIT_SUCCESS;
  }
  fail(why);
  return EXIT_FAILURE;
}

static int train(const command *a) {
  plan p;
  char why[256];
  if (!plan_make(&a->c, &p, why)) {
    fail(why);
    return EXIT_FAILURE;
  }
  const workers_end end = workers_run(&p, a->jobs);
  plan_free(&p);
  if (end == WORKERS_INTERRUPTED) {
    fprintf(stderr, "distill: interrupted; the same command goes on from here\n");
    return 130;
  }
  return end == WORKERS_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int measure_blocks(const command *a) {
  plan p;
  char why[256];
  int good = plan_make(&a->c, &p, why);
  if (good) {
    good = blocks_measure(&p, a->c.out, stdout, why);
    plan_free(&p);
  }
  if (!good) fail(why);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
  command a = {.seeds = 5, .first_seed = 1, .jobs = processors(), .c = {.effort = 1.0}};
  openblas_set_num_threads(1); /* processes are the parallelism */
  int status = EXIT_FAILURE;
  if (read_command(argc, (const char **)argv, &a)) {
    status = a.report_only ? EXIT_SUCCESS : train(&a);
    if (status == EXIT_SUCCESS) status = make_report(&a);
    if (status == EXIT_SUCCESS && a.blocks) status = measure_blocks(&a);
  }
  char *texts[] = {a.out, a.settings, a.methods, a.corpus, a.teacher, a.student, a.prompts};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free(texts[i]);
  return status;
}
