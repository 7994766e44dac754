/* workers.c - a process for each job. The children write messages into one pipe, which the parent reads. */
#include "workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "progress.h"

/* Short enough to be written in one piece whatever other children write. */
typedef struct message {
  int64_t job, done, total;
  char why[256]; /* of a job that failed */
} message;

typedef enum state { WAITING, RUNNING, DONE, FAILED } state;

typedef struct crew {
  const plan *p;
  state *states;   /* [n_jobs] */
  pid_t *children; /* [n_jobs] of running ones */
  double *shares;  /* [n_jobs] done of each */
  int in, out;     /* ends of the pipe */
  int64_t running;
  int failed;
  progress shown;
} crew;

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

/* SIGINT and SIGTERM end the children at once and the parent after them. */
static void handle_signals(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

/* ---- The child ---- */

typedef struct reporter {
  int out;
  message m;
} reporter;

static void send_message(const reporter *r) {
  while (write(r->out, &r->m, sizeof r->m) < 0 && errno == EINTR) continue;
}

static void tell(int64_t done, int64_t total, void *user) {
  reporter *r = user;
  r->m.done = done;
  r->m.total = total;
  send_message(r);
}

static void work(const crew *c, int64_t number) {
  reporter r = {.out = c->out, .m = {.job = number}};
  handle_signals(SIG_DFL);
  close(c->in);
  if (job_do(&c->p->jobs[number], tell, &r, r.m.why)) _exit(EXIT_SUCCESS);
  send_message(&r);
  _exit(EXIT_FAILURE);
}

/* ---- The parent ---- */

static int is_ready(const crew *c, int64_t number) {
  const job *j = &c->p->jobs[number];
  for (int k = 0; k < 2; k++)
    if (j->needs[k] >= 0 && c->states[j->needs[k]] != DONE) return 0;
  return c->states[number] == WAITING;
}

static int start_job(crew *c, int64_t number) {
  const pid_t child = fork();
  if (child == 0) work(c, number);
  if (child < 0) {
    progress_say(&c->shown, strerror(errno));
    return 0;
  }
  c->states[number] = RUNNING;
  c->children[number] = child;
  c->running++;
  return 1;
}

/* In the order of the plan, but teachers first: they take longest, and most jobs wait for one. */
static void start_jobs(crew *c, int64_t most) {
  for (int teachers = 1; teachers >= 0; teachers--) {
    for (int64_t i = 0; i < c->p->n_jobs && c->running < most && !c->failed && !interrupted; i++) {
      const int is_teacher = c->p->jobs[i].kind == JOB_TEACHER;
      if (is_teacher == teachers && is_ready(c, i) && !start_job(c, i)) c->failed = 1;
    }
  }
}

static void set_share(crew *c, int64_t number, double share) {
  c->shown.done += (share - c->shares[number]) * job_cost(&c->p->jobs[number]);
  c->shares[number] = share;
}

static void take_message(crew *c, const message *m) {
  char name[256], line[640];
  const job *j = &c->p->jobs[m->job];
  job_name(j, name, sizeof name);
  if (m->why[0] != '\0') {
    snprintf(line, sizeof line, "%s failed: %s", name, m->why);
    progress_say(&c->shown, line);
  } else {
    set_share(c, m->job, (double)m->done / (double)m->total);
    progress_show(&c->shown, name);
  }
}

/* Takes a message if one comes within so many milliseconds. */
static int listen(crew *c, int wait) {
  struct pollfd in = {.fd = c->in, .events = POLLIN};
  message m;
  if (poll(&in, 1, wait) <= 0 || read(c->in, &m, sizeof m) != (ssize_t)sizeof m) return 0;
  take_message(c, &m);
  return 1;
}

static void finish_job(crew *c, int64_t number, int status) {
  char name[256], line[512];
  const int done = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  c->states[number] = done ? DONE : FAILED;
  c->running--;
  job_name(&c->p->jobs[number], name, sizeof name);
  if (done) {
    c->shown.finished++;
    set_share(c, number, 1.0);
    snprintf(line, sizeof line, "%lld of %lld  %s", (long long)c->shown.finished, (long long)c->shown.jobs, name);
    if (!c->shown.terminal) progress_say(&c->shown, line);
    return;
  }
  c->failed = 1;
  if (WIFSIGNALED(status) && !interrupted) {
    snprintf(line, sizeof line, "%s failed: signal %d", name, WTERMSIG(status));
    progress_say(&c->shown, line);
  }
}

static void reap(crew *c) {
  int status;
  for (int64_t i = 0; i < c->p->n_jobs; i++) {
    if (c->states[i] != RUNNING) continue;
    if (interrupted) kill(c->children[i], SIGTERM);
    if (waitpid(c->children[i], &status, interrupted ? 0 : WNOHANG) == c->children[i]) finish_job(c, i, status);
  }
}

static workers_end run_all(crew *c, int64_t most) {
  handle_signals(interrupt);
  start_jobs(c, most);
  while (c->running > 0) {
    listen(c, 100);
    reap(c);
    start_jobs(c, most);
  }
  while (listen(c, 0)) continue; /* why the last one failed */
  handle_signals(SIG_DFL);
  progress_end(&c->shown);
  if (interrupted) return WORKERS_INTERRUPTED;
  return c->failed ? WORKERS_FAILED : WORKERS_DONE;
}

/* What is done already, and how much that is of the whole. */
static void look(crew *c) {
  int64_t finished = 0;
  double whole = 0.0, done = 0.0;
  for (int64_t i = 0; i < c->p->n_jobs; i++) {
    const job *j = &c->p->jobs[i];
    whole += job_cost(j);
    if (!job_is_done(j)) continue;
    c->states[i] = DONE;
    c->shares[i] = 1.0;
    done += job_cost(j);
    finished++;
  }
  c->shown = progress_start(c->p->n_jobs, finished, whole, done);
}

workers_end workers_run(const plan *p, int64_t n) {
  int ends[2];
  crew c = {.p = p};
  c.states = calloc((size_t)p->n_jobs, sizeof *c.states);
  c.children = calloc((size_t)p->n_jobs, sizeof *c.children);
  c.shares = calloc((size_t)p->n_jobs, sizeof *c.shares);
  workers_end end = WORKERS_FAILED;
  if (c.states == NULL || c.children == NULL || c.shares == NULL || pipe(ends) != 0) {
    fprintf(stderr, "distill: %s\n", strerror(errno));
  } else {
    c.in = ends[0];
    c.out = ends[1];
    look(&c);
    end = run_all(&c, n);
    close(ends[0]);
    close(ends[1]);
  }
  free(c.states);
  free(c.children);
  free(c.shares);
  return end;
}
