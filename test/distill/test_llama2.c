/* Checkpoints of llama2.c against files that are built here from the description of their format. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "decoder/llama2.h"
#include "reference.h"
#include "suites.h"
#include "workplace.h"

enum { WHY = 256, HEADER = 28 };

/* Grouped keys and values; twice, with the head as the embedding and as a matrix of its own. */
static const decoder_shape shapes[] = {{11, 13, 2, 8, 4, 2, 6, 1, 1, 1}, {11, 13, 2, 8, 4, 2, 6, 1, 1, 0}};

/* ---- A file, and the weights that it should give ---- */

/* The tensors of a block in the order of the file, and where they are among the weights of a block, which come in the
 * order norm, wq, wk, wv, wo, norm, w1, w3, w2. */
enum { KINDS = 9 };
static const int place[KINDS] = {0, 1, 2, 3, 4, 5, 6, 8, 7};

static int64_t kind_size(const decoder_shape *s, int kind) {
  const int64_t dim = s->dim, kv = dim / s->heads * s->kv_heads;
  const int64_t sizes[KINDS] = {dim, dim * dim,       kv * dim,        kv * dim,       dim * dim,
                                dim, s->hidden * dim, s->hidden * dim, dim * s->hidden};
  return sizes[kind];
}

static int64_t block_size(const decoder_shape *s) {
  int64_t n = 0;
  for (int kind = 0; kind < KINDS; kind++) n += kind_size(s, kind);
  return n;
}

/* Writes n random numbers into the file and to their place. */
static void add_tensor(bytes *b, random_stream *r, int64_t n, double middle, float *to) {
  for (int64_t i = 0; i < n; i++) {
    to[i] = (float)(middle + 0.3 * random_normal(r));
    bytes_add_float(b, to[i]);
  }
}

static void add_blocks(bytes *b, random_stream *r, const decoder_shape *s, float *blocks) {
  for (int kind = 0; kind < KINDS; kind++) {
    int64_t before = 0;
    for (int other = 0; other < KINDS; other++)
      if (place[other] < place[kind]) before += kind_size(s, other);
    for (int layer = 0; layer < s->layers; layer++)
      add_tensor(b, r, kind_size(s, kind), kind == 0 || kind == 5 ? 1.0 : 0.0, blocks + layer * block_size(s) + before);
  }
}

/* The tables are of numbers that nobody may read. */
static bytes make_file(const decoder_shape *s, float **weights, int64_t *n) {
  const int64_t dim = s->dim, blocks = s->layers * block_size(s), table = s->vocab * dim;
  const int32_t fields[] = {s->dim,    s->hidden, s->layers, s->heads, s->kv_heads, s->tied ? s->vocab : -s->vocab,
                            s->context};
  random_stream r = {61, 0, 0};
  bytes b = {NULL, 0};
  *n = table + blocks + dim + (s->tied ? 0 : table);
  float *w = *weights = reference_memory(*n, sizeof *w);
  for (int i = 0; i < 7; i++) bytes_add(&b, (uint64_t)fields[i], 4);
  add_tensor(&b, &r, table, 0.0, w);
  add_blocks(&b, &r, s, w + table);
  add_tensor(&b, &r, dim, 1.0, w + table + blocks);
  for (int64_t i = 0; i < s->context * (dim / s->heads); i++) bytes_add_float(&b, NAN);
  if (!s->tied) add_tensor(&b, &r, table, 0.0, w + table + blocks + dim);
  return b;
}

/* ---- Good files ---- */

START_TEST(weights_go_to_their_places) {
  float *weights;
  int64_t n;
  char why[WHY];
  bytes b = make_file(&shapes[_i], &weights, &n);
  decoder *d = llama2_parse(b.data, b.n, why);
  ck_assert_msg(d != NULL, "%s", why);
  ck_assert_mem_eq(&d->shape, &shapes[_i], sizeof d->shape);
  ck_assert_int_eq(d->n, n);
  ck_assert_mem_eq(d->weights, weights, (size_t)n * sizeof *weights);
  decoder_free(d);
  free(weights);
  bytes_free(&b);
}
END_TEST

START_TEST(logits_are_those_of_the_formulas) {
  const decoder_shape *s = &shapes[_i];
  float *weights;
  int64_t n, tokens[13];
  char why[WHY];
  bytes b = make_file(s, &weights, &n);
  decoder *d = llama2_parse(b.data, b.n, why);
  ck_assert_msg(d != NULL, "%s", why);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  random_stream r = {62, 0, 0};
  reference_tokens(s, &r, tokens, 13);
  double *wide = reference_weights(d), expected[13 * 11];
  float logits[13 * 11];
  const trb_query query = {.tokens = tokens, .length = 13, .rows = 13};
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 1);
  reference_logits(s, wide, tokens, 13, 13, expected);
  ck_assert_double_le(reference_distance(logits, expected, 13 * 11), 3e-6 * reference_scale(expected, 13 * 11));
  free(wide);
  decoder_tape_free(tape);
  decoder_free(d);
  free(weights);
  bytes_free(&b);
}
END_TEST

/* The same file, but for the tables, which are now those of the angles. */
START_TEST(saving_gives_the_file_again) {
  const decoder_shape *s = &shapes[_i];
  float *weights;
  int64_t n;
  char why[WHY], *directory = workplace_make(), *path = path_in(directory, "model.bin");
  bytes b = make_file(s, &weights, &n);
  bytes_write(&b, path);
  decoder *d = llama2_load(path, why);
  ck_assert_msg(d != NULL, "%s", why);
  ck_assert_int_eq(llama2_save(path, d, why), 1);
  bytes saved = bytes_read(path);
  ck_assert_uint_eq(saved.n, b.n);
  const int64_t pairs = s->dim / s->heads / 2, tables = 2 * s->context * pairs;
  const size_t from = HEADER + 4 * (size_t)(s->vocab * s->dim + s->layers * block_size(s) + s->dim);
  const size_t to = from + 4 * (size_t)tables;
  ck_assert_mem_eq(saved.data, b.data, from);
  ck_assert_uint_eq(to + (s->tied ? 0 : 4 * (size_t)(s->vocab * s->dim)), b.n);
  if (to < b.n) ck_assert_mem_eq(saved.data + to, b.data + to, b.n - to);
  for (int64_t i = 0; i < tables; i++) {
    const int64_t position = i % (s->context * pairs) / pairs, pair = i % pairs;
    const double angle = (double)position * pow(10000.0, -(double)pair / (double)pairs);
    const double got = bytes_float(&saved, from + 4 * (size_t)i);
    ck_assert_double_le(fabs(got - (i < s->context * pairs ? cos(angle) : sin(angle))), 1e-7);
  }
  bytes_free(&saved);
  decoder_free(d);
  free(weights);
  bytes_free(&b);
  free(path);
  workplace_remove(directory);
}
END_TEST

/* 200,000 tokens and 1,000,000 positions, of a model that is narrow enough for a test. */
START_TEST(large_vocabularies_and_contexts_are_taken) {
  static const decoder_shape s = {200000, 1000000, 1, 2, 1, 1, 1, 1, 1, 0};
  char why[WHY];
  bytes b = {NULL, 0};
  const int32_t fields[] = {s.dim, s.hidden, s.layers, s.heads, s.kv_heads, -s.vocab, s.context};
  const int64_t n = 2 * s.vocab * s.dim + block_size(&s) + s.dim + (int64_t)s.context * s.dim;
  for (int i = 0; i < 7; i++) bytes_add(&b, (uint64_t)fields[i], 4);
  b.data = realloc(b.data, HEADER + 4 * (size_t)n);
  ck_assert_ptr_nonnull(b.data);
  memset(b.data + HEADER, 0, 4 * (size_t)n);
  b.n = HEADER + 4 * (size_t)n;
  decoder *d = llama2_parse(b.data, b.n, why);
  ck_assert_msg(d != NULL, "%s", why);
  ck_assert_mem_eq(&d->shape, &s, sizeof s);
  decoder_free(d);
  bytes_free(&b);
}
END_TEST

/* ---- Bad files ---- */

static void check_refused(const bytes *b, size_t n, const char *text) {
  unsigned char *data = bytes_copy(b, n);
  char why[WHY] = "";
  ck_assert_ptr_null(llama2_parse(data, n, why));
  ck_assert_msg(strncmp(why, text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"", why, text);
  free(data);
}

START_TEST(other_lengths_are_refused) {
  float *weights;
  int64_t n;
  bytes b = make_file(&shapes[_i], &weights, &n);
  for (size_t i = 0; i < b.n; i++) check_refused(&b, i, "length: expected ");
  for (int i = 0; i < 9; i++) {
    bytes_add(&b, 0, 1);
    check_refused(&b, b.n, "length: expected ");
  }
  free(weights);
  bytes_free(&b);
}
END_TEST

START_TEST(fields_are_checked) {
  static const uint32_t bad[] = {0, 0x80000000u, 0x7fffffffu, (1u << 20) + 1};
  static const char *const texts[] = {"header: dim: ",      "header: hidden: ", "header: layers: ", "header: heads: ",
                                      "header: kv_heads: ", "header: vocab: ",  "header: context: "};
  float *weights;
  int64_t n;
  bytes b = make_file(&shapes[_i], &weights, &n);
  for (size_t field = 0; field < 7; field++) {
    bytes changed = {bytes_copy(&b, b.n), b.n};
    for (int k = 0; k < 4; k++) {
      bytes_set(&changed, 4 * field, bad[k], 4);
      check_refused(&changed, changed.n, texts[field]);
    }
    bytes_set(&changed, 4 * field, (uint64_t)-1, 4); /* of the vocabulary a valid one, of a model with a head */
    check_refused(&changed, changed.n, field == 5 ? "length: expected " : texts[field]);
    bytes_free(&changed);
  }
  free(weights);
  bytes_free(&b);
}
END_TEST

/* Valid fields whose sizes are far beyond the file. */
START_TEST(sizes_are_checked_before_memory_is_taken) {
  static const int32_t headers[][7] = {{1 << 16, 1 << 20, 1 << 10, 1 << 15, 1 << 15, -(1 << 20), 1 << 20},
                                       {1 << 16, 1 << 20, 1 << 10, 1, 1, 1 << 20, 1 << 20},
                                       {288, 768, 6, 6, 6, 32000, 256},
                                       {8192, 28672, 80, 64, 8, -128256, 131072},
                                       {2, 1, 1, 1, 1, 1, 1000000}};
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    bytes b = {NULL, 0};
    for (int k = 0; k < 7; k++) bytes_add(&b, (uint64_t)headers[i][k], 4);
    for (int k = 0; k < 100; k++) bytes_add(&b, 0, 8);
    check_refused(&b, b.n, "length: expected ");
    check_refused(&b, HEADER, "length: expected ");
    bytes_free(&b);
  }
}
END_TEST

START_TEST(values_are_checked) {
  static const uint32_t bad[] = {0x7fc00000u, 0x7f800000u, 0xff800000u};
  float *weights;
  int64_t n;
  bytes b = make_file(&shapes[1], &weights, &n);
  for (int k = 0; k < 3; k++) {
    const size_t places[] = {HEADER, HEADER + 4 * 400, b.n - 4};
    for (int i = 0; i < 3; i++) {
      bytes changed = {bytes_copy(&b, b.n), b.n};
      bytes_set(&changed, places[i], bad[k], 4);
      check_refused(&changed, changed.n, "weights[");
      bytes_free(&changed);
    }
  }
  free(weights);
  bytes_free(&b);
}
END_TEST

START_TEST(texts_name_the_file) {
  char why[WHY], *directory = workplace_make(), *path = path_in(directory, "model.bin");
  ck_assert_ptr_null(llama2_load(path, why));
  ck_assert_msg(strstr(why, path) == why && strstr(why, ": cannot be read: "), "%s", why);
  write_text(directory, "model.bin", "once upon a time");
  ck_assert_ptr_null(llama2_load(path, why));
  ck_assert_msg(strstr(why, path) == why && strstr(why, ": length: expected at least 28 bytes, got 16"), "%s", why);
  for (int family = 0; family < 2; family++) {
    decoder_shape s = shapes[0];
    *(family ? &s.gated : &s.rotary) = 0;
    decoder *d = reference_decoder(&s, 1);
    ck_assert_int_eq(llama2_save(path, d, why), 0);
    ck_assert_msg(strstr(why, path) == why && strstr(why, ": not written: "), "%s", why);
    decoder_free(d);
  }
  free(path);
  workplace_remove(directory);
}
END_TEST

Suite *llama2_suite(void) {
  Suite *suite = suite_create("llama2");
  TCase *good = tcase_create("good");
  tcase_add_loop_test(good, weights_go_to_their_places, 0, 2);
  tcase_add_loop_test(good, logits_are_those_of_the_formulas, 0, 2);
  tcase_add_loop_test(good, saving_gives_the_file_again, 0, 2);
  tcase_add_test(good, large_vocabularies_and_contexts_are_taken);
  suite_add_tcase(suite, good);
  TCase *bad = tcase_create("bad");
  tcase_add_loop_test(bad, other_lengths_are_refused, 0, 2);
  tcase_add_loop_test(bad, fields_are_checked, 0, 2);
  tcase_add_test(bad, sizes_are_checked_before_memory_is_taken);
  tcase_add_test(bad, values_are_checked);
  tcase_add_test(bad, texts_name_the_file);
  suite_add_tcase(suite, bad);
  return suite;
}
