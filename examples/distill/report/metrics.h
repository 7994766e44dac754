/* metrics.h - what a run says of itself, one JSON object a line: the record that every table and picture is made from.
 *
 * The first line describes the run, {"type": "run", ...}. Then come {"type": "step", ...} after each update and
 * {"type": "evaluation", ...}, in the order of the steps, and {"type": "end"} when the run is complete. What is not a
 * number is null. Nothing depends on time or machine, so a run that is repeated writes the same bytes. */
#ifndef DISTILL_METRICS_H
#define DISTILL_METRICS_H

#include <stdint.h>

enum { METRICS_TEXT = 192, METRICS_WHY = 256 }; /* capacities: of a text, and of `why` */

/* One run: a method in a world with a seed. A world is a setting (a task and its models) with its variations. Texts are
 * UTF-8 without control characters. */
typedef struct run_head {
  char setting[METRICS_TEXT];  /* "A" */
  char world[METRICS_TEXT];    /* "A", or "A-clean": unique, also a directory */
  char title[METRICS_TEXT];    /* of the world, for people */
  char method[METRICS_TEXT];   /* "opd", "trb-0.05-25": unique in the world, also a directory; "opd" is what others are
                                  compared with */
  char label[METRICS_TEXT];    /* of the method, for people */
  char identity[METRICS_TEXT]; /* hash of everything that made the run, in hexadecimal */
  int64_t world_order, method_order; /* places in tables */
  int64_t seed, steps;               /* steps: planned updates */
  int64_t judged;                    /* 1: `success` is defined in this world */
  double derailed;                   /* share of the teacher's documents that were derailed */
} run_head;

/* One update; means over the sampled tokens of the step. Not known or not defined: NaN. */
typedef struct step_line {
  int64_t step; /* 1, 2, ... */
  double loss;  /* KL(p||q) or what else was descended */
  double budget, beta, saturated;
  double kl_student; /* KL(mu||p) */
  double log_teacher, log_student, entropy_teacher, entropy_student;
  double length;         /* tokens per response */
  double gradient, rate; /* length of the gradient before clipping; learning rate */
  double teacher_calls;  /* forward calls of the teacher in this step */
} step_line;

/* How good the student is after so many updates, over its own rollouts. */
typedef struct evaluation_line {
  int64_t step, prompts;
  double success;         /* share of prompts, sampled at temperature 1 */
  double greedy;          /* the same with the most probable tokens; at the last step only */
  double reverse_kl;      /* KL(p||q) per token on the student's own rollouts */
  double log_teacher;     /* per token there */
  double bits_per_byte;   /* of held-out documents; tasks on text only */
  double teacher_success; /* the teacher's own, sampled likewise; at step 0 only */
  double length;
} evaluation_line;

typedef struct metrics metrics;

/* Starts a file with its first line; or, if `resume` >= 0, goes on with one: its first line must be the same and its
 * steps must reach `resume`; lines of later steps (and an "end") are dropped. Every line is handed to the system before
 * the call returns. NULL with a text in `why`. */
metrics *metrics_open(const char *path, const run_head *head, int64_t resume, char *why);
int metrics_step(metrics *m, const step_line *line);             /* 0: could not be written */
int metrics_evaluation(metrics *m, const evaluation_line *line); /* 0: could not be written */
int metrics_end(metrics *m);                                     /* the last line */
int metrics_close(metrics *m);                                   /* 0: something could not be written */

/* A file as it was read. */
typedef struct run {
  run_head head;
  step_line *steps;
  evaluation_line *evaluations;
  int64_t n_steps, n_evaluations;
  int complete; /* it has its "end" */
} run;

/* NULL with a text in `why` that names file and line. A last line that was cut short is dropped, not an error: the run
 * is not complete. */
run *metrics_read(const char *path, char *why);
void run_free(run *r);

#endif
