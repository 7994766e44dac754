/* method.h - the compared methods: who writes in step k, and what is descended. */
#ifndef DISTILL_METHOD_H
#define DISTILL_METHOD_H

#include <stdint.h>
#include <trb.h>

typedef enum method_kind {
  METHOD_BUDGET,      /* the blend at a budget that anneals to 0 over `until` steps, or at a constant one; 0 is OPD */
  METHOD_SKD,         /* tokens outside the teacher's top `amount` are the teacher's */
  METHOD_TEMPERATURE, /* the student at a temperature that goes from `amount` to 1 */
  METHOD_TEACHER,     /* the teacher writes, the reverse KL is descended */
  METHOD_SFT,         /* the teacher writes and its tokens are imitated, for the first `until` steps */
  METHOD_VETO         /* the student writes, the target is a blend whose weight goes from `amount` to 1 */
} method_kind;

enum { METHOD_TEXT = 64 };

typedef struct method {
  method_kind kind;
  double amount;
  int64_t until;           /* steps; INT64_MAX: throughout */
  char id[METHOD_TEXT];    /* as it was parsed: "trb-0.05-25" */
  char label[METHOD_TEXT]; /* for people: "TRB .05, K = 25" */
} method;

/* From "opd", "trb-BUDGET-STEPS", "fixed-BUDGET", "skd-K", "temperature-T-STEPS", "teacher", "sft", "sft-STEPS" or
 * "veto-WEIGHT-STEPS". 0 with a text in `why` (capacity 256) if it is none of these or a number is out of range. */
int method_parse(const char *text, method *out, char *why);

/* What the method is in step k = 0, 1, ...: who writes, and what is descended. Sets behavior and its numbers in
 * `rollout`, objective, token options and bridge in `train`; `room` is where the token options may stand. */
void method_at(const method *m, int64_t k, trb_rollout_options *rollout, trb_train_options *train,
               trb_term_options *room);

#endif
