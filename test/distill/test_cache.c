/* The decoder with a cache: whatever the pieces, the logits are those of whole sequences. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder.h"
#include "decoder_cases.h"
#include "reference.h"

enum { SEQUENCES = 6, LONGEST = 48, ROUNDS = 60 };

/* Logits of the same queries from whole sequences. */
static void check_answer(const decoder *d, decoder_tape *tape, const trb_query *queries, int64_t n,
                         const float *logits) {
  const int64_t size = reference_rows(queries, n) * d->shape.vocab;
  float *whole = reference_memory(size, sizeof *whole);
  double *expected = reference_memory(size, sizeof *expected);
  ck_assert_int_eq(decoder_forward(d, tape, queries, n, whole), 1);
  for (int64_t i = 0; i < size; i++) expected[i] = whole[i];
  const double distance = reference_distance(logits, expected, size), scale = reference_scale(expected, size);
  ck_assert_msg(distance <= 5e-6 * scale, "%g beside %g", distance, scale);
  free(whole);
  free(expected);
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Sequences that grow by one token or by several, are taken back and go on otherwise, start anew, and stay away. */
static int64_t next_queries(const decoder_shape *shape, random_stream *r, int64_t tokens[SEQUENCES][LONGEST],
                            int64_t *shown, trb_query *queries) {
  int64_t n = 0;
  for (int64_t s = 0; s < SEQUENCES; s++) {
    if (random_below(r, 3) == 0) continue;
    const int64_t full = least(shown[s], shape->context - 1);
    const int64_t how = random_below(r, 6);
    const int64_t known = how == 0 ? 0 : how == 1 ? random_below(r, full + 1) : full;
    const int64_t step = how < 4 ? 1 + random_below(r, shape->context) : 1;
    const int64_t length = least(known + step, shape->context);
    reference_tokens(shape, r, tokens[s] + known, length - known);
    queries[n++] = (trb_query){.tokens = tokens[s],
                               .sequence = s,
                               .length = length,
                               .known = known,
                               .rows = 1 + random_below(r, length - known)};
    shown[s] = length;
  }
  return n;
}

START_TEST(pieces_give_the_logits_of_whole_sequences) {
  const decoder_shape *shape = &reference_shapes[_i];
  decoder *d = reference_decoder(shape, 31);
  decoder_tape *tape = decoder_tape_new(d);
  decoder_cache *cache = decoder_cache_new(d, SEQUENCES);
  ck_assert(tape && cache);
  float *logits = reference_memory((int64_t)SEQUENCES * LONGEST * shape->vocab, sizeof *logits);
  int64_t tokens[SEQUENCES][LONGEST], shown[SEQUENCES] = {0};
  random_stream r = {32, (uint64_t)_i, 0};
  for (int round = 0; round < ROUNDS; round++) {
    trb_query queries[SEQUENCES];
    const int64_t n = next_queries(shape, &r, tokens, shown, queries);
    ck_assert_int_eq(decoder_extend(d, cache, queries, n, logits), 1);
    check_answer(d, tape, queries, n, logits);
  }
  free(logits);
  decoder_cache_free(cache);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

static void extend(const decoder *d, decoder_cache *cache, const int64_t *tokens, int64_t known, int64_t length,
                   float *logits) {
  const trb_query query = {.tokens = tokens, .sequence = 1, .length = length, .known = known, .rows = length - known};
  ck_assert_int_eq(decoder_extend(d, cache, &query, 1, logits), 1);
}

/* A token whose embedding is not a number makes all keys and values so that follow it: whoever read one of them beyond
 * `known` would find out. */
START_TEST(nothing_is_read_beyond_what_is_known) {
  for (int shape = 2; shape < 4; shape++) {
    decoder *d = reference_decoder(&reference_shapes[shape], 33);
    const int64_t vocab = d->shape.vocab, poison = vocab - 1;
    for (int64_t i = 0; i < d->shape.dim; i++) d->weights[poison * d->shape.dim + i] = NAN;
    decoder_cache *poisoned = decoder_cache_new(d, 2), *clean = decoder_cache_new(d, 2);
    ck_assert(poisoned && clean);
    const int64_t bad[] = {0, 1, poison, 1, 2, poison}, good[] = {0, 1, 2, 0, 1, 1};
    float *a = reference_memory(6 * vocab, sizeof *a), *b = reference_memory(6 * vocab, sizeof *b);
    for (int64_t known = 0; known <= 2; known++) {
      for (int64_t length = known + 1; length <= 6; length++) {
        extend(d, poisoned, bad, 0, 2, a);
        extend(d, poisoned, bad, 2, 6, a);
        extend(d, clean, good, 0, 2, b);
        extend(d, poisoned, good, known, length, a);
        extend(d, clean, good, known, length, b);
        /* With a tied head the poisoned token's own logit is not a number. */
        for (int64_t i = 0; i < (length - known) * vocab; i++)
          if (i % vocab != poison) ck_assert(isfinite(a[i]) && a[i] == b[i]);
      }
    }
    free(a);
    free(b);
    decoder_cache_free(poisoned);
    decoder_cache_free(clean);
    decoder_free(d);
  }
}
END_TEST

/* A refusal leaves all sequences as they were. */
START_TEST(queries_that_do_not_fit_are_refused) {
  decoder *d = reference_decoder(&reference_shapes[2], 34); /* 5 tokens, context 7 */
  decoder_tape *tape = decoder_tape_new(d);
  decoder_cache *cache = decoder_cache_new(d, 2);
  ck_assert(tape && cache);
  int64_t tokens[8] = {0, 1, 2, 3, 4, 0, 1, 2};
  float logits[8 * 5];
  const trb_query good = {.tokens = tokens, .sequence = 1, .length = 4, .rows = 1};
  ck_assert_int_eq(decoder_extend(d, cache, &good, 1, logits), 1);

  const trb_query bad[] = {{.tokens = tokens, .sequence = 0, .length = 8, .rows = 1},
                           {.tokens = tokens, .sequence = 2, .length = 3, .rows = 1},
                           {.tokens = tokens, .sequence = -1, .length = 3, .rows = 1},
                           {.tokens = tokens, .sequence = INT64_MAX, .length = 3, .rows = 1},
                           {.tokens = tokens, .sequence = 0, .length = 3, .known = 1, .rows = 1},
                           {.tokens = tokens, .sequence = 1, .length = 6, .known = 5, .rows = 1}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    ck_assert_int_eq(decoder_extend(d, cache, &bad[i], 1, logits), 0);
  const int64_t outside[] = {0, 5};
  const trb_query foreign = {.tokens = outside, .sequence = 0, .length = 2, .rows = 1};
  ck_assert_int_eq(decoder_extend(d, cache, &foreign, 1, logits), 0);

  const trb_query both[] = {{.tokens = tokens, .sequence = 0, .length = 3, .rows = 1},
                            {.tokens = tokens, .sequence = 1, .length = 6, .known = 5, .rows = 1}};
  ck_assert_int_eq(decoder_extend(d, cache, both, 2, logits), 0);

  const trb_query more = {.tokens = tokens, .sequence = 1, .length = 7, .known = 4, .rows = 2};
  ck_assert_int_eq(decoder_extend(d, cache, &more, 1, logits), 1);
  check_answer(d, tape, &more, 1, logits);
  decoder_cache_free(cache);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

TCase *decoder_cache_case(void) {
  TCase *cache = tcase_create("cache");
  tcase_add_loop_test(cache, pieces_give_the_logits_of_whole_sequences, 0, REFERENCE_SHAPES);
  tcase_add_test(cache, nothing_is_read_beyond_what_is_known);
  tcase_add_test(cache, queries_that_do_not_fit_are_refused);
  return cache;
}
