/* constants.c - every number of trb.h by its name, for bindings that cannot read C. */
#include <string.h>

#include "core.h"

/* N: an enumerator or macro; S: the size of a struct. In the order of the header. */
// clang-format off
#define CONSTANTS(N, S)                                                                                               \
  N(TRB_VERSION_MAJOR) N(TRB_VERSION_MINOR) N(TRB_VERSION_PATCH)                                                      \
  N(TRB_OK) N(TRB_EINVAL) N(TRB_ENOMEM) N(TRB_EROWS) N(TRB_ECALLBACK) N(TRB_ECOMM)                                    \
  N(TRB_ROW_BLENDED) N(TRB_ROW_TEACHER) N(TRB_ROW_STUDENT) N(TRB_ROW_UNREACHABLE) N(TRB_ROW_GIVEN) N(TRB_ROW_OK)      \
  N(TRB_ROW_SKIPPED) N(TRB_ROW_EMPTY) N(TRB_ROW_NOT_A_NUMBER) N(TRB_ROW_INFINITE) N(TRB_ROW_IMPOSSIBLE)                \
  N(TRB_ROW_EXCESS)                                                                                                    \
  N(TRB_ISA_AUTO) N(TRB_ISA_SCALAR) N(TRB_ISA_AVX2) N(TRB_ISA_AVX512) N(TRB_ISA_NEON)                                 \
  N(TRB_F32) N(TRB_F16) N(TRB_BF16)                                                                                   \
  N(TRB_SCHEDULE_LINEAR) N(TRB_SCHEDULE_CONSTANT) N(TRB_SCHEDULE_COSINE) N(TRB_SCHEDULE_PIECEWISE)                    \
  N(TRB_METHOD_NEWTON) N(TRB_METHOD_BISECTION)                                                                        \
  N(TRB_VERDICT_DRAWN) N(TRB_VERDICT_ACCEPTED) N(TRB_VERDICT_CORRECTED) N(TRB_VERDICT_DROPPED)                        \
  N(TRB_FORM_FULL) N(TRB_FORM_TRUNCATED) N(TRB_FORM_RENORMALIZED) N(TRB_FORM_TAIL_BUCKET) N(TRB_FORM_GENERALIZED)     \
  N(TRB_SUPPORT_ALL) N(TRB_SUPPORT_STUDENT_TOP_K) N(TRB_SUPPORT_TEACHER_TOP_K) N(TRB_SUPPORT_IDS)                     \
  N(TRB_DIVERGENCE_FORWARD_KL) N(TRB_DIVERGENCE_JSD)                                                                  \
  N(TRB_ESTIMATOR_ADVANTAGE) N(TRB_ESTIMATOR_K1) N(TRB_ESTIMATOR_K2) N(TRB_ESTIMATOR_K3) N(TRB_ESTIMATOR_NLL)         \
  N(TRB_CLIPPED_RATIO) N(TRB_CLIPPED_ADVANTAGE)                                                                       \
  N(TRB_CONTINUE)                                                                                                     \
  N(TRB_BEHAVIOR_BUDGET) N(TRB_BEHAVIOR_BETA) N(TRB_BEHAVIOR_STUDENT) N(TRB_BEHAVIOR_TEACHER) N(TRB_BEHAVIOR_SKD)     \
  N(TRB_STOP_NONE) N(TRB_STOP_TOKEN) N(TRB_STOP_LENGTH) N(TRB_STOP_STUDENT) N(TRB_STOP_TEACHER) N(TRB_STOP_GIVEN)     \
  N(TRB_OBJECTIVE_REVERSE_KL) N(TRB_OBJECTIVE_DIVERGENCE) N(TRB_OBJECTIVE_TOKEN)                                      \
  N(TRB_NORM_TOKENS) N(TRB_NORM_SEQUENCES) N(TRB_NORM_NONE)                                                           \
  S(trb_context_options) S(trb_logits) S(trb_schedule) S(trb_solve_options) S(trb_blend) S(trb_sampler) S(trb_draw)   \
  S(trb_verdict) S(trb_verify_options) S(trb_sparse) S(trb_sparse_blend) S(trb_head) S(trb_head_options)               \
  S(trb_head_grad)                                                                                                     \
  S(trb_loss_options) S(trb_loss_row) S(trb_divergence_options) S(trb_term_options) S(trb_term)                       \
  S(trb_query) S(trb_model) S(trb_texts) S(trb_ends) S(trb_rollout_options) S(trb_rollouts) S(trb_score_options)      \
  S(trb_totals) S(trb_train_options) S(trb_train_report) S(trb_gain)
// clang-format on

#define NUMBER_ENTRY(constant) {#constant, constant},
#define SIZE_ENTRY(type)       {"sizeof(" #type ")", (int64_t)sizeof(type)},

static const struct entry {
  const char *name;
  int64_t value;
} table[] = {CONSTANTS(NUMBER_ENTRY, SIZE_ENTRY)};

enum { ENTRIES = sizeof table / sizeof table[0] };

trb_status trb_constant(const char *name, int64_t *value) {
  if (!name || !value) return TRB_EINVAL;
  for (int i = 0; i < ENTRIES; i++) {
    if (strcmp(name, table[i].name) == 0) {
      *value = table[i].value;
      return TRB_OK;
    }
  }
  return TRB_EINVAL;
}

trb_status trb_constant_at(int64_t index, const char **name, int64_t *value) {
  if (index < 0 || index >= ENTRIES || !name || !value) return TRB_EINVAL;
  *name = table[index].name;
  *value = table[index].value;
  return TRB_OK;
}
