/* train_options.c - what a training step is asked to do, and the weights that follow. */
#include <inttypes.h>
#include <math.h>

#include "kept.h"
#include "loss.h"
#include "train.h"

/* ---- Options ---- */

static trb_status check_choices(trb_context *ctx, const trb_train_options *o) {
  if (o->objective < TRB_OBJECTIVE_REVERSE_KL || o->objective > TRB_OBJECTIVE_TOKEN)
    return trbi_fail(ctx, TRB_EINVAL, "options->objective: expected a TRB_OBJECTIVE_ number, got %" PRId32,
                     o->objective);
  if (o->norm < TRB_NORM_TOKENS || o->norm > TRB_NORM_NONE)
    return trbi_fail(ctx, TRB_EINVAL, "options->norm: expected a TRB_NORM_ number, got %" PRId32, o->norm);
  if (trbi_element_bytes(o->grad_dtype) == 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->grad_dtype: expected TRB_F32, TRB_F16 or TRB_BF16, got %" PRId32,
                     o->grad_dtype);
  if (o->evaluate != 0 && o->evaluate != 1)
    return trbi_fail(ctx, TRB_EINVAL, "options->evaluate: expected 0 or 1, got %" PRId32, o->evaluate);
  if (o->routed != 0 && o->routed != 1)
    return trbi_fail(ctx, TRB_EINVAL, "options->routed: expected 0 or 1, got %" PRId32, o->routed);
  if (o->reserved != 0) return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, o->reserved);
  if (!isfinite(o->scale))
    return trbi_fail(ctx, TRB_EINVAL, "options->scale: expected a finite number, got %g", o->scale);
  if (!(o->bridge >= 0.0 && o->bridge <= 1.0))
    return trbi_fail(ctx, TRB_EINVAL, "options->bridge: expected a number in [0, 1], got %g", o->bridge);
  if (o->objective == TRB_OBJECTIVE_TOKEN && o->bridge != 0.0 && o->bridge != 1.0)
    return trbi_fail(ctx, TRB_EINVAL, "options->bridge: expected 0 or 1 for TRB_OBJECTIVE_TOKEN, got %g", o->bridge);
  if (o->batch_bytes < 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->batch_bytes: expected at least 0, got %" PRId64, o->batch_bytes);
  return TRB_OK;
}

/* Options of an objective that was not chosen are a mistake. */
static trb_status check_unused(trb_context *ctx, const trb_train_options *o) {
  const struct {
    const char *name;
    bool given;
    int32_t objective;
  } inner[] = {{"reverse_kl", o->reverse_kl != NULL, TRB_OBJECTIVE_REVERSE_KL},
               {"divergence", o->divergence != NULL, TRB_OBJECTIVE_DIVERGENCE},
               {"token", o->token != NULL, TRB_OBJECTIVE_TOKEN}};
  for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
    if (inner[i].given && inner[i].objective != o->objective)
      return trbi_fail(ctx, TRB_EINVAL, "options->%s: expected NULL, since the objective is another, got options",
                       inner[i].name);
  return TRB_OK;
}

/* Weights are finite, and stay so when they are scaled. */
static trb_status check_weights(const trbi_trainer *t) {
  const double *weight = t->options.weight, scale = t->options.scale;
  for (int64_t k = 0; weight != NULL && k < t->r->shown.n_tokens; k++) {
    if (!isfinite(weight[k]))
      return trbi_fail(t->ctx, TRB_EINVAL, "options->weight[%" PRId64 "]: expected a finite number, got %g", k,
                       weight[k]);
    if (!isfinite(weight[k] * scale))
      return trbi_fail(t->ctx, TRB_EINVAL,
                       "options->scale: expected a number that leaves weight[%" PRId64 "], %g, finite, got %g", k,
                       weight[k], scale);
  }
  return TRB_OK;
}

/* Calls on no rows check the inner options before any model is asked. */
static trb_status check_inner(trbi_trainer *t) {
  const trb_logits none = {.vocab = 1, .stride = 1};
  const trb_train_options *o = &t->options;
  double loss;
  if (o->objective == TRB_OBJECTIVE_REVERSE_KL)
    return trbi_fail_within(
        t->ctx, trbi_read_loss_options(t->ctx, o->reverse_kl, t->r->shown.n_tokens, t->vocab, &t->reverse_kl),
        "options->reverse_kl");
  if (o->objective == TRB_OBJECTIVE_DIVERGENCE)
    return trbi_fail_within(t->ctx, trb_divergence(t->ctx, &none, &none, NULL, o->divergence, &loss, NULL, NULL),
                            "options->divergence");
  return trbi_fail_within(t->ctx, trb_token_terms(t->ctx, &none, &none, NULL, NULL, NULL, o->token, NULL, NULL),
                          "options->token");
}

/* Only the negative log-likelihood needs no teacher. One that is given for it bounds the common vocabulary. */
static trb_status read_models(trbi_trainer *t, const trb_model *student, const trb_model *teacher) {
  trb_status status = trbi_read_options(t->ctx, "options->token", t->options.token, &t->token, sizeof t->token,
                                        TRBI_SIZE_TO(trb_term_options, reserved));
  if (status == TRB_OK) status = trbi_read_model(t->ctx, "student", student, false, &t->student);
  const bool lone = t->options.objective == TRB_OBJECTIVE_TOKEN && t->token.estimator == TRB_ESTIMATOR_NLL;
  if (status == TRB_OK) status = trbi_read_model(t->ctx, "teacher", teacher, lone, &t->teacher);
  t->needs_teacher = !lone;
  if (status == TRB_OK && t->student.backward == NULL && t->options.evaluate == 0)
    return trbi_fail(t->ctx, TRB_EINVAL, "student->backward: expected a function without options->evaluate, got NULL");
  return status;
}

trb_status trbi_read_training(trbi_trainer *t, const trb_model *student, const trb_model *teacher,
                              const trb_train_options *options) {
  trb_train_options *o = &t->options;
  trb_status status =
      trbi_read_options(t->ctx, "options", options, o, sizeof *o, TRBI_SIZE_TO(trb_train_options, reserved));
  if (status == TRB_OK) status = check_choices(t->ctx, o);
  if (status == TRB_OK) status = check_unused(t->ctx, o);
  if (status == TRB_OK) status = read_models(t, student, teacher);
  if (status == TRB_OK) status = trbi_check_fit(t->ctx, t->r, &t->student, &t->teacher, &t->vocab);
  if (status == TRB_OK) status = check_weights(t);
  if (status == TRB_OK) status = check_inner(t);
  if (o->scale == 0.0) o->scale = 1.0;
  if (o->bridge == 0.0) o->bridge = 1.0;
  t->reverse_kl.size = sizeof t->reverse_kl;
  return status;
}

/* ---- Weights ---- */

static double given_weight(const trbi_trainer *t, int64_t token) {
  return t->options.weight != NULL ? t->options.weight[token] : 1.0;
}

static int64_t count(const trbi_trainer *t, int64_t sequence) {
  int64_t n = 0;
  for (int64_t k = t->r->offset[sequence]; k < t->r->offset[sequence + 1]; k++) n += given_weight(t, k) != 0.0;
  return n;
}

void trbi_normalize_weights(trbi_trainer *t) {
  const trbi_rollouts *r = t->r;
  int64_t sequences = 0;
  for (int64_t i = 0; i < r->shown.n; i++) {
    const int64_t n = count(t, i);
    t->report.tokens += n;
    sequences += n > 0;
  }
  for (int64_t i = 0; i < r->shown.n; i++) {
    double divisor = 1.0;
    if (t->options.norm == TRB_NORM_TOKENS) divisor = (double)t->report.tokens;
    if (t->options.norm == TRB_NORM_SEQUENCES) divisor = (double)sequences * (double)count(t, i);
    for (int64_t k = r->offset[i]; k < r->offset[i + 1]; k++) {
      const double weight = given_weight(t, k);
      t->weight[k] = weight != 0.0 ? weight * t->options.scale / divisor : 0.0;
    }
  }
}
