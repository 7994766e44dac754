/* bytes.c - files of numbers, byte by byte. */
#include "bytes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(bytes *b, uint64_t x, int size) {
  b->data = realloc(b->data, b->n + (size_t)size);
  ck_assert_ptr_nonnull(b->data);
  b->n += (size_t)size;
  bytes_set(b, b->n - (size_t)size, x, size);
}

void bytes_add_float(bytes *b, float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bytes_add(b, bits, 4);
}

void bytes_set(bytes *b, size_t at, uint64_t x, int size) {
  for (int i = 0; i < size; i++, x /= 256) b->data[at + (size_t)i] = (unsigned char)(x % 256);
}

float bytes_float(const bytes *b, size_t at) {
  uint32_t bits = 0;
  for (int i = 3; i >= 0; i--) bits = bits << 8 | b->data[at + (size_t)i];
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void bytes_free(bytes *b) {
  free(b->data);
  *b = (bytes){NULL, 0};
}

unsigned char *bytes_copy(const bytes *b, size_t n) {
  unsigned char *copy = malloc(n > 0 ? n : 1);
  ck_assert_ptr_nonnull(copy);
  if (n > 0) memcpy(copy, b->data, n);
  return copy;
}

void bytes_write(const bytes *b, const char *path) {
  FILE *out = fopen(path, "wb");
  ck_assert_ptr_nonnull(out);
  ck_assert_uint_eq(fwrite(b->data, 1, b->n, out), b->n);
  ck_assert_int_eq(fclose(out), 0);
}

bytes bytes_read(const char *path) {
  bytes b = {NULL, 0};
  FILE *in = fopen(path, "rb");
  if (!in) return b;
  for (int c; (c = fgetc(in)) != EOF;) bytes_add(&b, (uint64_t)c, 1);
  fclose(in);
  return b;
}
