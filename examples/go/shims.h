/* shims.h - the library's functions with structs by value. Memory of Go may be handed to C only if it holds no pointer
 * into Go's memory, so a view of a slice has to be an argument itself. Structs stand for NULL where their size is 0,
 * logits where their dtype is -1. */
#include <stdint.h>
#include <trb.h>

/* trb_logits, whose data is no void *: cgo would look for pointers in all of the Go object that holds the elements. */
typedef struct {
  uint8_t *data;
  int64_t rows, vocab, stride;
  int32_t dtype;
  float temperature;
} go_logits;

/* A model, or none where `user`, a runtime/cgo.Handle, is 0. */
typedef struct {
  int64_t vocab;
  uintptr_t user;
  int32_t dtype;
  float temperature;
  int32_t forward, backward; /* whether it has them */
} go_model;

trb_status go_context(int64_t threads, int32_t isa, char *error, int64_t error_bytes, trb_context **out);
trb_status go_entropy(trb_context *ctx, go_logits logits, double *out);
trb_status go_mask_tokens(trb_context *ctx, go_logits inout, const int64_t *ids, int64_t n);
trb_status go_merge_tokens(trb_context *ctx, go_logits inout, const int64_t *from, const int64_t *to, int64_t n);
trb_status go_schedule_at(trb_context *ctx, trb_schedule schedule, int64_t k, double *out);
trb_status go_solve(trb_context *ctx, go_logits student, go_logits teacher, const double *budget, int64_t n_budget,
                    trb_solve_options options, trb_blend *out);
trb_status go_blend_at(trb_context *ctx, go_logits student, go_logits teacher, const double *beta, int64_t n_beta,
                       trb_blend *out);
trb_status go_write_blend(trb_context *ctx, go_logits student, go_logits teacher, const trb_blend *blend,
                          go_logits out);
trb_status go_sample(trb_context *ctx, go_logits student, go_logits teacher, const trb_blend *blend,
                     trb_sampler sampler, trb_draw *out);
trb_status go_verify(trb_context *ctx, go_logits student, go_logits teacher, trb_texts proposals, const double *budget,
                     int64_t n_budget, trb_verify_options options, trb_solve_options solve, trb_sampler sampler,
                     trb_blend *blend, trb_verdict *out);
trb_status go_reverse_kl(trb_context *ctx, go_logits student, go_logits teacher, const double *weight,
                         trb_loss_options options, double *loss, go_logits grad, trb_loss_row *rows);
trb_status go_divergence(trb_context *ctx, go_logits student, go_logits teacher, const double *weight,
                         trb_divergence_options options, double *loss, go_logits grad, trb_loss_row *rows);
trb_status go_token_terms(trb_context *ctx, go_logits student, go_logits teacher, const int64_t *token,
                          const double *log_behavior, const double *weight, trb_term_options options, trb_term *out,
                          go_logits grad);
trb_status go_solve_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const double *budget,
                           int64_t n_budget, trb_solve_options options, trb_sparse_blend *out);
trb_status go_sample_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const trb_sparse_blend *blend,
                            trb_sampler sampler, trb_draw *out);
trb_status go_reverse_kl_sparse(trb_context *ctx, go_logits student, trb_sparse teacher, const double *weight,
                                trb_loss_options options, double *loss, go_logits grad, trb_loss_row *rows);
trb_status go_rollout(trb_context *ctx, go_model student, go_model teacher, trb_texts prompts,
                      trb_rollout_options options, trb_solve_options solve, trb_sampler sampler, trb_ends ends,
                      uintptr_t progress, trb_rollouts **out);
trb_status go_rollouts_new(trb_context *ctx, trb_texts texts, const int64_t *prompt_length, const double *log_sampled,
                           trb_ends ends, trb_rollouts **out);
trb_status go_score(trb_context *ctx, go_model student, go_model teacher, trb_score_options options, uintptr_t progress,
                    trb_rollouts *inout);
trb_status go_train_step(trb_context *ctx, go_model student, go_model teacher, const trb_rollouts *rollouts,
                         trb_train_options options, trb_loss_options reverse_kl, trb_divergence_options divergence,
                         trb_term_options token, uintptr_t progress, double *loss, trb_loss_row *rows,
                         trb_train_report *out);
