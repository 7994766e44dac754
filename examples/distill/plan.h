/* plan.h - what there is to do: teachers and base students to train, and runs that need them. */
#ifndef DISTILL_PLAN_H
#define DISTILL_PLAN_H

#include "method.h"
#include "pupil.h"
#include "world.h"

enum { PLAN_PATH = 512 };

typedef enum job_kind { JOB_TEACHER, JOB_BASE, JOB_RUN } job_kind;

typedef struct job {
  job_kind kind;
  const world *world;
  int64_t world_order, method_order, seed;
  method method;           /* of a run */
  uint64_t identity;       /* hash of all that the result depends on */
  char model[PLAN_PATH];   /* what it leaves */
  char metrics[PLAN_PATH]; /* of a run */
  char teacher[PLAN_PATH]; /* of a run: where its models come from */
  char base[PLAN_PATH];
  int64_t needs[2]; /* jobs that must be done first; -1: none */
} job;

typedef struct plan {
  world *worlds;
  job *jobs;
  int64_t n_worlds, n_jobs;
} plan;

/* Lists the jobs, each behind those it needs, and makes their directories. 0 with a text in `why` (capacity 256). */
int plan_make(const choices *c, plan *out, char *why);
void plan_free(plan *p);

/* Whether the files say that it was done. */
int job_is_done(const job *j);

/* Does it, from where an earlier process stopped. 0 with a text in `why` (capacity 256). */
int job_do(const job *j, tell_fn tell, void *user, char *why);

/* The models of a run that is to be, its teacher and the student as it starts, and the longest response that both and
 * the task allow. NULL with a text in `why` (capacity 256). */
lm *job_teacher(const job *j, char *why);
lm *job_student(const job *j, char *why);
int64_t job_response(const job *j, const lm *teacher, const lm *student);

/* About how much it computes. */
double job_cost(const job *j);

/* For people, such as "A: teacher" or "A: TRB ..., seed 3". */
void job_name(const job *j, char *name, size_t capacity);

#endif
