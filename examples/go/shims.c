/* shims.c - structs by value become structs by address; handles become callbacks. */
#include "_cgo_export.h"

#define VIEW(x)   (&(trb_logits){(x).data, (x).rows, (x).vocab, (x).stride, (x).dtype, (x).temperature})
#define LOGITS(x) ((x).dtype >= 0 ? VIEW(x) : NULL)
#define STRUCT(x) ((x).size > 0 ? &(x) : NULL)

/* ---- Callbacks ---- */

static int32_t forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  return trbGoForward((trb_query *)queries, n, (trb_logits *)out, (uintptr_t)user);
}

static int32_t backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  return trbGoBackward((trb_query *)queries, n, (trb_logits *)grad, (uintptr_t)user);
}

static int32_t progress_of(int64_t done, int64_t total, void *user) {
  return trbGoProgress(done, total, (uintptr_t)user);
}

static trb_model model_of(go_model m) {
  return (trb_model){.size = sizeof(trb_model),
                     .vocab = m.vocab,
                     .forward = m.forward ? forward : NULL,
                     .backward = m.backward ? backward : NULL,
                     .user = (void *)m.user,
                     .dtype = m.dtype,
                     .temperature = m.temperature};
}

/* The address of a model, NULL where Go has none. */
#define MODEL(of, name) (of.user != 0 ? &name : NULL)

/* ---- Functions ---- */

trb_status go_context(int64_t threads, int32_t isa, char *error, int64_t error_bytes, trb_context **out) {
  const trb_context_options options = {
      .size = sizeof options, .threads = threads, .isa = isa, .error = error, .error_bytes = error_bytes};
  return trb_context_new(&options, out);
}

trb_status go_entropy(trb_context *ctx, go_logits logits, double *out) {
  return trb_entropy(ctx, VIEW(logits), out);
}

trb_status go_mask_tokens(trb_context *ctx, go_logits inout, const int64_t *ids, int64_t n) {
  return trb_mask_tokens(ctx, VIEW(inout), ids, n);
}

trb_status go_merge_tokens(trb_context *ctx, go_logits inout, const int64_t *from, const int64_t *to, int64_t n) {
  return trb_merge_tokens(ctx, VIEW(inout), from, to, n);
}

trb_status go_schedule_at(trb_context *ctx, trb_schedule schedule, int64_t k, double *out) {
  return trb_schedule_at(ctx, &schedule, k, out);
}

trb_status go_solve(trb_context *ctx, go_logits student, go_logits teacher, const double *budget, int64_t n_budget,
                    trb_solve_options options, trb_blend *out) {
  return trb_solve(ctx, VIEW(student), LOGITS(teacher), budget, n_budget, STRUCT(options), out);
}

trb_status go_blend_at(trb_context *ctx, go_logits student, go_logits teacher, const double *beta, int64_t n_beta,
                       trb_blend *out) {
  return trb_blend_at(ctx, VIEW(student), LOGITS(teacher), beta, n_beta, out);
}

trb_status go_write_blend(trb_context *ctx, go_logits student, go_logits teacher, const trb_blend *blend,
                          go_logits out) {
  return trb_write_blend(ctx, VIEW(student), LOGITS(teacher), blend, VIEW(out));
}

trb_status go_sample(trb_context *ctx, go_logits student, go_logits teacher, const trb_blend *blend,
                     trb_sampler sampler, trb_draw *out) {
  return trb_sample(ctx, VIEW(student), LOGITS(teacher), blend, &sampler, out);
}

trb_status go_verify(trb_context *ctx, go_logits student, go_logits teacher, trb_texts proposals, const double *budget,
                     int64_t n_budget, trb_verify_options options, trb_solve_options solve, trb_sampler sampler,
                     trb_blend *blend, trb_verdict *out) {
  options.solve = STRUCT(solve);
  options.sampler = &sampler;
  return trb_verify(ctx, VIEW(student), LOGITS(teacher), &proposals, budget, n_budget, &options, blend, out);
}

trb_status go_reverse_kl(trb_context *ctx, go_logits student, go_logits teacher, const double *weight,
                         trb_loss_options options, double *loss, go_logits grad, trb_loss_row *rows) {
  return trb_reverse_kl(ctx, VIEW(student), VIEW(teacher), weight, &options, loss, LOGITS(grad), rows);
}

trb_status go_divergence(trb_context *ctx, go_logits student, go_logits teacher, const double *weight,
                         trb_divergence_options options, double *loss, go_logits grad, trb_loss_row *rows) {
  return trb_divergence(ctx, VIEW(student), VIEW(teacher), weight, &options, loss, LOGITS(grad), rows);
}

trb_status go_token_terms(trb_context *ctx, go_logits student, go_logits teacher, const int64_t *token,
                          const double *log_behavior, const double *weight, trb_term_options options, trb_term *out,
                          go_logits grad) {
  return trb_token_terms(ctx, VIEW(student), LOGITS(teacher), token, log_behavior, weight, &options, out, LOGITS(grad));
}

trb_status go_solve_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const double *budget,
                           int64_t n_budget, trb_solve_options options, trb_sparse_blend *out) {
  return trb_solve_sparse(ctx, VIEW(student), &teacher, budget, n_budget, STRUCT(options), out);
}

trb_status go_sample_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const trb_sparse_blend *blend,
                            trb_sampler sampler, trb_draw *out) {
  return trb_sample_sparse(ctx, VIEW(student), &teacher, blend, &sampler, out);
}

trb_status go_reverse_kl_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const double *weight,
                                trb_loss_options options, double *loss, go_logits grad, trb_loss_row *rows) {
  return trb_reverse_kl_sparse(ctx, VIEW(student), &teacher, weight, &options, loss, LOGITS(grad), rows);
}

trb_status go_rollout(trb_context *ctx, go_model student, go_model teacher, trb_texts prompts,
                      trb_rollout_options options, trb_solve_options solve, trb_sampler sampler, trb_ends ends,
                      uintptr_t progress, trb_rollouts **out) {
  const trb_model p = model_of(student), q = model_of(teacher);
  options.solve = STRUCT(solve);
  options.sampler = &sampler;
  options.ends = ends.n > 0 ? &ends : NULL;
  options.progress = progress ? progress_of : NULL;
  options.progress_user = (void *)progress;
  return trb_rollout(ctx, MODEL(student, p), MODEL(teacher, q), &prompts, &options, out);
}

trb_status go_rollouts_new(trb_context *ctx, trb_texts texts, const int64_t *prompt_length, const double *log_sampled,
                           trb_ends ends, trb_rollouts **out) {
  return trb_rollouts_new(ctx, &texts, prompt_length, log_sampled, ends.n > 0 ? &ends : NULL, out);
}

trb_status go_score(trb_context *ctx, go_model student, go_model teacher, trb_score_options options, uintptr_t progress,
                    trb_rollouts *inout) {
  const trb_model p = model_of(student), q = model_of(teacher);
  options.progress = progress ? progress_of : NULL;
  options.progress_user = (void *)progress;
  return trb_score(ctx, MODEL(student, p), MODEL(teacher, q), &options, inout);
}

trb_status go_train_step(trb_context *ctx, go_model student, go_model teacher, const trb_rollouts *rollouts,
                         trb_train_options options, trb_loss_options reverse_kl, trb_divergence_options divergence,
                         trb_term_options token, uintptr_t progress, double *loss, trb_loss_row *rows,
                         trb_train_report *out) {
  const trb_model p = model_of(student), q = model_of(teacher);
  options.reverse_kl = options.objective == TRB_OBJECTIVE_REVERSE_KL ? &reverse_kl : NULL;
  options.divergence = options.objective == TRB_OBJECTIVE_DIVERGENCE ? &divergence : NULL;
  options.token = options.objective == TRB_OBJECTIVE_TOKEN ? &token : NULL;
  options.progress = progress ? progress_of : NULL;
  options.progress_user = (void *)progress;
  return trb_train_step(ctx, MODEL(student, p), MODEL(teacher, q), rollouts, &options, loss, rows, out);
}
