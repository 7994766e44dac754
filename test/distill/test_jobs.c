/* Whole jobs: planned, done, killed in between and gone on with, repeated; and models that come from files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decoder/checkpoint.h"
#include "decoder/llama2.h"
#include "plan.h"
#include "reference.h"
#include "report/report.h"
#include "suites.h"
#include "workers.h"
#include "workplace.h"

/* Small enough for a test: a hundredth of the supervised steps, twelve on-policy ones. */
static choices small(const char *out) {
  return (choices){.out = out,
                   .settings = "A",
                   .methods = "opd,trb-0.05-5,skd-3,temperature-0.8-5,sft-4,veto-0.5-5,teacher",
                   .seeds = 1,
                   .first_seed = 3,
                   .steps = 12,
                   .effort = 0.01};
}

/* With few documents and prompts. */
static plan make(const choices *c) {
  plan p;
  char why[256] = "";
  ck_assert_msg(plan_make(c, &p, why), "%s", why);
  for (int64_t i = 0; i < p.n_worlds; i++) {
    setting *of = &p.worlds[i].of;
    of->teacher_stage.documents = of->base_stages[0].documents = of->base_stages[1].documents = 4;
    of->prompts = 4;
    of->evaluate_prompts = 6;
    of->final_prompts = 8;
  }
  return p;
}

static void quiet(int64_t done, int64_t total, void *user) {
  (void)done, (void)total, (void)user;
}

static void do_well(const job *j) {
  char why[256] = "";
  ck_assert_msg(job_do(j, quiet, NULL, why), "%s", why);
  ck_assert(job_is_done(j));
}

static char *read_file(const char *path) {
  char directory[PLAN_PATH];
  const char *slash = strrchr(path, '/');
  snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
  return read_text(directory, slash + 1);
}

/* ---- Plans ---- */

START_TEST(models_are_shared_and_come_first) {
  char *place = workplace_make();
  choices c = small(place);
  c.settings = "A,C";
  c.methods = NULL;
  c.seeds = 2;
  c.controls = 1;
  plan p = make(&c);
  int kinds[3] = {0};
  for (int64_t i = 0; i < p.n_jobs; i++) {
    kinds[p.jobs[i].kind]++;
    ck_assert(!job_is_done(&p.jobs[i]));
    for (int k = 0; k < 2; k++) ck_assert_int_lt(p.jobs[i].needs[k], i);
    for (int64_t other = 0; other < i; other++) {
      ck_assert_str_ne(p.jobs[i].model, p.jobs[other].model);
      ck_assert(p.jobs[i].identity != p.jobs[other].identity);
    }
    if (p.jobs[i].kind != JOB_RUN) continue;
    ck_assert_str_eq(p.jobs[i].teacher, p.jobs[p.jobs[i].needs[0]].model);
    ck_assert_str_eq(p.jobs[i].base, p.jobs[p.jobs[i].needs[1]].model);
  }
  ck_assert_int_eq(kinds[JOB_TEACHER], 3); /* A has two shares of derailed documents, C with and without slips one */
  ck_assert_int_eq(kinds[JOB_BASE], 4);
  ck_assert_int_eq(kinds[JOB_RUN], 2 * (7 + 2 + 8 + 3));
  plan_free(&p);
  workplace_remove(place);
}
END_TEST

/* Whatever changes a result changes its identity, and nothing else does. */
START_TEST(identities_follow_the_choices) {
  char *place = workplace_make(), *elsewhere = workplace_make();
  const choices c = small(place);
  choices others[6];
  for (int i = 0; i < 6; i++) others[i] = c;
  others[0].steps = 13;
  others[1].effort = 0.02;
  others[2].first_seed = 4;
  others[3].methods = "opd,trb-0.05-6";
  others[4].settings = "B";
  others[5].out = elsewhere;
  const plan p = make(&c);
  for (int i = 0; i < 6; i++) {
    plan q = make(&others[i]);
    const job *a = &p.jobs[3], *b = &q.jobs[3]; /* the first TRB run */
    ck_assert_int_eq(a->kind, JOB_RUN);
    ck_assert_msg((a->identity == b->identity) == (i == 5), "choice %d", i);
    plan_free(&q);
  }
  plan_free((plan *)&p);
  workplace_remove(place);
  workplace_remove(elsewhere);
}
END_TEST

START_TEST(bad_choices_are_refused) {
  char *place = workplace_make(), why[256];
  choices bad[5];
  static const char *const said[] = {"setting 'D'", "method 'x'", "--prompts", "/nowhere/corpus", "/nowhere"};
  for (int i = 0; i < 5; i++) bad[i] = small(place);
  bad[0].settings = "A,D";
  bad[1].methods = "opd,x";
  bad[2].settings = "ids";
  bad[3].settings = "text";
  bad[3].corpus = "/nowhere/corpus";
  bad[4].settings = "ids";
  bad[4].prompts = bad[4].teacher = bad[4].student = "/nowhere";
  for (int i = 0; i < 5; i++) {
    plan p;
    why[0] = '\0';
    ck_assert_int_eq(plan_make(&bad[i], &p, why), 0);
    ck_assert_msg(strstr(why, said[i]) != NULL, "%d: %s", i, why);
  }
  workplace_remove(place);
}
END_TEST

/* ---- Runs ---- */

/* Every method writes what it should, and twice the same. */
START_TEST(runs_repeat_bit_for_bit) {
  char *first = workplace_make(), *second = workplace_make();
  const choices a = small(first), b = small(second);
  plan p = make(&a), q = make(&b);
  for (int64_t i = 0; i < p.n_jobs; i++) {
    do_well(&p.jobs[i]);
    do_well(&q.jobs[i]);
    if (p.jobs[i].kind != JOB_RUN) continue;
    char *one = read_file(p.jobs[i].metrics), *other = read_file(q.jobs[i].metrics);
    ck_assert_str_eq(one, other);
    ck_assert_int_eq(count_in(one, "\"type\": \"step\""), 12);
    ck_assert_int_eq(count_in(one, "\"type\": \"evaluation\""), 3); /* at 0, 10 and 12 */
    ck_assert_int_eq(count_in(one, "\"type\": \"end\""), 1);
    free(one);
    free(other);
  }
  plan_free(&p);
  plan_free(&q);
  workplace_remove(first);
  workplace_remove(second);
}
END_TEST

/* Ends the process at a step, as a kill would. */
static void die_at(int64_t done, int64_t total, void *user) {
  (void)total;
  if (done == *(const int64_t *)user) _exit(7);
}

static void do_until(const job *j, int64_t step) {
  int status;
  const pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    char why[256];
    job_do(j, die_at, &step, why);
    _exit(0);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  ck_assert(!job_is_done(j));
}

/* A job that is killed again and again comes to the same end: before and after a checkpoint, and twice between two. */
START_TEST(killed_jobs_are_gone_on_with) {
  char *whole_place = workplace_make(), *place = workplace_make();
  choices a = small(whole_place), b = small(place);
  a.methods = b.methods = "trb-0.05-5";
  a.effort = b.effort = 0.2;
  plan whole = make(&a), p = make(&b);
  static const int64_t teacher_steps[] = {1, 99, 101, 130, 139}, run_steps[] = {1, 9, 11, 11, 12};
  for (int64_t i = 0; i < p.n_jobs; i++) {
    do_well(&whole.jobs[i]);
    for (int k = 0; k < 5; k++) {
      if (p.jobs[i].kind == JOB_TEACHER) do_until(&p.jobs[i], teacher_steps[k]);
      if (p.jobs[i].kind == JOB_RUN) do_until(&p.jobs[i], run_steps[k]);
    }
    do_well(&p.jobs[i]);
  }
  const job *a_run = &whole.jobs[2], *b_run = &p.jobs[2];
  ck_assert_int_eq(a_run->kind, JOB_RUN);
  char *one = read_file(a_run->metrics), *other = read_file(b_run->metrics);
  ck_assert_str_eq(one, other);
  free(one);
  free(other);
  plan_free(&whole);
  plan_free(&p);
  workplace_remove(whole_place);
  workplace_remove(place);
}
END_TEST

/* What other choices left in the same files is not taken for one's own. */
START_TEST(foreign_files_are_replaced) {
  char *place = workplace_make();
  choices c = small(place);
  c.methods = "opd";
  plan p = make(&c);
  for (int64_t i = 0; i < p.n_jobs; i++) do_well(&p.jobs[i]);
  plan_free(&p);
  c.steps = 11;
  p = make(&c);
  const job *last = &p.jobs[p.n_jobs - 1];
  ck_assert(job_is_done(&p.jobs[0]));
  ck_assert(!job_is_done(last));
  do_well(last);
  char *text = read_file(last->metrics);
  ck_assert_int_eq(count_in(text, "\"type\": \"step\""), 11);
  free(text);
  plan_free(&p);
  workplace_remove(place);
}
END_TEST

/* Processes do the same as one after another, do nothing twice, and say if a job fails. */
START_TEST(workers_do_all_jobs) {
  char *place = workplace_make(), *alone = workplace_make(), why[256];
  choices c = small(place), d = small(alone);
  c.methods = d.methods = "opd,trb-0.05-5";
  plan p = make(&c), q = make(&d);
  ck_assert_int_eq(workers_run(&p, 2), WORKERS_DONE);
  ck_assert_int_eq(workers_run(&q, 1), WORKERS_DONE);
  for (int64_t i = 0; i < p.n_jobs; i++) {
    ck_assert(job_is_done(&p.jobs[i]));
    if (p.jobs[i].kind != JOB_RUN) continue;
    char *one = read_file(p.jobs[i].metrics), *other = read_file(q.jobs[i].metrics);
    ck_assert_str_eq(one, other);
    free(one);
    free(other);
  }
  FILE *nowhere = fopen("/dev/null", "w");
  ck_assert_ptr_nonnull(nowhere);
  ck_assert_msg(report_make(place, nowhere, why), "%s", why);
  fclose(nowhere);
  ck_assert(is_there(place, "report.html"));
  ck_assert_int_eq(remove(p.jobs[p.n_jobs - 1].metrics), 0);
  ck_assert_int_eq(remove(p.jobs[0].model), 0);
  ck_assert_int_eq(symlink("/nowhere/at/all", p.jobs[0].model), 0);
  char part[PLAN_PATH + 8];
  snprintf(part, sizeof part, "%s.part/x", p.jobs[0].model);
  write_text("/", part + 1, ""); /* a directory where the new file would be written */
  ck_assert_int_eq(workers_run(&p, 2), WORKERS_FAILED);
  plan_free(&p);
  plan_free(&q);
  workplace_remove(place);
  workplace_remove(alone);
}
END_TEST

/* ---- Models from files ---- */

static const decoder_shape llama = {.vocab = 12,
                                    .context = 24,
                                    .layers = 1,
                                    .dim = 8,
                                    .heads = 2,
                                    .kv_heads = 1,
                                    .hidden = 12,
                                    .rotary = 1,
                                    .gated = 1,
                                    .tied = 1};

static char *save_llama(const char *place, const char *name, uint64_t seed) {
  char *path = path_in(place, name), why[256] = "";
  decoder *d = reference_decoder(&llama, seed);
  ck_assert_msg(llama2_save(path, d, why), "%s", why);
  decoder_free(d);
  return path;
}

START_TEST(llamas_are_teachers_and_students) {
  char *place = workplace_make(), why[256] = "";
  write_text(place, "prompts.txt", "stop 3\n1 2 5\n4 7\n9\n1\n11 10\n");
  char *prompts = path_in(place, "prompts.txt"), *teacher = save_llama(place, "teacher.bin", 1),
       *student = save_llama(place, "student.bin", 2);
  choices c = small(place);
  c.settings = "ids";
  c.methods = "opd,trb-0.5-5";
  c.prompts = prompts;
  c.teacher = teacher;
  c.student = student;
  plan p = make(&c);
  ck_assert_int_eq(p.n_jobs, 2); /* nothing to train beforehand */
  for (int64_t i = 0; i < 2; i++) do_well(&p.jobs[i]);
  char exported[PLAN_PATH];
  snprintf(exported, sizeof exported, "%.*s.bin", (int)strlen(p.jobs[0].model) - 6, p.jobs[0].model);
  decoder *d = llama2_load(exported, why), *kept = NULL;
  int64_t step;
  ck_assert_msg(d != NULL, "%s", why);
  ck_assert_msg(checkpoint_load(p.jobs[0].model, p.jobs[0].identity, &step, &kept, NULL, why), "%s", why);
  ck_assert_int_eq(memcmp(d->weights, kept->weights, (size_t)d->n * sizeof *d->weights), 0);
  decoder_free(d);
  decoder_free(kept);
  plan_free(&p);

  c.teacher = prompts; /* not a model */
  p = make(&c);
  ck_assert_int_eq(job_do(&p.jobs[0], quiet, NULL, why), 0);
  ck_assert_ptr_nonnull(strstr(why, "prompts.txt"));
  plan_free(&p);
  free(prompts);
  free(teacher);
  free(student);
  workplace_remove(place);
}
END_TEST

/* The setting on text, with a corpus of its own. */
START_TEST(texts_are_learnt_from_a_corpus) {
  char corpus[4096] = "", *place = workplace_make();
  for (int i = 0; i < 60; i++) {
    char line[64];
    snprintf(line, sizeof line, "word%d\tthe number %d of sixty\n", i, i);
    strcat(corpus, line);
  }
  write_text(place, "corpus.tsv", corpus);
  char *path = path_in(place, "corpus.tsv");
  choices c = small(place);
  c.settings = "text";
  c.methods = "opd";
  c.steps = 2;
  c.effort = 0.001;
  c.corpus = path;
  plan p = make(&c);
  for (int64_t i = 0; i < p.n_jobs; i++) do_well(&p.jobs[i]);
  char *text = read_file(p.jobs[p.n_jobs - 1].metrics);
  ck_assert_int_eq(count_in(text, "\"bits_per_byte\": null"), 0);
  ck_assert_int_eq(count_in(text, "\"success\": null"), 2);
  free(text);
  free(path);
  plan_free(&p);
  workplace_remove(place);
}
END_TEST

Suite *jobs_suite(void) {
  Suite *suite = suite_create("jobs");
  TCase *tc = tcase_create("jobs");
  tcase_set_timeout(tc, 600);
  tcase_add_test(tc, models_are_shared_and_come_first);
  tcase_add_test(tc, identities_follow_the_choices);
  tcase_add_test(tc, bad_choices_are_refused);
  tcase_add_test(tc, runs_repeat_bit_for_bit);
  tcase_add_test(tc, killed_jobs_are_gone_on_with);
  tcase_add_test(tc, foreign_files_are_replaced);
  tcase_add_test(tc, workers_do_all_jobs);
  tcase_add_test(tc, llamas_are_teachers_and_students);
  tcase_add_test(tc, texts_are_learnt_from_a_corpus);
  suite_add_tcase(suite, tc);
  return suite;
}
