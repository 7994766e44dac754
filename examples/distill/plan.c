/* plan.c - the list of jobs: worlds, seeds and methods, and the models that they share. */
#include "plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEACHER_SEED = 1, MOST_WORLDS = 32 };

/* ---- Texts ---- */

/* The next of a list separated by commas, into `item`; 0 at the end. */
static int next_item(const char **list, char *item, size_t capacity) {
  const size_t length = strcspn(*list, ",");
  if (**list == '\0') return 0;
  snprintf(item, capacity, "%.*s", (int)length, *list);
  *list += length + ((*list)[length] == ',');
  return 1;
}

/* FNV-1a of a text, on top of an earlier hash. */
static uint64_t hash(uint64_t before, const char *format, ...) __attribute__((format(printf, 2, 3)));
static uint64_t hash(uint64_t before, const char *format, ...) {
  char text[1024];
  uint64_t h = before ^ 0xcbf29ce484222325u;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (const char *c = text; *c != '\0'; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
  return h;
}

/* ---- Paths ---- */

/* Sets a path and makes every directory on the way to it. */
static int set_path(char *path, char *why, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int set_path(char *path, char *why, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(path, PLAN_PATH, format, arguments);
  va_end(arguments);
  if (length >= PLAN_PATH) {
    snprintf(why, 256, "%.100s...: the path is too long", path);
    return 0;
  }
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    const int made = mkdir(path, 0777) == 0 || errno == EEXIST;
    if (!made) snprintf(why, 256, "%.200s: %s", path, strerror(errno));
    *slash = '/';
    if (!made) return 0;
  }
  return 1;
}

/* ---- What a result depends on ---- */

static uint64_t hash_task(const world *w) {
  const task *t = w->task;
  return hash(0, "distill 1: task %s, vocabulary %lld, tokens %lld + %lld, documents %lld + %lld", t->name,
              (long long)t->vocab, (long long)t->prompt, (long long)t->response, (long long)t->n_train,
              (long long)t->n_held_out);
}

static uint64_t hash_shape(uint64_t h, const decoder_shape *s) {
  return hash(h, "shape %d %d %d %d %d %d %d %d %d %d", s->vocab, s->context, s->layers, s->dim, s->heads, s->kv_heads,
              s->hidden, s->rotary, s->gated, s->tied);
}

static uint64_t hash_stage(uint64_t h, const stage *s) {
  h = hash(h, "stage %lld %lld %.17g %.17g %lld %.17g %.17g", (long long)s->steps, (long long)s->documents, s->rate,
           s->floor, (long long)s->warmup, s->derailed, s->hazard);
  for (int64_t i = 0; i < s->n_slips; i++) h = hash(h, "slip %.17g", s->slips[i]);
  return h;
}

/* A model that is not trained here is known by its path. */
static uint64_t identify_teacher(const world *w) {
  if (w->teacher != NULL) return hash(hash_task(w), "teacher %s", w->teacher);
  const uint64_t h = hash_shape(hash(hash_task(w), "teacher, seed %d", TEACHER_SEED), &w->of.teacher);
  return hash_stage(h, &w->of.teacher_stage);
}

static uint64_t identify_base(const world *w, int64_t seed) {
  if (w->student != NULL) return hash(hash_task(w), "student %s", w->student);
  uint64_t h = hash_shape(hash(hash_task(w), "base, seed %lld", (long long)seed), &w->of.student);
  for (int i = 0; i < MOST_STAGES; i++) h = hash_stage(h, &w->of.base_stages[i]);
  return h;
}

static uint64_t identify_run(const world *w, const method *m, int64_t seed) {
  const setting *s = &w->of;
  return hash(identify_teacher(w) ^ identify_base(w, seed) * 31,
              "run %s, seed %lld, slip %.17g, %lld steps, %lld prompts, rate %.17g, evaluation %lld %lld %lld", m->id,
              (long long)seed, s->slip, (long long)s->steps, (long long)s->prompts, s->rate,
              (long long)s->evaluate_every, (long long)s->evaluate_prompts, (long long)s->final_prompts);
}

/* ---- Jobs ---- */

static job *add_job(plan *p, job like, char *why) {
  job *grown = realloc(p->jobs, ((size_t)p->n_jobs + 1) * sizeof *grown);
  if (grown == NULL) {
    snprintf(why, 256, "no memory for the plan");
    return NULL;
  }
  p->jobs = grown;
  p->jobs[p->n_jobs] = like;
  return &p->jobs[p->n_jobs++];
}

static int64_t find_job(const plan *p, uint64_t identity) {
  for (int64_t i = 0; i < p->n_jobs; i++)
    if (p->jobs[i].identity == identity) return i;
  return -1;
}

/* The job that makes a teacher, which worlds may share; -1: the model comes from a file. -2 on failure. */
static int64_t plan_teacher(plan *p, const choices *c, const world *w, char *why) {
  const uint64_t identity = identify_teacher(w);
  if (w->teacher != NULL) return -1;
  if (find_job(p, identity) >= 0) return find_job(p, identity);
  job j = {.kind = JOB_TEACHER, .world = w, .seed = TEACHER_SEED, .identity = identity, .needs = {-1, -1}};
  if (!set_path(j.model, why, "%s/models/%s-teacher-%g.model", c->out, w->of.name, w->of.teacher_stage.derailed))
    return -2;
  return add_job(p, j, why) != NULL ? p->n_jobs - 1 : -2;
}

static int64_t plan_base(plan *p, const choices *c, const world *w, int64_t seed, char *why) {
  const uint64_t identity = identify_base(w, seed);
  if (w->student != NULL) return -1;
  if (find_job(p, identity) >= 0) return find_job(p, identity);
  job j = {.kind = JOB_BASE, .world = w, .seed = seed, .identity = identity, .needs = {-1, -1}};
  if (!set_path(j.model, why, "%s/models/%s-base-%lld.model", c->out, w->of.name, (long long)seed)) return -2;
  return add_job(p, j, why) != NULL ? p->n_jobs - 1 : -2;
}

static int plan_run(plan *p, const choices *c, const world *w, const method *m, int64_t order, int64_t seed,
                    const int64_t *needs, char *why) {
  job j = {.kind = JOB_RUN,
           .world = w,
           .world_order = p->n_worlds,
           .method_order = order,
           .seed = seed,
           .method = *m,
           .identity = identify_run(w, m, seed),
           .needs = {needs[0], needs[1]}};
  snprintf(j.teacher, sizeof j.teacher, "%s", needs[0] >= 0 ? p->jobs[needs[0]].model : w->teacher);
  snprintf(j.base, sizeof j.base, "%s", needs[1] >= 0 ? p->jobs[needs[1]].model : w->student);
  return set_path(j.metrics, why, "%s/runs/%s/%s/seed-%lld/metrics.jsonl", c->out, w->id, m->id, (long long)seed) &&
         set_path(j.model, why, "%s/runs/%s/%s/seed-%lld/student.model", c->out, w->id, m->id, (long long)seed) &&
         add_job(p, j, why) != NULL;
}

/* All methods of a list with all seeds. */
static int plan_methods(plan *p, const choices *c, const world *w, const char *list, int64_t *order, char *why) {
  char item[METHOD_TEXT + 1];
  while (next_item(&list, item, sizeof item)) {
    method m;
    if (!method_parse(item, &m, why)) return 0;
    for (int64_t seed = c->first_seed; seed < c->first_seed + c->seeds; seed++) {
      const int64_t needs[2] = {plan_teacher(p, c, w, why), plan_base(p, c, w, seed, why)};
      if (needs[0] < -1 || needs[1] < -1 || !plan_run(p, c, w, &m, *order, seed, needs, why)) return 0;
    }
    ++*order;
  }
  return 1;
}

static int plan_world(plan *p, const choices *c, const world *w, char *why) {
  int64_t order = 0;
  const char *methods = c->methods != NULL && !w->control ? c->methods : w->methods;
  return plan_methods(p, c, w, methods, &order, why) && (!c->sweep || plan_methods(p, c, w, w->sweep, &order, why));
}

/* A setting and, if wanted, its controls. */
static int plan_setting(plan *p, const choices *c, const char *name, char *why) {
  if (setting_find(name) == NULL) {
    snprintf(why, 256, "setting '%.64s': expected A, B, C, text or ids", name);
    return 0;
  }
  for (int64_t i = 0; i == 0 || c->controls; i++) {
    world *w = &p->worlds[p->n_worlds];
    const int made = p->n_worlds < MOST_WORLDS ? world_make(name, i, c, w, why) : 0;
    if (made <= 0) return made == 0;
    p->n_worlds++;
    if (!plan_world(p, c, w, why)) return 0;
  }
  return 1;
}

int plan_make(const choices *c, plan *out, char *why) {
  char name[METRICS_TEXT];
  const char *list = c->settings;
  *out = (plan){.worlds = calloc(MOST_WORLDS, sizeof(world))};
  int made = out->worlds != NULL;
  if (!made) snprintf(why, 256, "no memory for the plan");
  while (made && next_item(&list, name, sizeof name)) made = plan_setting(out, c, name, why);
  if (made) return 1;
  plan_free(out);
  return 0;
}

void plan_free(plan *p) {
  for (int64_t i = 0; i < p->n_worlds; i++) world_free(&p->worlds[i]);
  free(p->worlds);
  free(p->jobs);
  *p = (plan){.worlds = NULL};
}
