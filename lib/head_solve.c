/* head_solve.c - the blend and a token of it from hidden states. */
#include "draw.h"
#include "head.h"
#include "solve.h"
#include "tally.h"

typedef struct head_solve {
  trbi_heads heads;
  const double *budget;
  int64_t n_budget;
  const trb_solve_options *options;
  trb_sampler sampler;
  trb_blend *blend;
  trb_draw *draw;
  uint64_t *stream; /* [chunk] numbers of its rows, where the sampler has no streams */
  trbi_tally tally;
} head_solve;

static trb_status take_chunk(head_solve *x, int64_t first, int64_t n) {
  const trbi_heads *h = &x->heads;
  const bool shared = x->n_budget == 1;
  trb_logits teacher;
  const trb_logits student = trbi_head_logits(h, false, first, n), *other = h->lone ? NULL : &teacher;
  if (!h->lone) teacher = trbi_head_logits(h, true, first, n);
  trb_blend *blend = x->blend + first;
  trb_status status =
      trb_solve(h->ctx, &student, other, shared ? x->budget : x->budget + first, shared ? 1 : n, x->options, blend);
  if (status != TRB_OK && status != TRB_EROWS) return status;
  trb_sampler sampler = x->sampler;
  for (int64_t r = 0; r < n; r++) x->stream[r] = (uint64_t)(first + r);
  sampler.stream = sampler.stream != NULL ? sampler.stream + first : x->stream;
  if (sampler.index != NULL) sampler.index += first;
  if (x->draw != NULL) status = trb_sample(h->ctx, &student, other, blend, &sampler, x->draw + first);
  if (status != TRB_OK && status != TRB_EROWS) return status;
  for (int64_t r = 0; r < n; r++)
    if (blend[r].status < 0) trbi_tally_add(&x->tally, first + r, blend[r].status);
  return TRB_OK;
}

/* ---- The call ---- */

static trb_status run(head_solve *x) {
  trbi_heads *h = &x->heads;
  const trbi_allocator memory = trbi_allocator_of(h->ctx);
  trbi_array arrays[TRBI_HEAD_ARRAYS + 1] = {{&x->stream, h->chunk, sizeof *x->stream}};
  trbi_head_arrays(h, arrays + 1);
  void *block = trbi_take_arrays(h->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  if (block == NULL) return TRB_ENOMEM;
  trb_status status = TRB_OK;
  for (int64_t first = 0; first < h->rows && status == TRB_OK; first += h->chunk)
    status = take_chunk(x, first, h->rows - first < h->chunk ? h->rows - first : h->chunk);
  memory.free(block, memory.user);
  return status == TRB_OK ? trbi_tally_tell(h->ctx, &x->tally, h->rows) : status;
}

/* Budgets and options are checked on rows of one token that nobody reads. */
static trb_status check_solve(const head_solve *x) {
  const trbi_heads *h = &x->heads;
  const trb_logits rows = {(void *)(uintptr_t)h->student.hidden, h->rows, 1, 1, TRB_F32, 0.0f};
  trbi_solver solver;
  return trbi_read_solver(h->ctx, &rows, h->lone ? NULL : &rows, "budget", x->budget, x->n_budget, false, x->options,
                          &solver);
}

static trb_status check_outputs(const head_solve *x) {
  static const char *const of_student[] = {"student->hidden", "student->weight", "student->bias"};
  static const char *const of_teacher[] = {"teacher->hidden", "teacher->weight", "teacher->bias"};
  const trbi_heads *h = &x->heads;
  const int64_t rows = h->rows;
  if (x->blend == NULL && rows > 0) return trbi_fail(h->ctx, TRB_EINVAL, "blend: expected room for the rows, got NULL");
  trbi_span spans[5 + 2 * TRBI_HEAD_SPANS] = {
      trbi_array_span("blend", x->blend, rows, sizeof *x->blend),
      trbi_array_span("draw", x->draw, rows, sizeof *x->draw),
      trbi_array_span("budget", x->budget, x->n_budget, sizeof *x->budget),
      trbi_array_span("sampler->stream", x->sampler.stream, rows, sizeof(uint64_t)),
      trbi_array_span("sampler->index", x->sampler.index, rows, sizeof(int64_t))};
  trbi_name_head(of_student, &h->student, rows, spans + 5);
  trbi_name_head(of_teacher, &h->teacher, rows, spans + 5 + TRBI_HEAD_SPANS);
  return trbi_check_spans(h->ctx, spans, sizeof spans / sizeof spans[0], 2);
}

trb_status trb_head_solve(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher,
                          const double *budget, int64_t n_budget, const trb_solve_options *options,
                          const trb_sampler *sampler, const trb_head_options *how, trb_blend *blend, trb_draw *draw) {
  head_solve x = {.budget = budget, .n_budget = n_budget, .options = options, .blend = blend, .draw = draw};
  trb_status status = trbi_read_heads(ctx, rows, student, teacher, true, how, &x.heads);
  if (status == TRB_OK) status = check_solve(&x);
  if (status == TRB_OK) status = trbi_read_sampler(ctx, "sampler", draw != NULL ? sampler : NULL, rows, &x.sampler);
  x.sampler.size = sizeof x.sampler;
  if (status == TRB_OK) status = check_outputs(&x);
  return status == TRB_OK ? run(&x) : status;
}
