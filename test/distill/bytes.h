/* bytes.h - files of numbers, built byte by byte from the description of their format, and on the disk. */
#ifndef TEST_DISTILL_BYTES_H
#define TEST_DISTILL_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* A file in memory, which grows at its end. */
typedef struct bytes {
  unsigned char *data;
  size_t n;
} bytes;

/* The lowest `size` bytes of x, the least significant first. */
void bytes_add(bytes *b, uint64_t x, int size);
void bytes_add_float(bytes *b, float x);
void bytes_set(bytes *b, size_t at, uint64_t x, int size);
float bytes_float(const bytes *b, size_t at);
void bytes_free(bytes *b);

/* The first n bytes in memory of exactly that size, so that a sanitizer sees what is read beyond; free() it. */
unsigned char *bytes_copy(const bytes *b, size_t n);

void bytes_write(const bytes *b, const char *path);
bytes bytes_read(const char *path); /* no bytes if there is no such file */

#endif
