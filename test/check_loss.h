/* check_loss.h - one call of trb_reverse_kl or trb_divergence, every output checked against the oracle. */
#ifndef TEST_CHECK_LOSS_H
#define TEST_CHECK_LOSS_H

#include "oracle.h"
#include "common.h"

typedef struct loss_case {
  const trb_logits *student, *teacher;
  const double *weight;                     /* NULL: ones */
  const trb_loss_options *options;          /* of trb_reverse_kl, or NULL */
  const trb_divergence_options *divergence; /* not NULL: trb_divergence */
  int32_t grad_dtype;
  const char *where; /* for messages */
} loss_case;

typedef struct loss_worst {
  double loss, grad, entropy, mass; /* error / tolerance */
  int64_t rows, good, infinite, empty;
} loss_worst;

/* Calls, and fails the running test where an output is not what the oracle says. `worst` may be NULL. */
void loss_check(const loss_case *c, loss_worst *worst);

void loss_report(const char *what, const loss_worst *worst);

#endif
