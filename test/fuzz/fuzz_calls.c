/* fuzz_calls.c - arbitrary bytes as arguments: no call may crash, write outside its outputs or break its promises.
 *
 * The bytes choose a function, options, view shapes (many of them invalid) and logits of any bit pattern. Every buffer
 * stands in an allocation of exactly its size, so that a sanitizer sees each byte beyond. `make fuzz`
 * looks for inputs, `make check-fuzz` replays those of fuzz_calls.txt. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "trb.h"

typedef struct input {
  const uint8_t *data;
  size_t size;
} input;

static void take(input *in, void *to, size_t bytes) {
  const size_t n = bytes < in->size ? bytes : in->size;
  memset(to, 0, bytes);
  if (n > 0) memcpy(to, in->data, n);
  in->data += n;
  in->size -= n;
}

static uint8_t take_byte(input *in) {
  uint8_t byte;
  take(in, &byte, 1);
  return byte;
}

/* Mostly small and plain, sometimes anything. */
static double take_number(input *in) {
  static const double plain[] = {0.0, 1e-6, 0.01, 0.05, 0.5, 1.0, 2.0, 10.0};
  const uint8_t kind = take_byte(in);
  if (kind < 240) return plain[kind % 8];
  double any;
  take(in, &any, sizeof any);
  return any;
}

static int64_t take_size(input *in, int64_t usual) {
  if (take_byte(in) < 250) return usual;
  int64_t any;
  take(in, &any, sizeof any);
  return any;
}

/* A view over memory of exactly the size that a valid shape needs. */
static trb_logits take_view(input *in, int64_t rows) {
  trb_logits view;
  memset(&view, 0, sizeof view);
  const int64_t vocab = 1 + take_byte(in) % 40 + (take_byte(in) > 250 ? 1020 : 0);
  const int64_t stride = vocab + take_byte(in) % 3;
  view.dtype = take_byte(in) % 3;
  const size_t element = view.dtype == TRB_F32 ? 4 : 2;
  const size_t bytes = rows > 0 ? (size_t)((rows - 1) * stride + vocab) * element : 0;
  view.data = malloc(bytes > 0 ? bytes : 1);
  if (view.data == NULL) abort();
  take(in, view.data, bytes);
  view.rows = rows;
  view.vocab = vocab;
  view.stride = stride;
  view.temperature = take_byte(in) < 200 ? 0.0f : (float)take_number(in);
  return view;
}

/* Breaks one field in a way that the library has to refuse. */
static void spoil(input *in, trb_logits *view) {
  switch (take_byte(in)) {
  case 250:
    view->stride = view->vocab - 1;
    break;
  case 251:
    view->dtype = 3 + take_byte(in);
    break;
  case 252:
    view->rows = -1 - take_byte(in);
    break;
  case 253:
    view->vocab = 0;
    break;
  case 254:
    view->stride = INT64_MAX - take_byte(in);
    break;
  case 255:
    view->temperature = -1.0f;
    break;
  default:
    break;
  }
}

enum { MOST_ROWS = 3, MOST_IDS = 8 };

static void check_blends(const trb_blend *blend, int64_t rows, double budget) {
  for (int64_t r = 0; r < rows; r++) {
    if (blend[r].status < 0) {
      REQUIRE(isnan(blend[r].beta) && isnan(blend[r].kl_student));
      continue;
    }
    REQUIRE(blend[r].beta >= 0.0 && blend[r].beta <= 1.0 && blend[r].kl_student >= 0.0);
    REQUIRE(blend[r].kl_student <= budget * (1.0 + 1e-6));
  }
}

/* Every proposal stands or has another token or nothing in its place, and nothing stands behind what was not accepted.
 */
static void fuzz_verify(input *in, const trb_logits *s, const trb_logits *t, const trb_sampler *sampler) {
  int64_t token[MOST_ROWS], offset[] = {0, take_byte(in) % (MOST_ROWS + 1), s->rows};
  trb_verdict verdict[MOST_ROWS];
  for (int i = 0; i < MOST_ROWS; i++) token[i] = take_byte(in) % 9 - 1;
  const trb_texts proposals = {token, offset, 2};
  const double budget = take_number(in);
  const trb_verify_options options = {.size = sizeof options, .sampler = sampler, .behavior = take_byte(in) % 3};
  const trb_status status = trb_verify(NULL, s, t, &proposals, &budget, 1, &options, NULL, verdict);
  for (int64_t r = 0; status != TRB_EINVAL && r < s->rows; r++) {
    const trb_verdict *x = &verdict[r];
    const bool dropped = x->verdict == TRB_VERDICT_DROPPED;
    REQUIRE(dropped == (x->draw.token < 0) && dropped == (x->draw.status != TRB_ROW_OK));
    REQUIRE(dropped || x->verdict == TRB_VERDICT_DRAWN || (x->tv >= 0.0 && x->tv <= 1.0));
    REQUIRE(x->verdict != TRB_VERDICT_ACCEPTED || x->draw.token == token[r]);
    REQUIRE(r == 0 || r == offset[1] || dropped || verdict[r - 1].verdict == TRB_VERDICT_ACCEPTED);
  }
}

static void fuzz_blend(input *in, const trb_logits *s, const trb_logits *t, const trb_logits *out) {
  const int64_t rows = s->rows;
  const trb_solve_options options = {.size = take_byte(in) < 250 ? sizeof options : take_byte(in) % sizeof options,
                                     .tolerance = take_byte(in) < 200 ? 0.0 : take_number(in),
                                     .method = take_byte(in) % 3};
  double budget = take_number(in);
  trb_blend blend[MOST_ROWS];
  trb_draw draw[MOST_ROWS];
  memset(blend, 0, sizeof blend);
  const trb_status status = trb_solve(NULL, s, t, &budget, take_size(in, 1), &options, blend);
  REQUIRE(status == TRB_OK || status == TRB_EINVAL || status == TRB_EROWS);
  if (status == TRB_EINVAL) return;
  check_blends(blend, rows, budget);
  const trb_sampler sampler = {.size = sizeof sampler,
                               .seed = take_byte(in),
                               .top_k = take_size(in, take_byte(in) % 9),
                               .top_p = take_number(in),
                               .min_p = take_number(in),
                               .greedy = take_byte(in) > 200};
  const trb_status drawn = trb_sample(NULL, s, t, blend, &sampler, draw);
  for (int64_t r = 0; drawn != TRB_EINVAL && r < rows; r++)
    REQUIRE(draw[r].status < 0 ? draw[r].token == -1
                               : draw[r].token >= 0 && draw[r].token < s->vocab && draw[r].kept >= 1 &&
                                     draw[r].log_sampled <= 1e-6 && draw[r].log_sampled >= draw[r].log_behavior - 1e-6);
  fuzz_verify(in, s, t, &sampler);
  trb_write_blend(NULL, s, t, blend, out);
}

static void fuzz_losses(input *in, const trb_logits *s, const trb_logits *t, const trb_logits *grad) {
  double loss[MOST_ROWS], weight[MOST_ROWS];
  trb_loss_row rows[MOST_ROWS];
  int64_t ids[MOST_ROWS * MOST_IDS];
  for (int i = 0; i < MOST_ROWS; i++) weight[i] = take_number(in);
  for (int i = 0; i < MOST_ROWS * MOST_IDS; i++) ids[i] = take_size(in, (int64_t)take_byte(in) % 5 - 1);
  const trb_loss_options options = {.size = sizeof options,
                                    .form = take_byte(in) % 6,
                                    .support = take_byte(in) % 5,
                                    .k = take_byte(in) % (MOST_IDS + 1),
                                    .ids = take_byte(in) % 2 ? ids : NULL};
  trb_status status = trb_reverse_kl(NULL, s, t, weight, &options, loss, grad, rows);
  const bool truncated = options.form == TRB_FORM_TRUNCATED;
  for (int64_t r = 0; status != TRB_EINVAL && r < s->rows; r++)
    REQUIRE(rows[r].status < 0 ? !(loss[r] < INFINITY) : truncated ? loss[r] > -1.0 : loss[r] >= 0.0);
  const trb_divergence_options divergence = {
      .size = sizeof divergence, .b = take_number(in), .kind = take_byte(in) % 3};
  status = trb_divergence(NULL, s, t, NULL, &divergence, loss, grad, rows);
  for (int64_t r = 0; status != TRB_EINVAL && r < s->rows; r++)
    REQUIRE(rows[r].status < 0 ? !(loss[r] < INFINITY) : loss[r] >= 0.0);
}

static void fuzz_terms(input *in, const trb_logits *s, const trb_logits *t, const trb_logits *grad) {
  int64_t token[MOST_ROWS];
  trb_term terms[MOST_ROWS];
  for (int i = 0; i < MOST_ROWS; i++) token[i] = take_size(in, take_byte(in) % 8);
  const trb_term_options options = {.size = sizeof options,
                                    .ratio_low = take_number(in),
                                    .ratio_high = take_number(in),
                                    .advantage_limit = take_number(in),
                                    .estimator = take_byte(in) % 5};
  const trb_status status = trb_token_terms(NULL, s, t, token, NULL, NULL, &options, terms, grad);
  for (int64_t r = 0; status != TRB_EINVAL && r < s->rows; r++)
    REQUIRE(terms[r].status < 0 ? isnan(terms[r].value) : isfinite(terms[r].value) && isfinite(terms[r].coefficient));
}

static void fuzz_align(input *in, const trb_logits *view) {
  int64_t from[3], to[3];
  for (int i = 0; i < 3; i++) {
    from[i] = take_size(in, take_byte(in) % 8);
    to[i] = take_size(in, take_byte(in) % 8);
  }
  trb_merge_tokens(NULL, view, from, to, take_byte(in) % 4);
  trb_mask_tokens(NULL, view, from, take_byte(in) % 4);
}

/* Lists of any ids and numbers: blends within their budget, tokens of the vocabulary, losses that are not negative. */
static void fuzz_lists(input *in, const trb_logits *s) {
  int64_t ids[MOST_ROWS * MOST_IDS], offset[MOST_ROWS + 1] = {0};
  float log_q[MOST_ROWS * MOST_IDS];
  for (int i = 0; i < MOST_ROWS * MOST_IDS; i++) {
    ids[i] = take_byte(in) % 12 - 1;
    log_q[i] = take_byte(in) < 240 ? -0.05f * (float)take_byte(in) : (float)take_number(in);
  }
  for (int r = 0; r < MOST_ROWS; r++) offset[r + 1] = offset[r] + take_byte(in) % (MOST_IDS + 1);
  const trb_sparse lists = {ids, log_q, offset, 0, take_byte(in) < 128 ? 0.0 : 1e-3};
  const double budget = fabs(take_number(in));
  trb_sparse_blend blend[MOST_ROWS];
  trb_draw draw[MOST_ROWS];
  double loss[MOST_ROWS];
  trb_loss_row rows[MOST_ROWS];
  if (trb_solve_sparse(NULL, s, &lists, &budget, 1, NULL, blend) == TRB_EINVAL) return;
  for (int64_t r = 0; r < s->rows; r++) check_blends(&blend[r].blend, 1, budget);
  trb_sample_sparse(NULL, s, &lists, blend, NULL, draw);
  for (int64_t r = 0; r < s->rows; r++)
    REQUIRE(draw[r].status < 0 ? draw[r].token == -1 : draw[r].token >= 0 && draw[r].token < s->vocab);
  trb_reverse_kl_sparse(NULL, s, &lists, NULL, NULL, loss, NULL, rows);
  for (int64_t r = 0; r < s->rows; r++) REQUIRE(rows[r].status < 0 ? !(loss[r] < INFINITY) : loss[r] >= 0.0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  const uint8_t what = take_byte(&in);
  const int64_t rows = take_byte(&in) % (MOST_ROWS + 1);
  trb_logits s = take_view(&in, rows), t = take_view(&in, rows), out = take_view(&in, rows);
  void *const memory[] = {s.data, t.data, out.data};
  if (what & 128) out = what & 64 ? t : s; /* in place */
  spoil(&in, &s);
  spoil(&in, &t);
  spoil(&in, &out);
  switch (what % 4) {
  case 0:
    fuzz_blend(&in, &s, &t, &out);
    break;
  case 1:
    fuzz_losses(&in, &s, &t, &out);
    break;
  case 2:
    fuzz_terms(&in, &s, &t, &out);
    break;
  default:
    fuzz_align(&in, &s);
    fuzz_lists(&in, &s);
  }
  for (int i = 0; i < 3; i++) free(memory[i]);
  return 0;
}
