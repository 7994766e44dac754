/* Checkpoints against files that are built here byte by byte, and every way in which a file can be wrong. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "decoder/checkpoint.h"
#include "reference.h"
#include "suites.h"
#include "workplace.h"

enum { WHY = 256 };

/* Where the fields are. */
enum { AT_VERSION = 7, AT_IDENTITY = 8, AT_STEP = 16, AT_SHAPE = 24, AT_MOMENTS = 64, AT_N = 68, AT_WEIGHTS = 76 };

static const uint64_t IDENTITY = 0xfedcba9876543210u;
static const int64_t STEP = INT64_C(0x123456789ab);

static const decoder_shape *const shape = &reference_shapes[7]; /* 248 weights: every byte is tried */

/* ---- What files are made of ---- */

/* CRC-32 as zlib.h describes it, bit by bit. */
static uint32_t crc(const unsigned char *data, size_t n) {
  uint32_t rest = 0xffffffffu;
  for (size_t i = 0; i < n; i++) {
    rest ^= data[i];
    for (int bit = 0; bit < 8; bit++) rest = rest & 1 ? rest >> 1 ^ 0xedb88320u : rest >> 1;
  }
  return ~rest;
}

/* Makes the file's last four bytes right again. */
static void sign(bytes *b) {
  bytes_set(b, b->n - 4, crc(b->data, b->n - 4), 4);
}

static adamw *make_moments(int64_t n) {
  adamw *a = adamw_new(n, 0.9, 0.98, 0.1);
  ck_assert_ptr_nonnull(a);
  random_stream r = {51, 0, 0};
  for (int64_t i = 0; i < n; i++) {
    a->first[i] = (float)random_normal(&r);
    a->second[i] = (float)random_uniform(&r);
  }
  a->steps = INT64_C(0x777777777);
  return a;
}

static bytes make_file(const decoder *d, const adamw *a) {
  const decoder_shape *s = &d->shape;
  const int32_t fields[] = {s->vocab,    s->context, s->layers, s->dim,   s->heads,
                            s->kv_heads, s->hidden,  s->rotary, s->gated, s->tied};
  bytes b = {NULL, 0};
  for (int i = 0; i < 8; i++) bytes_add(&b, (uint64_t) "trbdemo\1"[i], 1);
  bytes_add(&b, IDENTITY, 8);
  bytes_add(&b, (uint64_t)STEP, 8);
  for (int i = 0; i < 10; i++) bytes_add(&b, (uint64_t)fields[i], 4);
  bytes_add(&b, a ? 1 : 0, 4);
  bytes_add(&b, (uint64_t)d->n, 8);
  for (int64_t i = 0; i < d->n; i++) bytes_add_float(&b, d->weights[i]);
  if (a) {
    bytes_add(&b, (uint64_t)a->steps, 8);
    for (int64_t i = 0; i < d->n; i++) bytes_add_float(&b, a->first[i]);
    for (int64_t i = 0; i < d->n; i++) bytes_add_float(&b, a->second[i]);
  }
  bytes_add(&b, crc(b.data, b.n), 4);
  return b;
}

/* A model, moments, a file with both, and a directory with a path for it. */
typedef struct fixture {
  decoder *d;
  adamw *a;
  bytes file;
  char *directory, *path;
} fixture;

static fixture set_up(void) {
  fixture f = {.d = reference_decoder(shape, 50), .directory = workplace_make()};
  f.a = make_moments(f.d->n);
  f.file = make_file(f.d, f.a);
  f.path = path_in(f.directory, "model");
  return f;
}

static void tear_down(fixture *f) {
  decoder_free(f->d);
  adamw_free(f->a);
  bytes_free(&f->file);
  free(f->path);
  workplace_remove(f->directory);
}

static void check_text(const char *why, const char *text) {
  ck_assert_msg(strncmp(why, text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"", why, text);
}

/* The first n bytes are refused with such a text, and nothing is made. */
static void check_refused(const bytes *b, size_t n, uint64_t identity, const char *text) {
  unsigned char *data = bytes_copy(b, n);
  decoder *d = NULL;
  adamw *a = NULL;
  int64_t step = -77;
  char why[WHY] = "";
  ck_assert_int_eq(checkpoint_parse(data, n, identity, &step, &d, &a, why), 0);
  ck_assert(!d && !a && step == -77);
  check_text(why, text);
  free(data);
}

static void check_model(const decoder *got, const decoder *expected) {
  ck_assert_mem_eq(&got->shape, &expected->shape, sizeof got->shape);
  ck_assert_int_eq(got->n, expected->n);
  ck_assert_mem_eq(got->weights, expected->weights, (size_t)expected->n * sizeof(float));
}

static void check_moments(const adamw *got, const adamw *expected) {
  ck_assert_int_eq(got->n, expected->n);
  ck_assert_int_eq(got->steps, expected->steps);
  ck_assert_mem_eq(got->first, expected->first, (size_t)expected->n * sizeof(float));
  ck_assert_mem_eq(got->second, expected->second, (size_t)expected->n * sizeof(float));
}

/* ---- Good files ---- */

START_TEST(files_are_as_described) {
  fixture f = set_up();
  char why[WHY];
  for (int moments = 0; moments < 2; moments++) {
    bytes expected = make_file(f.d, moments ? f.a : NULL);
    ck_assert_int_eq(checkpoint_save(f.path, IDENTITY, STEP, f.d, moments ? f.a : NULL, why), 1);
    bytes saved = bytes_read(f.path);
    ck_assert_uint_eq(saved.n, expected.n);
    ck_assert_mem_eq(saved.data, expected.data, expected.n);
    ck_assert_int_eq(is_there(f.directory, "model.part"), 0);
    bytes_free(&saved);
    bytes_free(&expected);
  }
  tear_down(&f);
}
END_TEST

START_TEST(loading_gives_what_was_saved) {
  fixture f = set_up();
  char why[WHY];
  for (int i = 0; i < REFERENCE_SHAPES; i++) {
    decoder *model = reference_decoder(&reference_shapes[i], 52), *d = NULL;
    adamw *moments = make_moments(model->n), *a = NULL;
    int64_t step = 0;
    ck_assert_int_eq(checkpoint_save(f.path, IDENTITY, STEP, model, moments, why), 1);
    ck_assert_int_eq(checkpoint_load(f.path, IDENTITY, &step, &d, &a, why), 1);
    ck_assert_int_eq(step, STEP);
    check_model(d, model);
    check_moments(a, moments);
    decoder_free(d);
    decoder_free(model);
    adamw_free(a);
    adamw_free(moments);
  }
  tear_down(&f);
}
END_TEST

START_TEST(moments_need_not_be_loaded) {
  fixture f = set_up();
  char why[WHY];
  for (int moments = 0; moments < 2; moments++) {
    decoder *d = NULL;
    int64_t step = 0;
    ck_assert_int_eq(checkpoint_save(f.path, IDENTITY, STEP, f.d, moments ? f.a : NULL, why), 1);
    ck_assert_int_eq(checkpoint_load(f.path, 0, &step, &d, NULL, why), 1); /* and 0 accepts any identity */
    check_model(d, f.d);
    decoder_free(d);
  }
  bytes bare = make_file(f.d, NULL);
  check_refused(&bare, bare.n, IDENTITY, "moments: expected some, got none");
  bytes_free(&bare);
  tear_down(&f);
}
END_TEST

/* ---- Damage ---- */

START_TEST(every_byte_counts) {
  fixture f = set_up();
  for (size_t i = 0; i < f.file.n; i++) {
    static const unsigned char flips[] = {1, 0x80, 0xff};
    for (int k = 0; k < 3; k++) {
      f.file.data[i] ^= flips[k];
      check_refused(&f.file, f.file.n, 0, "");
      f.file.data[i] ^= flips[k];
    }
  }
  f.file.data[AT_WEIGHTS] ^= 1;
  check_refused(&f.file, f.file.n, 0, "CRC-32: expected ");
  tear_down(&f);
}
END_TEST

START_TEST(every_other_length_is_refused) {
  fixture f = set_up();
  const size_t n = f.file.n;
  for (size_t i = 0; i < n; i++)
    check_refused(&f.file, i, 0, i < 8 ? "expected a checkpoint, which begins with \"trbdemo\"" : "length: expected ");
  for (int i = 1; i <= 8; i++) {
    bytes_add(&f.file, 0, 1);
    check_refused(&f.file, f.file.n, 0, "length: expected ");
  }
  bytes_set(&f.file, n + 4, crc(f.file.data, n + 4), 4);
  check_refused(&f.file, n + 8, 0, "length: expected ");
  tear_down(&f);
}
END_TEST

/* A field is set to something, and the CRC is made right again. */
static void check_field(bytes *b, size_t at, uint64_t x, int size, uint64_t identity, const char *text) {
  bytes changed = {bytes_copy(b, b->n), b->n};
  bytes_set(&changed, at, x, size);
  sign(&changed);
  check_refused(&changed, changed.n, identity, text);
  bytes_free(&changed);
}

START_TEST(other_kinds_of_files_are_refused) {
  fixture f = set_up();
  check_field(&f.file, 0, 'T', 1, 0, "expected a checkpoint");
  check_field(&f.file, AT_VERSION, 0, 1, 0, "version: expected 1, got 0");
  check_field(&f.file, AT_VERSION, 2, 1, 0, "version: expected 1, got 2");
  check_field(&f.file, AT_IDENTITY, 1, 8, IDENTITY, "identity: expected fedcba9876543210, got 0000000000000001");
  check_refused(&f.file, f.file.n, IDENTITY - 1, "identity: expected fedcba987654320f, got fedcba9876543210");
  check_field(&f.file, AT_STEP, UINT64_MAX, 8, 0, "step: expected at least 0, got -1");
  check_field(&f.file, AT_MOMENTS, 2, 4, 0, "moments: expected 0 or 1, got 2");
  check_field(&f.file, AT_MOMENTS, 0, 4, 0, "length: expected ");
  tear_down(&f);
}
END_TEST

START_TEST(shapes_are_checked_before_memory_is_taken) {
  static const char *const texts[] = {
      "shape: vocab: ",  "shape: context: ", "shape: layers: ", "shape: dim: ",   "shape: heads: ",
      "shape: kv_heads", "shape: hidden: ",  "shape: rotary: ", "shape: gated: ", "shape: tied: "};
  static const uint32_t bad[] = {0xffffffffu, 0x80000000u, 0x7fffffffu};
  fixture f = set_up();
  for (size_t i = 0; i < 10; i++) {
    for (size_t k = 0; k < 3; k++) check_field(&f.file, AT_SHAPE + 4 * i, bad[k], 4, 0, texts[i]);
  }
  check_field(&f.file, AT_SHAPE, 1 << 20, 4, 0, "weights: expected "); /* valid, but not of so many weights */
  check_field(&f.file, AT_SHAPE + 8, 1000, 4, 0, "weights: expected ");
  check_field(&f.file, AT_N, (uint64_t)f.d->n + 1, 8, 0, "weights: expected ");
  check_field(&f.file, AT_N, UINT64_MAX, 8, 0, "weights: expected ");

  /* The largest of all, honest about its number of weights: 2^49 of them. */
  static const int32_t largest[] = {1 << 20, 1 << 20, 1 << 10, 1 << 16, 1, 1, 1 << 20, 1, 1, 0};
  const uint64_t block = (UINT64_C(4) << 32) + (UINT64_C(3) << 36) + (2 << 16);
  for (size_t i = 0; i < 10; i++) bytes_set(&f.file, AT_SHAPE + 4 * i, (uint64_t)largest[i], 4);
  bytes_set(&f.file, AT_N, (UINT64_C(2) << 36) + (block << 10) + (1 << 16), 8);
  sign(&f.file);
  check_refused(&f.file, f.file.n, 0, "length: expected ");
  tear_down(&f);
}
END_TEST

START_TEST(values_are_checked) {
  fixture f = set_up();
  const size_t n = (size_t)f.d->n, first = AT_WEIGHTS + 4 * n + 8, second = first + 4 * n;
  static const uint32_t bad[] = {0x7fc00000u, 0x7f800000u, 0xff800000u, 0x7f800001u};
  for (int i = 0; i < 4; i++) {
    check_field(&f.file, AT_WEIGHTS, bad[i], 4, 0, "weights[0]: expected a finite number, got ");
    check_field(&f.file, AT_WEIGHTS + 4 * n - 4, bad[i], 4, 0, "weights[");
    check_field(&f.file, first, bad[i], 4, 0, "first[0]: expected a finite number, got ");
    check_field(&f.file, second + 8, bad[i], 4, 0, "second[2]: expected a finite number, got ");
  }
  check_field(&f.file, second + 4 * n - 4, 0x80000001u, 4, 0, "second[");
  check_field(&f.file, first - 8, UINT64_MAX, 8, 0, "updates: expected at least 0, got -1");
  tear_down(&f);
}
END_TEST

/* ---- On the disk ---- */

static void check_not_loaded(const char *path, const char *text) {
  decoder *d = NULL;
  int64_t step;
  char why[WHY] = "";
  ck_assert_int_eq(checkpoint_load(path, 0, &step, &d, NULL, why), 0);
  ck_assert_ptr_null(d);
  ck_assert_msg(strstr(why, path) == why, "\"%s\" does not begin with the path", why);
  ck_assert_msg(strstr(why, text) != NULL, "\"%s\" has no \"%s\"", why, text);
}

START_TEST(texts_name_the_file) {
  fixture f = set_up();
  check_not_loaded(f.path, ": cannot be read: ");
  check_not_loaded(f.directory, ": cannot be read: ");
  f.file.n--;
  bytes_write(&f.file, f.path);
  check_not_loaded(f.path, ": length: expected ");
  tear_down(&f);
}
END_TEST

/* What cannot be written leaves what was there. */
START_TEST(failures_leave_the_old_file) {
  fixture f = set_up();
  char why[WHY] = "", *part = path_in(f.directory, "model.part"), *nowhere = path_in(f.directory, "none/model");
  bytes_write(&f.file, f.path);
  ck_assert_int_eq(mkdir(part, 0777), 0);
  ck_assert_int_eq(checkpoint_save(f.path, 1, 1, f.d, NULL, why), 0);
  ck_assert_msg(strstr(why, f.path) == why && strstr(why, ": cannot be written: "), "%s", why);
  ck_assert_int_eq(checkpoint_save(nowhere, 1, 1, f.d, NULL, why), 0);
  ck_assert_msg(strstr(why, nowhere) == why, "%s", why);
  ck_assert_int_eq(remove(part), 0);

  char *taken = path_in(f.directory, "taken"); /* a directory: nothing can be moved there */
  ck_assert_int_eq(mkdir(taken, 0777), 0);
  ck_assert_int_eq(checkpoint_save(taken, 1, 1, f.d, NULL, why), 0);
  ck_assert_msg(strstr(why, taken) == why, "%s", why);
  ck_assert_int_eq(is_there(f.directory, "taken.part"), 0);
  free(taken);

  float *const values[] = {f.d->weights, f.a->first, f.a->second};
  for (int i = 0; i < 3; i++) {
    const float kept = values[i][3];
    values[i][3] = NAN;
    ck_assert_int_eq(checkpoint_save(f.path, 1, 1, f.d, f.a, why), 0);
    ck_assert_msg(strstr(why, f.path) == why && strstr(why, "[3]: expected a finite number"), "%s", why);
    values[i][3] = kept;
  }
  bytes left = bytes_read(f.path);
  ck_assert_uint_eq(left.n, f.file.n);
  ck_assert_mem_eq(left.data, f.file.data, left.n);
  ck_assert_int_eq(is_there(f.directory, "model.part"), 0);
  bytes_free(&left);
  free(part);
  free(nowhere);
  tear_down(&f);
}
END_TEST

/* As a crash may have left it. */
START_TEST(old_parts_are_written_over) {
  fixture f = set_up();
  char why[WHY];
  for (int i = 0; i < 5; i++) bytes_add(&f.file, 7, 8);
  char *part = path_in(f.directory, "model.part");
  bytes_write(&f.file, part);
  ck_assert_int_eq(checkpoint_save(f.path, IDENTITY, STEP, f.d, NULL, why), 1);
  decoder *d = NULL;
  int64_t step;
  ck_assert_int_eq(checkpoint_load(f.path, IDENTITY, &step, &d, NULL, why), 1);
  decoder_free(d);
  free(part);
  tear_down(&f);
}
END_TEST

Suite *checkpoint_suite(void) {
  Suite *suite = suite_create("checkpoint");
  TCase *good = tcase_create("good");
  tcase_add_test(good, files_are_as_described);
  tcase_add_test(good, loading_gives_what_was_saved);
  tcase_add_test(good, moments_need_not_be_loaded);
  suite_add_tcase(suite, good);
  TCase *damage = tcase_create("damage");
  tcase_add_test(damage, every_byte_counts);
  tcase_add_test(damage, every_other_length_is_refused);
  tcase_add_test(damage, other_kinds_of_files_are_refused);
  tcase_add_test(damage, shapes_are_checked_before_memory_is_taken);
  tcase_add_test(damage, values_are_checked);
  suite_add_tcase(suite, damage);
  TCase *disk = tcase_create("disk");
  tcase_add_test(disk, texts_name_the_file);
  tcase_add_test(disk, failures_leave_the_old_file);
  tcase_add_test(disk, old_parts_are_written_over);
  suite_add_tcase(suite, disk);
  return suite;
}
