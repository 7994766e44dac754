/* test_einval.c - every TRB_EINVAL that the header documents for the solve, the blend, sampling, losses and terms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "einval_call.h"
#include "suites.h"

#define RUN(function, fn, list) call_spoiled(function, fn, list, sizeof list / sizeof list[0])

/* A spoiler of one statement. */
#define SPOIL(name, change)                                                                                            \
  static void name(call *c) {                                                                                          \
    change;                                                                                                            \
  }

/* ---- The functions ---- */

static trb_status solve(const call *c) {
  return trb_solve(c->ctx, c->student, c->teacher, c->budget, c->n, c->solve, c->out_blend);
}
static trb_status blend_at(const call *c) {
  return trb_blend_at(c->ctx, c->student, c->teacher, c->beta, c->n, c->out_blend);
}
static trb_status write_blend(const call *c) {
  return trb_write_blend(c->ctx, c->student, c->teacher, c->blend, c->output);
}
static trb_status sample(const call *c) {
  return trb_sample(c->ctx, c->student, c->teacher, c->blend, c->sampler, c->out_draw);
}
static trb_status reverse_kl(const call *c) {
  return trb_reverse_kl(c->ctx, c->student, c->teacher, c->weight, c->loss_options, c->out_loss, c->output,
                        c->out_rows);
}
static trb_status divergence(const call *c) {
  return trb_divergence(c->ctx, c->student, c->teacher, c->weight, c->divergence, c->out_loss, c->output, c->out_rows);
}
static trb_status terms(const call *c) {
  return trb_token_terms(c->ctx, c->student, c->teacher, c->token, c->log_behavior, c->weight, c->term_options,
                         c->out_term, c->output);
}

static trb_status verify(const call *c) {
  return trb_verify(c->ctx, c->student, c->teacher, c->proposals, c->budget, c->n, c->verify, c->out_blend,
                    c->out_verdict);
}

START_TEST(test_unspoiled) {
  static const call_fn all[] = {solve, blend_at, write_blend, sample, reverse_kl, divergence, terms, verify};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) call_well(all[i]);
}
END_TEST

/* The temperature of an output is ignored. */
SPOIL(odd_output_temperature, c->output_view.temperature = NAN)
static trb_status reverse_kl_odd(const call *c) {
  call *d = malloc(sizeof *d);
  if (!d) abort();
  memcpy(d, c, sizeof *d);
  odd_output_temperature(d);
  d->output = &d->output_view;
  trb_status status = reverse_kl(d);
  free(d);
  return status;
}
START_TEST(test_output_temperature_is_ignored) {
  call_well(reverse_kl_odd);
}
END_TEST

START_TEST(test_views) {
  call_spoiled_models("trb_solve", solve);
  call_spoiled_models("trb_blend_at", blend_at);
  call_spoiled_models("trb_write_blend", write_blend);
  call_spoiled_models("trb_sample", sample);
  call_spoiled_models("trb_verify", verify);
  call_spoiled_models("trb_reverse_kl", reverse_kl);
  call_spoiled_models("trb_divergence", divergence);
  call_spoiled_models("trb_token_terms", terms);
  call_spoiled_output("trb_write_blend", write_blend, "out");
  call_spoiled_output("trb_reverse_kl", reverse_kl, "grad");
  call_spoiled_output("trb_divergence", divergence, "grad");
  call_spoiled_output("trb_token_terms", terms, "grad");
}
END_TEST

/* ---- trb_solve, trb_blend_at ---- */

SPOIL(n_zero, c->n = 0)
SPOIL(n_two, c->n = 2)
SPOIL(n_four, c->n = 4)
SPOIL(n_negative, c->n = -1)
SPOIL(budget_null, c->budget = NULL)
SPOIL(budget_negative, c->budgets[2] = -1e-9)
SPOIL(budget_nan, c->budgets[1] = (double)NAN)
SPOIL(budget_minus_infinity, c->budgets[1] = -(double)INFINITY)
SPOIL(tolerance_small, c->solve_of.tolerance = 0.99e-5)
SPOIL(tolerance_large, c->solve_of.tolerance = 0.51)
SPOIL(tolerance_negative, c->solve_of.tolerance = -1e-4)
SPOIL(tolerance_nan, c->solve_of.tolerance = (double)NAN)
SPOIL(method_high, c->solve_of.method = 2)
SPOIL(method_low, c->solve_of.method = -1)
SPOIL(solve_reserved, c->solve_of.reserved = 1)
SPOIL(solve_size_zero, c->solve_of.size = 0)
SPOIL(solve_size_small, c->solve_of.size = sizeof c->solve_of - 1)
SPOIL(solve_unknown_bytes, c->solve = &c->later.known; c->later.more[15] = 1)
SPOIL(blend_out_null, c->out_blend = NULL)
SPOIL(blend_out_in_student, c->out_blend = (trb_blend *)(void *)((char *)c->s.view.data + 8))
SPOIL(blend_out_in_teacher, c->out_blend = (trb_blend *)(void *)((char *)c->t.view.data + 8))
SPOIL(teacher_needed, c->teacher = NULL)
SPOIL(beta_null, c->beta = NULL)
SPOIL(beta_negative, c->betas[2] = -1e-300)
SPOIL(beta_above_one, c->betas[1] = 1.0 + 0x1p-52)
SPOIL(beta_nan, c->betas[1] = (double)NAN)

START_TEST(test_solve_and_blend_at) {
  static const spoiled for_solve[] = {
      {"n_budget 0", n_zero, "n_budget"},
      {"n_budget 2", n_two, "n_budget"},
      {"n_budget 4", n_four, "n_budget"},
      {"n_budget -1", n_negative, "n_budget"},
      {"budget NULL", budget_null, "budget"},
      {"budget negative", budget_negative, "budget"},
      {"budget NaN", budget_nan, "budget"},
      {"budget -inf", budget_minus_infinity, "budget"},
      {"tolerance too small", tolerance_small, "tolerance"},
      {"tolerance too large", tolerance_large, "tolerance"},
      {"tolerance negative", tolerance_negative, "tolerance"},
      {"tolerance NaN", tolerance_nan, "tolerance"},
      {"method 2", method_high, "method"},
      {"method -1", method_low, "method"},
      {"reserved 1", solve_reserved, "reserved"},
      {"size 0", solve_size_zero, "size"},
      {"size too small", solve_size_small, "size"},
      {"unknown bytes", solve_unknown_bytes, "options"},
      {"out NULL", blend_out_null, "out"},
      {"out inside the student", blend_out_in_student, "out"},
      {"out inside the teacher", blend_out_in_teacher, "out"},
      {"teacher NULL, budget positive", teacher_needed, "teacher"},
  };
  static const spoiled for_blend_at[] = {
      {"n_beta 0", n_zero, "n_beta"},
      {"n_beta 2", n_two, "n_beta"},
      {"n_beta 4", n_four, "n_beta"},
      {"n_beta -1", n_negative, "n_beta"},
      {"beta NULL", beta_null, "beta"},
      {"beta negative", beta_negative, "beta"},
      {"beta above 1", beta_above_one, "beta"},
      {"beta NaN", beta_nan, "beta"},
      {"out NULL", blend_out_null, "out"},
      {"out inside the student", blend_out_in_student, "out"},
      {"teacher NULL, beta positive", teacher_needed, "teacher"},
  };
  RUN("trb_solve", solve, for_solve);
  RUN("trb_blend_at", blend_at, for_blend_at);
}
END_TEST

/* ---- trb_write_blend, trb_sample ---- */

SPOIL(blend_null, c->blend = NULL)
SPOIL(blend_beta_negative, c->blends[1].beta = -0.1)
SPOIL(blend_beta_large, c->blends[2].beta = 1.5)
SPOIL(blend_beta_infinite, c->blends[2].beta = (double)INFINITY)
SPOIL(mass_missing, memset(c->blends[2].mass, 0, sizeof c->blends[2].mass))
SPOIL(mass_negative, c->blends[2].mass[1] = -0.5f; c->blends[2].mass[2] = 0.5f)
SPOIL(mass_nan, c->blends[2].mass[31] = (float)NAN)
SPOIL(sampler_size_zero, c->sampler_of.size = 0)
SPOIL(sampler_size_small, c->sampler_of.size = 16)
SPOIL(top_k_negative, c->sampler_of.top_k = -1)
SPOIL(top_p_negative, c->sampler_of.top_p = -0.1)
SPOIL(top_p_large, c->sampler_of.top_p = 1.1)
SPOIL(top_p_nan, c->sampler_of.top_p = (double)NAN)
SPOIL(min_p_negative, c->sampler_of.min_p = -0.1)
SPOIL(min_p_large, c->sampler_of.min_p = 1.1)
SPOIL(min_p_nan, c->sampler_of.min_p = (double)NAN)
SPOIL(greedy_two, c->sampler_of.greedy = 2)
SPOIL(greedy_negative, c->sampler_of.greedy = -1)
SPOIL(purpose_negative, c->sampler_of.purpose = -1)
SPOIL(purpose_large, c->sampler_of.purpose = 256)
SPOIL(index_negative, c->index[1] = -1)
SPOIL(index_large, c->index[2] = INT64_C(1) << 56)
SPOIL(draw_out_null, c->out_draw = NULL)
SPOIL(draw_out_in_student, c->out_draw = (trb_draw *)(void *)((char *)c->s.view.data + 8))

START_TEST(test_write_blend_and_sample) {
  static const spoiled for_both[] = {
      {"blend NULL", blend_null, "blend"},
      {"beta negative", blend_beta_negative, "blend"},
      {"beta above 1", blend_beta_large, "blend"},
      {"beta infinite", blend_beta_infinite, "blend"},
      {"teacher NULL, beta positive", teacher_needed, "teacher"},
  };
  static const spoiled for_sample[] = {
      {"mass all 0", mass_missing, "mass"},
      {"mass negative", mass_negative, "mass"},
      {"mass NaN", mass_nan, "mass"},
      {"size 0", sampler_size_zero, "size"},
      {"size too small", sampler_size_small, "size"},
      {"top_k -1", top_k_negative, "top_k"},
      {"top_p -0.1", top_p_negative, "top_p"},
      {"top_p 1.1", top_p_large, "top_p"},
      {"top_p NaN", top_p_nan, "top_p"},
      {"min_p -0.1", min_p_negative, "min_p"},
      {"min_p 1.1", min_p_large, "min_p"},
      {"min_p NaN", min_p_nan, "min_p"},
      {"greedy 2", greedy_two, "greedy"},
      {"greedy -1", greedy_negative, "greedy"},
      {"purpose -1", purpose_negative, "purpose"},
      {"purpose 256", purpose_large, "purpose"},
      {"index -1", index_negative, "index"},
      {"index 2^56", index_large, "index"},
      {"out NULL", draw_out_null, "out"},
      {"out inside the student", draw_out_in_student, "out"},
  };
  RUN("trb_write_blend", write_blend, for_both);
  RUN("trb_sample", sample, for_both);
  RUN("trb_sample", sample, for_sample);
}
END_TEST

/* ---- trb_reverse_kl ---- */

SPOIL(weight_nan, c->weights[1] = (double)NAN)
SPOIL(weight_infinite, c->weights[2] = -(double)INFINITY)
SPOIL(no_output, c->out_loss = NULL; c->out_rows = NULL; c->output = NULL)
SPOIL(loss_in_student, c->out_loss = (double *)(void *)((char *)c->s.view.data + 8))
SPOIL(loss_in_grad, c->out_loss = (double *)(void *)((char *)c->o.view.data + 8))
SPOIL(rows_in_teacher, c->out_rows = (trb_loss_row *)(void *)((char *)c->t.view.data + 8))
SPOIL(loss_in_rows, c->out_loss = (double *)(void *)c->rows_out)
SPOIL(grad_narrow, c->output_view.vocab = CALL_VOCAB - 1)
SPOIL(form_high, c->loss_of.form = 5)
SPOIL(form_low, c->loss_of.form = -1)
SPOIL(support_high, c->loss_of.support = 4)
SPOIL(support_low, c->loss_of.support = -1)
SPOIL(full_of_top_k, c->loss_of.form = TRB_FORM_FULL; c->loss_of.support = TRB_SUPPORT_STUDENT_TOP_K;
      c->loss_of.ids = NULL)
SPOIL(full_of_ids, c->loss_of.form = TRB_FORM_FULL)
SPOIL(k_zero, c->loss_of.support = TRB_SUPPORT_TEACHER_TOP_K; c->loss_of.k = 0; c->loss_of.ids = NULL)
SPOIL(k_negative, c->loss_of.support = TRB_SUPPORT_STUDENT_TOP_K; c->loss_of.k = -1; c->loss_of.ids = NULL)
SPOIL(k_of_all, c->loss_of.support = TRB_SUPPORT_ALL; c->loss_of.ids = NULL)
SPOIL(renormalized_one, c->loss_of.form = TRB_FORM_RENORMALIZED; c->loss_of.support = TRB_SUPPORT_STUDENT_TOP_K;
      c->loss_of.k = 1; c->loss_of.ids = NULL)
SPOIL(renormalized_one_teacher, c->loss_of.form = TRB_FORM_RENORMALIZED; c->loss_of.support = TRB_SUPPORT_TEACHER_TOP_K;
      c->loss_of.k = 1; c->loss_of.ids = NULL)
SPOIL(renormalized_same_id, c->loss_of.form = TRB_FORM_RENORMALIZED; c->ids[4] = 1)
SPOIL(renormalized_single_id, c->loss_of.form = TRB_FORM_RENORMALIZED; c->ids[7] = -1)
SPOIL(ids_null, c->loss_of.ids = NULL)
SPOIL(ids_unused, c->loss_of.support = TRB_SUPPORT_STUDENT_TOP_K)
SPOIL(ids_k_zero, c->loss_of.k = 0)
SPOIL(ids_k_huge, c->loss_of.k = INT64_MAX / 2)
SPOIL(id_below, c->ids[5] = -2)
SPOIL(id_common, c->ids[8] = CALL_COMMON)
SPOIL(id_huge, c->ids[0] = INT64_MAX)
SPOIL(loss_size_zero, c->loss_of.size = 0)
SPOIL(loss_size_small, c->loss_of.size = 8)

START_TEST(test_reverse_kl) {
  static const spoiled list[] = {
      {"weight NaN", weight_nan, "weight"},
      {"weight infinite", weight_infinite, "weight"},
      {"no output", no_output, "loss"},
      {"loss inside the student", loss_in_student, "loss"},
      {"loss inside grad", loss_in_grad, "loss|grad"},
      {"rows inside the teacher", rows_in_teacher, "rows"},
      {"loss over rows", loss_in_rows, "loss|rows"},
      {"grad narrower than the student", grad_narrow, "grad"},
      {"form 5", form_high, "form"},
      {"form -1", form_low, "form"},
      {"support 4", support_high, "support"},
      {"support -1", support_low, "support"},
      {"full form of a top-k", full_of_top_k, "support|form"},
      {"full form of ids", full_of_ids, "support|form"},
      {"top-k 0", k_zero, "k:"},
      {"top-k -1", k_negative, "k:"},
      {"k with the whole vocabulary", k_of_all, "k:"},
      {"renormalized top-1", renormalized_one, "k:"},
      {"renormalized top-1 of the teacher", renormalized_one_teacher, "k:"},
      {"renormalized, one id twice", renormalized_same_id, "ids"},
      {"renormalized, one id", renormalized_single_id, "ids"},
      {"ids NULL", ids_null, "ids"},
      {"ids without TRB_SUPPORT_IDS", ids_unused, "ids"},
      {"ids of length 0", ids_k_zero, "k:"},
      {"ids of a length that overflows", ids_k_huge, "k:|ids"},
      {"id -2", id_below, "ids"},
      {"id beyond the common vocabulary", id_common, "ids"},
      {"id huge", id_huge, "ids"},
      {"size 0", loss_size_zero, "size"},
      {"size too small", loss_size_small, "size"},
  };
  RUN("trb_reverse_kl", reverse_kl, list);
}
END_TEST

/* ---- trb_divergence ---- */

SPOIL(b_negative, c->divergence_of.b = -0.1)
SPOIL(b_one, c->divergence_of.b = 1.0)
SPOIL(b_large, c->divergence_of.b = 1.5)
SPOIL(b_nan, c->divergence_of.b = (double)NAN)
SPOIL(b_of_forward, c->divergence_of.kind = TRB_DIVERGENCE_FORWARD_KL)
SPOIL(kind_high, c->divergence_of.kind = 2)
SPOIL(kind_low, c->divergence_of.kind = -1)
SPOIL(divergence_reserved, c->divergence_of.reserved = -1)
SPOIL(divergence_size_zero, c->divergence_of.size = 0)
SPOIL(divergence_size_small, c->divergence_of.size = 16)

START_TEST(test_divergence) {
  static const spoiled list[] = {
      {"weight NaN", weight_nan, "weight"},
      {"weight infinite", weight_infinite, "weight"},
      {"no output", no_output, "loss"},
      {"loss inside the student", loss_in_student, "loss"},
      {"loss inside grad", loss_in_grad, "loss|grad"},
      {"rows inside the teacher", rows_in_teacher, "rows"},
      {"grad narrower than the student", grad_narrow, "grad"},
      {"b -0.1", b_negative, "b:"},
      {"b 1", b_one, "b:"},
      {"b 1.5", b_large, "b:"},
      {"b NaN", b_nan, "b:"},
      {"b of the forward KL", b_of_forward, "b:"},
      {"kind 2", kind_high, "kind"},
      {"kind -1", kind_low, "kind"},
      {"reserved -1", divergence_reserved, "reserved"},
      {"size 0", divergence_size_zero, "size"},
      {"size too small", divergence_size_small, "size"},
  };
  RUN("trb_divergence", divergence, list);
}
END_TEST

/* ---- trb_token_terms ---- */

SPOIL(token_null, c->token = NULL)
SPOIL(token_negative, c->tokens[1] = -1)
SPOIL(token_common, c->tokens[2] = CALL_COMMON)
SPOIL(behavior_nan, c->behaviors[1] = (double)NAN)
SPOIL(behavior_infinite, c->behaviors[1] = -(double)INFINITY)
SPOIL(behavior_positive, c->behaviors[2] = 1.1e-3)
SPOIL(behavior_of_k1, c->term_of.estimator = TRB_ESTIMATOR_K1)
SPOIL(behavior_of_k2, c->term_of.estimator = TRB_ESTIMATOR_K2)
SPOIL(behavior_of_k3, c->term_of.estimator = TRB_ESTIMATOR_K3)
SPOIL(behavior_of_nll, c->term_of.estimator = TRB_ESTIMATOR_NLL)
SPOIL(estimator_high, c->term_of.estimator = 5; c->log_behavior = NULL)
SPOIL(estimator_low, c->term_of.estimator = -1; c->log_behavior = NULL)
SPOIL(low_large, c->term_of.ratio_low = 1.1)
SPOIL(low_negative, c->term_of.ratio_low = -0.1)
SPOIL(low_nan, c->term_of.ratio_low = (double)NAN)
SPOIL(high_small, c->term_of.ratio_high = 0.9)
SPOIL(high_negative, c->term_of.ratio_high = -1.0)
SPOIL(high_nan, c->term_of.ratio_high = (double)NAN)
SPOIL(limit_negative, c->term_of.advantage_limit = -1.0)
SPOIL(limit_nan, c->term_of.advantage_limit = (double)NAN)
SPOIL(term_reserved, c->term_of.reserved = 7)
SPOIL(term_size_zero, c->term_of.size = 0)
SPOIL(term_size_small, c->term_of.size = 24)
SPOIL(clip_of_k2, c->term_of.estimator = TRB_ESTIMATOR_K2; c->log_behavior = NULL; c->term_of.ratio_high = 2.0)
SPOIL(clip_of_nll, c->term_of.estimator = TRB_ESTIMATOR_NLL; c->log_behavior = NULL; c->term_of.ratio_low = 0.5)
SPOIL(limit_of_k3, c->term_of.estimator = TRB_ESTIMATOR_K3; c->log_behavior = NULL; c->term_of.advantage_limit = 2.0)
SPOIL(term_out_null, c->out_term = NULL)
SPOIL(term_out_in_student, c->out_term = (trb_term *)(void *)((char *)c->s.view.data + 8))
SPOIL(term_out_in_grad, c->out_term = (trb_term *)(void *)((char *)c->o.view.data + 8))

START_TEST(test_terms) {
  static const spoiled list[] = {
      {"token NULL", token_null, "token"},
      {"token -1", token_negative, "token"},
      {"token beyond the common vocabulary", token_common, "token"},
      {"log_behavior NaN", behavior_nan, "log_behavior"},
      {"log_behavior -inf", behavior_infinite, "log_behavior"},
      {"log_behavior positive", behavior_positive, "log_behavior"},
      {"log_behavior of K1", behavior_of_k1, "log_behavior"},
      {"log_behavior of K2", behavior_of_k2, "log_behavior"},
      {"log_behavior of K3", behavior_of_k3, "log_behavior"},
      {"weight NaN", weight_nan, "weight"},
      {"weight infinite", weight_infinite, "weight"},
      {"log_behavior of NLL", behavior_of_nll, "log_behavior"},
      {"estimator 5", estimator_high, "estimator"},
      {"estimator -1", estimator_low, "estimator"},
      {"ratio_low 1.1", low_large, "ratio_low"},
      {"ratio_low -0.1", low_negative, "ratio_low"},
      {"ratio_low NaN", low_nan, "ratio_low"},
      {"ratio_high 0.9", high_small, "ratio_high"},
      {"ratio_high -1", high_negative, "ratio_high"},
      {"ratio_high NaN", high_nan, "ratio_high"},
      {"advantage_limit -1", limit_negative, "advantage_limit"},
      {"advantage_limit NaN", limit_nan, "advantage_limit"},
      {"reserved 7", term_reserved, "reserved"},
      {"size 0", term_size_zero, "size"},
      {"size too small", term_size_small, "size"},
      {"clip of K2", clip_of_k2, "ratio|clip|estimator"},
      {"clip of NLL", clip_of_nll, "ratio|clip|estimator"},
      {"limit of K3", limit_of_k3, "advantage_limit|clip|estimator"},
      {"out NULL", term_out_null, "out"},
      {"out inside the student", term_out_in_student, "out"},
      {"out inside grad", term_out_in_grad, "out|grad"},
      {"grad narrower than the student", grad_narrow, "grad"},
  };
  RUN("trb_token_terms", terms, list);
}
END_TEST

/* ---- trb_verify ---- */

SPOIL(by_beta, c->verify_of.behavior = TRB_BEHAVIOR_BETA)
SPOIL(verify_behavior_skd, c->verify_of.behavior = TRB_BEHAVIOR_SKD)
SPOIL(verify_behavior_low, c->verify_of.behavior = -1)
SPOIL(verify_beta_high, c->verify_of.behavior = TRB_BEHAVIOR_BETA; c->verify_of.solve = NULL; c->budgets[1] = 1.5)
SPOIL(verify_reserved, c->verify_of.reserved = 1)
SPOIL(verify_size_zero, c->verify_of.size = 0)
SPOIL(verify_size_small, c->verify_of.size = sizeof c->verify_of - 1)
SPOIL(proposals_null, c->proposals = NULL)
SPOIL(proposals_negative, c->proposals_of.n = -1)
SPOIL(proposals_no_tokens, c->proposals_of.tokens = NULL)
SPOIL(proposals_no_offset, c->proposals_of.offset = NULL)
SPOIL(proposals_few, c->proposals_of.n = 1)
SPOIL(proposals_none, c->proposals_of.n = 0)
SPOIL(proposals_descend, c->offsets[1] = 4)
SPOIL(proposals_begin_low, c->offsets[0] = -1)
SPOIL(proposal_inside, c->tokens[1] = -1)
SPOIL(proposal_low, c->tokens[2] = -2)
SPOIL(proposal_common, c->tokens[0] = CALL_COMMON)
SPOIL(verdict_out_null, c->out_verdict = NULL)
SPOIL(verdict_out_in_student, c->out_verdict = (trb_verdict *)(void *)((char *)c->s.view.data + 8))
SPOIL(verdict_out_in_blend, c->out_verdict = (trb_verdict *)(void *)c->blends_out)

START_TEST(test_verify) {
  static const spoiled list[] = {
      {"n_budget 2", n_two, "n_budget"},
      {"budget NULL", budget_null, "budget"},
      {"budget negative", budget_negative, "budget"},
      {"budget NaN", budget_nan, "budget"},
      {"tolerance too small", tolerance_small, "options->solve: options->tolerance:"},
      {"method 2", method_high, "method"},
      {"teacher NULL, budget positive", teacher_needed, "teacher"},
      {"solve options with betas", by_beta, "solve"},
      {"beta above 1", verify_beta_high, "budget"},
      {"behavior SKD", verify_behavior_skd, "behavior"},
      {"behavior -1", verify_behavior_low, "behavior"},
      {"reserved 1", verify_reserved, "reserved"},
      {"size 0", verify_size_zero, "size"},
      {"size too small", verify_size_small, "size"},
      {"top_k negative", top_k_negative, "top_k"},
      {"index too large", index_large, "index"},
      {"proposals NULL", proposals_null, "proposals"},
      {"proposals n -1", proposals_negative, "proposals"},
      {"proposals without tokens", proposals_no_tokens, "proposals"},
      {"proposals without offset", proposals_no_offset, "proposals"},
      {"fewer proposals than rows", proposals_few, "proposals"},
      {"no proposals", proposals_none, "proposals"},
      {"offsets descend", proposals_descend, "proposals"},
      {"first offset -1", proposals_begin_low, "proposals"},
      {"no proposal inside a block", proposal_inside, "proposals->tokens[1]"},
      {"proposal -2", proposal_low, "proposals->tokens[2]"},
      {"proposal beyond the common vocabulary", proposal_common, "proposals->tokens[0]"},
      {"out NULL", verdict_out_null, "out"},
      {"out inside the student", verdict_out_in_student, "out"},
      {"out inside blend", verdict_out_in_blend, "out|blend"},
      {"blend inside the teacher", blend_out_in_teacher, "blend"},
  };
  RUN("trb_verify", verify, list);
}
END_TEST

Suite *einval_suite(void) {
  Suite *suite = suite_create("einval");
  TCase *tc = long_case("arguments");
  tcase_add_test(tc, test_unspoiled);
  tcase_add_test(tc, test_output_temperature_is_ignored);
  tcase_add_test(tc, test_views);
  tcase_add_test(tc, test_solve_and_blend_at);
  tcase_add_test(tc, test_write_blend_and_sample);
  tcase_add_test(tc, test_reverse_kl);
  tcase_add_test(tc, test_divergence);
  tcase_add_test(tc, test_terms);
  tcase_add_test(tc, test_verify);
  suite_add_tcase(suite, tc);
  return suite;
}
