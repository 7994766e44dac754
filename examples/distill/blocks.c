/* blocks.c - rollouts by blocks, timed. */
#include "blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "files.h"
#include "report/plot.h"
#include "texts.h"

enum { BUDGETS = 5, LENGTHS = 6, REPEATS = 5, BATCHES = 2 };

static const double budgets[BUDGETS] = {0.001, 0.005, 0.01, 0.02, 0.05};
static const int64_t lengths[LENGTHS] = {0, 1, 2, 4, 8, 16}; /* 0: token by token from the blend */

/* One budget and length: sums over rounds of rollouts, the time the median over repeats. */
typedef struct cell {
  double teacher_calls, student_calls, tokens, proposed, corrected, tv, seconds;
} cell;

typedef struct board {
  const world *of;
  int64_t batch; /* sequences at a time; 0: all of a step */
  int rounds;    /* steps of training that are rolled out */
  cell cells[BUDGETS][LENGTHS];
} board;

typedef struct boards {
  board *list;
  int64_t n;
} boards;

/* All sequences of a step at once, as training has them, and one at a time, as a server that nobody shares. */
static const struct {
  int64_t batch;
  int rounds;
  const char *name, *text;
} batches[BATCHES] = {{0, 4, "blocks", "all sequences of a step at once"},
                      {1, 1, "blocks-one", "one sequence at a time"}};

/* ---- One world ---- */

typedef struct bench {
  const job *of;
  lm *student, *teacher;
  texts *texts;
  int64_t response;
  trb_context *ctx;
} bench;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The rollouts of some steps of training. What they come to is the same in every repeat. */
static trb_status roll_out(const bench *b, const board *at, double budget, int64_t length, cell *out) {
  const setting *of = &b->of->world->of;
  const task *t = b->of->world->task;
  const trb_model p = lm_sampling(b->student), q = lm_sampling(b->teacher);
  trb_status status = TRB_OK;
  *out = (cell){0};
  for (int round = 0; round < at->rounds && status == TRB_OK; round++) {
    texts_make_prompts(b->texts, t, 0, (uint64_t)b->of->seed, (uint64_t)round, of->prompts);
    const trb_texts prompts = texts_view(b->texts);
    const trb_sampler sampler = {.size = sizeof sampler, .seed = (uint64_t)b->of->seed, .stream = b->texts->stream};
    const trb_rollout_options options = {.size = sizeof options,
                                         .budget = budget,
                                         .block = length,
                                         .batch = at->batch,
                                         .sampler = &sampler,
                                         .stop = &t->stop,
                                         .n_stop = 1,
                                         .max_tokens = b->response};
    trb_totals totals = {.size = sizeof totals};
    trb_rollouts *r = NULL;
    const double start = now();
    status = trb_rollout(b->ctx, &p, &q, &prompts, &options, &r);
    out->seconds += now() - start;
    if (status == TRB_OK) status = trb_rollouts_totals(b->ctx, r, &totals);
    if (status != TRB_OK) return status;
    out->teacher_calls += (double)r->teacher_calls;
    out->student_calls += (double)r->student_calls;
    out->tokens += (double)r->n_tokens;
    out->proposed += (double)r->proposed;
    out->corrected += (double)totals.corrected;
    out->tv += totals.tv / at->rounds;
    trb_rollouts_free(r);
  }
  return status;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* All lengths in turns, so that each sees the same machine. */
static trb_status measure(const bench *b, const board *at, double budget, cell *cells) {
  double seconds[LENGTHS][REPEATS];
  trb_status status = TRB_OK;
  for (int repeat = -1; repeat < REPEATS; repeat++) /* the first one warms up */
    for (int i = 0; i < LENGTHS && status == TRB_OK; i++) {
      status = roll_out(b, at, budget, lengths[i], &cells[i]);
      if (repeat >= 0) seconds[i][repeat] = cells[i].seconds;
    }
  for (int i = 0; i < LENGTHS && status == TRB_OK; i++) {
    qsort(seconds[i], REPEATS, sizeof(double), by_value);
    cells[i].seconds = seconds[i][REPEATS / 2];
  }
  return status;
}

static int open_bench(bench *b, char *why) {
  const world *w = b->of->world;
  b->student = job_student(b->of, why);
  b->teacher = b->student != NULL ? job_teacher(b->of, why) : NULL;
  if (b->teacher == NULL) return 0;
  b->response = job_response(b->of, b->teacher, b->student);
  b->texts = texts_new(w->of.prompts);
  if (b->texts != NULL && lm_reserve(b->student, w->of.prompts) && lm_reserve(b->teacher, w->of.prompts) &&
      trb_context_new(NULL, &b->ctx) == TRB_OK)
    return 1;
  snprintf(why, 256, "no memory for %lld sequences", (long long)w->of.prompts);
  return 0;
}

static int measure_world(const job *of, board *out, char *why) {
  bench b = {.of = of};
  int good = open_bench(&b, why);
  for (int i = 0; i < BUDGETS * BATCHES && good; i++) {
    board *at = &out[i % BATCHES];
    const trb_status status = measure(&b, at, budgets[i / BATCHES], at->cells[i / BATCHES]);
    if (status == TRB_OK) continue;
    snprintf(why, 256, "%s: %s", trb_strerror(status), trb_context_error(b.ctx));
    good = 0;
  }
  trb_context_free(b.ctx);
  texts_free(b.texts);
  lm_free(b.student);
  lm_free(b.teacher);
  return good;
}

/* ---- Table and CSV ---- */

static const cell *one_of(const board *b, int budget) {
  return &b->cells[budget][1];
}

static void put_table(FILE *out, const board *b) {
  fprintf(out,
          "\n%s: blocks of proposals, %s\n"
          "budget   block   teacher calls   fewer   student calls   corrected   dropped   TV       tokens/s   faster\n",
          b->of->title, batches[b->batch > 0].text);
  for (int i = 0; i < BUDGETS; i++)
    for (int k = 0; k < LENGTHS; k++) {
      const cell *c = &b->cells[i][k], *one = one_of(b, i);
      fprintf(out, "%6g   %5lld   %13.1f   %4.1fx   %13.1f", budgets[i], (long long)lengths[k],
              c->teacher_calls / b->rounds, one->teacher_calls / c->teacher_calls, c->student_calls / b->rounds);
      if (lengths[k] == 0)
        fprintf(out, "   %9s   %7s   %6s", "-", "-", "-");
      else
        fprintf(out, "   %8.2f%%   %6.1f%%   %6.4f", 100.0 * c->corrected / c->tokens,
                100.0 * (c->proposed - c->tokens) / c->proposed, c->tv);
      fprintf(out, "   %8.0f   %5.2fx\n", c->tokens / c->seconds,
              (c->tokens / c->seconds) / (one->tokens / one->seconds));
    }
}

static void put_csv(FILE *out, const void *what) {
  const boards *all = what;
  fputs("world,batch,budget,block,teacher_calls,student_calls,tokens,proposed,corrected,tv,tokens_per_second\n", out);
  for (int64_t w = 0; w < all->n; w++)
    for (int i = 0; i < BUDGETS; i++)
      for (int k = 0; k < LENGTHS; k++) {
        const cell *c = &all->list[w].cells[i][k];
        fprintf(out, "\"%s\",%lld,%g,%lld,%g,%g,%g,%g,%g,", all->list[w].of->id, (long long)all->list[w].batch,
                budgets[i], (long long)lengths[k], c->teacher_calls, c->student_calls, c->tokens, c->proposed,
                c->corrected);
        if (lengths[k] > 0) fprintf(out, "%.6g", c->tv);
        fprintf(out, ",%.6g\n", c->tokens / c->seconds);
      }
}

/* ---- Pictures ---- */

/* For each budget the blocks, how many times fewer calls, how many times faster than blocks of one. */
static void put_data(FILE *out, const void *what) {
  const board *b = what;
  for (int i = 0; i < BUDGETS; i++) {
    if (i > 0) fputs("\n\n", out);
    for (int k = 1; k < LENGTHS; k++) {
      const cell *c = &b->cells[i][k], *one = one_of(b, i);
      fprintf(out, "%lld %.6g %.6g\n", (long long)lengths[k], one->teacher_calls / c->teacher_calls,
              one->seconds / c->seconds);
    }
  }
}

static void put_panel(FILE *out, const char *name, const char *label, int column) {
  fprintf(out, "set ylabel '%s'\nplot ", label);
  for (int i = 0; i < BUDGETS; i++)
    fprintf(out, "'%s.dat' index %d using 1:%d with linespoints pointtype 7 pointsize 0.5 linewidth 2 title 'ε = %g'%s",
            name, i, column, budgets[i], i + 1 < BUDGETS ? ", \\\n  " : "\n");
}

/* The script's name is the picture's. */
typedef struct script {
  const board *board;
  const char *name;
} script;

static void put_script(FILE *out, const void *what) {
  const script *s = what;
  fprintf(out,
          "# `gnuplot %s.gp` draws %s.svg and %s.png from %s.dat.\n"
          "reset\nif (!exists('part')) part = ''\nset encoding utf8\n"
          "set linetype 1 linecolor rgb '#0072B2'\nset linetype 2 linecolor rgb '#56B4E9'\n"
          "set linetype 3 linecolor rgb '#009E73'\nset linetype 4 linecolor rgb '#E69F00'\n"
          "set linetype 5 linecolor rgb '#D55E00'\n"
          "set border 3 linecolor rgb '#404040'\nset tics nomirror out scale 0.5 textcolor rgb '#202020'\n"
          "set grid ytics linetype 1 linecolor rgb '#dddddd' linewidth 0.7\n"
          "set logscale x 2\nset xtics (1, 2, 4, 8, 16)\nset xrange [0.9:17.8]\nset yrange [0:*]\n"
          "set xlabel 'most proposals of a block'\nset key left top reverse Left samplen 2\n"
          "do for [format in 'svg png'] {\nif (format eq 'svg') {\n"
          "set terminal svg size 900,400 font 'sans-serif,13' background 'white' noenhanced\n} else {\n"
          "set terminal pngcairo size 1800,800 font 'sans-serif,13' fontscale 2 linewidth 2 pointscale 2 background "
          "'white' noenhanced\n}\n"
          "set output '%s.'.format.part\nset multiplot layout 1,2 title '%s: %s' font ',15'\n",
          s->name, s->name, s->name, s->name, s->name, s->board->of->title, batches[s->board->batch > 0].text);
  put_panel(out, s->name, "times fewer calls of the teacher", 2);
  fputs("unset key\n", out);
  put_panel(out, s->name, "times faster", 3);
  fputs("unset multiplot\n}\nset output\n", out);
}

static int draw(const boards *all, const char *plots, char *why) {
  picture *list = calloc((size_t)all->n + 1, sizeof *list);
  char(*names)[METRICS_TEXT + 32] = calloc((size_t)all->n + 1, sizeof *names);
  int good = list != NULL && names != NULL;
  if (!good) snprintf(why, 256, "no memory");
  for (int64_t w = 0; w < all->n && good; w++) {
    char file[METRICS_TEXT + 40];
    snprintf(names[w], sizeof names[w], "%s-%s", all->list[w].of->id, batches[all->list[w].batch > 0].name);
    list[w].name = names[w];
    const script s = {&all->list[w], names[w]};
    snprintf(file, sizeof file, "%s.dat", names[w]);
    good = file_replace(plots, file, put_data, &all->list[w], why);
    snprintf(file, sizeof file, "%s.gp", names[w]);
    if (good) good = file_replace(plots, file, put_script, &s, why);
  }
  const pictures p = {list, all->n};
  if (good) good = gnuplot_run(plots, &p, why);
  free(list);
  free(names);
  return good;
}

static int leave_files(const boards *all, const char *directory, char *why) {
  char *plots = path_join(directory, "plots");
  int good = plots != NULL && (mkdir(plots, 0777) == 0 || errno == EEXIST);
  if (!good) snprintf(why, 256, "the directory plots cannot be made");
  if (good) good = file_replace(directory, "blocks.csv", put_csv, all, why) && draw(all, plots, why);
  free(plots);
  return good;
}

/* ---- The whole ---- */

/* The first run of each world stands for it. */
static const job *run_of(const plan *p, const world *w) {
  for (int64_t i = 0; i < p->n_jobs; i++)
    if (p->jobs[i].kind == JOB_RUN && p->jobs[i].world == w) return &p->jobs[i];
  return NULL;
}

int blocks_measure(const plan *p, const char *directory, FILE *out, char *why) {
  boards all = {calloc(BATCHES * (size_t)p->n_worlds + 1, sizeof *all.list), 0};
  int good = all.list != NULL;
  if (!good) snprintf(why, 256, "no memory");
  for (int64_t i = 0; i < p->n_worlds && good; i++) {
    const job *of = run_of(p, &p->worlds[i]);
    if (of == NULL) continue;
    board *at = &all.list[all.n];
    for (int k = 0; k < BATCHES; k++)
      at[k] = (board){.of = of->world, .batch = batches[k].batch, .rounds = batches[k].rounds};
    good = measure_world(of, at, why);
    for (int k = 0; k < BATCHES && good; k++) put_table(out, &at[k]);
    all.n += BATCHES;
  }
  if (good) good = leave_files(&all, directory, why);
  free(all.list);
  return good;
}
