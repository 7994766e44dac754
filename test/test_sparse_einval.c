/* test_sparse_einval.c - every TRB_EINVAL that the header documents for teachers known by lists. */
#include <math.h>

#include "einval_call.h"
#include "suites.h"

#define SPOIL(name, change)                                                                                            \
  static void name(call *c) {                                                                                          \
    change;                                                                                                            \
  }

static trb_status solve(const call *c) {
  return trb_solve_sparse(c->ctx, c->student, c->lists, c->budget, c->n, c->solve, c->out_sparse);
}
static trb_status sample(const call *c) {
  return trb_sample_sparse(c->ctx, c->student, c->lists, c->sparse_blend, c->sampler, c->out_draw);
}
static trb_status reverse_kl(const call *c) {
  trb_loss_options options = *c->loss_options;
  if (options.support == TRB_SUPPORT_IDS)
    options = (trb_loss_options){sizeof options, TRB_FORM_RENORMALIZED, 0, 0, NULL};
  return trb_reverse_kl_sparse(c->ctx, c->student, c->lists, c->weight, &options, c->out_loss, c->output, c->out_rows);
}

/* ---- The student and the lists ---- */

SPOIL(student_null, c->student = NULL)
SPOIL(student_stride, c->student_view.stride = c->student_view.vocab - 1)
SPOIL(student_dtype, c->student_view.dtype = 3)
SPOIL(student_data, c->student_view.data = NULL)
SPOIL(lists_null, c->lists = NULL)
SPOIL(k_negative, c->lists_of.offset = NULL; c->lists_of.k = -1)
SPOIL(k_huge, c->lists_of.offset = NULL; c->lists_of.k = INT64_MAX)
SPOIL(k_and_offset, c->lists_of.k = 3)
SPOIL(offset_low, c->list_offset[0] = -1)
SPOIL(offset_descends, c->list_offset[1] = 8)
SPOIL(no_ids, c->lists_of.ids = NULL)
SPOIL(no_log_q, c->lists_of.log_q = NULL)
SPOIL(id_low, c->ids[4] = -2)
SPOIL(id_high, c->ids[7] = CALL_VOCAB)
SPOIL(rest_negative, c->lists_of.least_rest = -1e-9)
SPOIL(rest_one, c->lists_of.least_rest = 1.0)
SPOIL(rest_nan, c->lists_of.least_rest = (double)NAN)

static const spoiled of_lists[] = {
    {"student NULL", student_null, "student"},
    {"student stride", student_stride, "student"},
    {"student dtype", student_dtype, "student"},
    {"student data NULL", student_data, "student"},
    {"teacher NULL", lists_null, "teacher"},
    {"k -1", k_negative, "teacher->k"},
    {"k too large", k_huge, "teacher->k"},
    {"k with offsets", k_and_offset, "teacher->k"},
    {"first offset -1", offset_low, "teacher->offset[0]"},
    {"offsets descend", offset_descends, "teacher->offset[2]"},
    {"ids NULL", no_ids, "teacher->ids"},
    {"log_q NULL", no_log_q, "teacher->log_q"},
    {"id -2", id_low, "teacher->ids[4]"},
    {"id beyond the vocabulary", id_high, "teacher->ids[7]"},
    {"least_rest negative", rest_negative, "teacher->least_rest"},
    {"least_rest 1", rest_one, "teacher->least_rest"},
    {"least_rest NaN", rest_nan, "teacher->least_rest"},
};

START_TEST(test_lists) {
  static const call_fn all[] = {solve, sample, reverse_kl};
  static const char *const names[] = {"trb_solve_sparse", "trb_sample_sparse", "trb_reverse_kl_sparse"};
  for (int i = 0; i < 3; i++) {
    call_well(all[i]);
    call_spoiled(names[i], all[i], of_lists, sizeof of_lists / sizeof of_lists[0]);
  }
}
END_TEST

/* ---- The rest of each ---- */

static void options(call *c, int32_t form, int32_t support, int64_t k, const int64_t *ids) {
  c->loss_of = (trb_loss_options){sizeof c->loss_of, form, support, k, ids};
}

SPOIL(n_two, c->n = 2)
SPOIL(budget_negative, c->budgets[2] = -1e-9)
SPOIL(tolerance_small, c->solve_of.tolerance = 1e-6)
SPOIL(out_null, c->out_sparse = NULL)
SPOIL(out_in_student, c->out_sparse = (trb_sparse_blend *)(void *)((char *)c->s.view.data + 8))
SPOIL(blend_null, c->sparse_blend = NULL)
SPOIL(blend_beta, c->sparse_blends[1].blend.beta = 1.5)
SPOIL(blend_mass, c->sparse_blends[2].blend.mass[0] = 0.5f)
SPOIL(top_p_high, c->sampler_of.top_p = 1.5)
SPOIL(draw_null, c->out_draw = NULL)
SPOIL(draw_in_blend, c->out_draw = (trb_draw *)(void *)c->sparse_blends)
SPOIL(weight_nan, c->weights[1] = (double)NAN)
SPOIL(one_id, c->ids[4] = 1)
SPOIL(form_high, options(c, 5, 0, 0, NULL))
SPOIL(with_support, options(c, TRB_FORM_TRUNCATED, TRB_SUPPORT_STUDENT_TOP_K, 3, NULL))
SPOIL(with_k, options(c, TRB_FORM_TRUNCATED, 0, 3, NULL))
SPOIL(with_ids, options(c, TRB_FORM_TRUNCATED, 0, 0, c->ids))
SPOIL(options_size, options(c, TRB_FORM_TRUNCATED, 0, 0, NULL); c->loss_of.size = 8)
SPOIL(no_output, c->out_loss = NULL; c->out_rows = NULL; c->output = NULL)
SPOIL(loss_in_log_q, c->out_loss = (double *)(void *)c->log_q)

START_TEST(test_arguments) {
  static const spoiled for_solve[] = {{"n_budget 2", n_two, "n_budget"},
                                      {"budget negative", budget_negative, "budget"},
                                      {"tolerance too small", tolerance_small, "tolerance"},
                                      {"out NULL", out_null, "out"},
                                      {"out inside the student", out_in_student, "out"}};
  static const spoiled for_sample[] = {{"blend NULL", blend_null, "blend"},
                                       {"beta above 1", blend_beta, "blend[1]"},
                                       {"masses that do not add up", blend_mass, "blend[2]"},
                                       {"top_p above 1", top_p_high, "top_p"},
                                       {"out NULL", draw_null, "out"},
                                       {"out inside blend", draw_in_blend, "out|blend"}};
  static const spoiled for_loss[] = {{"weight NaN", weight_nan, "weight"},
                                     {"renormalized on one id", one_id, "teacher->ids"},
                                     {"form 5", form_high, "form"},
                                     {"a support", with_support, "support"},
                                     {"k", with_k, "options->k"},
                                     {"ids", with_ids, "options->ids"},
                                     {"size too small", options_size, "size"},
                                     {"no output", no_output, "loss|grad|rows"},
                                     {"loss inside log_q", loss_in_log_q, "loss|log_q"}};
  call_spoiled("trb_solve_sparse", solve, for_solve, sizeof for_solve / sizeof for_solve[0]);
  call_spoiled("trb_sample_sparse", sample, for_sample, sizeof for_sample / sizeof for_sample[0]);
  call_spoiled("trb_reverse_kl_sparse", reverse_kl, for_loss, sizeof for_loss / sizeof for_loss[0]);
}
END_TEST

TCase *sparse_einval_case(void) {
  TCase *tc = long_case("arguments");
  tcase_add_test(tc, test_lists);
  tcase_add_test(tc, test_arguments);
  return tc;
}
