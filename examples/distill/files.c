/* files.c - paths, and files that are read and written whole. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY = 256 };

char *path_join(const char *directory, const char *name) {
  const size_t first = strlen(directory), second = strlen(name);
  char *path = malloc(first + second + 2);
  if (!path) return NULL;
  memcpy(path, directory, first);
  path[first] = '/';
  memcpy(path + first + 1, name, second + 1);
  return path;
}

/* ---- Reading ---- */

/* Grows with what comes, so that a pipe or a directory needs no size first. NULL with an error number. */
static unsigned char *read_all(FILE *file, size_t *bytes, int *error) {
  unsigned char *data = NULL;
  size_t capacity = 1 << 16, n = 0;
  do {
    capacity *= 2;
    unsigned char *more = realloc(data, capacity);
    if (!more) {
      *error = ENOMEM;
      free(data);
      return NULL;
    }
    data = more;
    n += fread(data + n, 1, capacity - 1 - n, file);
  } while (n == capacity - 1);
  if (ferror(file)) {
    *error = errno;
    free(data);
    return NULL;
  }
  data[n] = 0;
  if (bytes) *bytes = n;
  return data;
}

unsigned char *file_read(const char *path, size_t *bytes, char *why) {
  FILE *file = fopen(path, "rb");
  int error = errno;
  unsigned char *data = file ? read_all(file, bytes, &error) : NULL;
  if (!data) snprintf(why, WHY, "%.120s: cannot be read: %s", path, strerror(error));
  if (file) fclose(file);
  return data;
}

/* ---- Writing: 0 or an error number ---- */

static int write_all(int file, const unsigned char *data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = write(file, data, bytes);
    if (n < 0 && errno != EINTR) return errno;
    if (n < 0) continue;
    data += n;
    bytes -= (size_t)n;
  }
  return fsync(file) == 0 ? 0 : errno;
}

static int write_part(const char *part, const char *path, const unsigned char *data, size_t bytes) {
  const int file = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0) return errno;
  int error = write_all(file, data, bytes);
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(part, path) != 0) error = errno;
  if (error != 0) unlink(part);
  return error;
}

int file_write(const char *path, const unsigned char *data, size_t bytes, char *why) {
  const size_t length = strlen(path) + sizeof ".part";
  char *part = malloc(length);
  int error = ENOMEM;
  if (part) {
    snprintf(part, length, "%s.part", path);
    error = write_part(part, path, data, bytes);
    free(part);
  }
  if (error != 0) snprintf(why, WHY, "%.120s: cannot be written: %s", path, strerror(error));
  return error == 0;
}

int file_replace(const char *directory, const char *name, void (*write_what)(FILE *out, const void *what),
                 const void *what, char *why) {
  char *path = path_join(directory, name), *text = NULL;
  size_t bytes = 0;
  FILE *out = path ? open_memstream(&text, &bytes) : NULL;
  int good = 0;
  if (out) {
    write_what(out, what);
    good = !ferror(out);
    good = fclose(out) == 0 && good;
  }
  if (good)
    good = file_write(path, (const unsigned char *)text, bytes, why);
  else
    snprintf(why, WHY, "%.120s: no memory to write it", name);
  free(path);
  free(text);
  return good;
}
