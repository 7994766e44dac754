/* measure.h - times of the library's functions beside those of the floors. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "floors.h"
#include "rows.h"

/* What is timed. */
enum {
  SOLVE,
  SAMPLE,  /* of a row that was just solved */
  LOSS,    /* trb_reverse_kl with its gradient */
  FORWARD, /* trb_divergence: forward KL with its gradient */
  JSD,     /* trb_divergence: Jensen-Shannon with its gradient */
  WRITE,   /* trb_write_blend */
  VERIFY,  /* trb_verify of one proposal, the solve included */
  LISTS,   /* trb_solve_sparse with 64 entries a row */
  KERNELS
};
const char *kernel_name(int kernel);

/* What a time is divided by. */
enum {
  OVER_FLOOR, /* what solves: the LSE floor; the sample, after adding the solve: the solve; all others: the MOVE floor.
                 Floors are of f32 rows, whatever the dtype */
  OVER_F32,   /* the same function on f32 rows */
  ONE_BY_MANY_ROW,   /* of one thread over that of many, one row a call */
  ONE_BY_MANY_BATCH, /* the same for BATCH rows a call */
  RATIOS
};

enum { MAX_REPEATS = 99, LISTED = 64 };

typedef struct plan {
  double budget;
  int64_t threads; /* how many are "many"; 1: no such measurement */
  int repeats;
  bool kernel[KERNELS], dtype[DTYPES], family[ROW_FAMILIES]; /* the sample needs the solve */
  bool halves_by_threads;                                    /* many threads with all dtypes, not f32 alone */
} plan;

/* Medians over the repeats, each a walk over all rows. NaN where the plan has no such thing. */
typedef struct figures {
  double floor_us[FLOORS], us[DTYPES][KERNELS]; /* microseconds a row; one thread, one row a call */
  double ratio[RATIOS][DTYPES][KERNELS];
  double readings[DTYPES]; /* of a solve, mean */
} figures;

typedef struct bench {
  const plan *plan;
  rows rows;
  trb_context *one, *many;
  trb_blend *blend[DTYPES];
  int64_t *proposal; /* [rows] of the student's in f32 */
  int64_t *ids;      /* [rows, LISTED] */
  float *log_q;
  floors floor;
  bool ahead[FLOORS]; /* with software prefetch: found faster */
} bench;

/* false: no memory. bench_free in any case. */
bool bench_new(bench *b, const plan *p, int64_t vocab);
void bench_free(bench *b);

/* Draws rows of a family and measures all that the plan wants. Exits where a call fails: its time would mean nothing.
 */
figures bench_measure(bench *b, int family);

#endif
