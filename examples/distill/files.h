/* files.h - paths, and files that are read and written whole. */
#ifndef DISTILL_FILES_H
#define DISTILL_FILES_H

#include <stddef.h>
#include <stdio.h>

/* "directory/name", the caller's to free. NULL: no memory. */
char *path_join(const char *directory, const char *name);

/* What a file holds, with a 0 behind it, the caller's to free. `bytes` may be NULL. NULL with a text in `why` (capacity
 * 256) on failure. */
unsigned char *file_read(const char *path, size_t *bytes, char *why);

/* Writes "<path>.part", has it on the disk, and moves it to its place: a crash, and a reader, find the old file or the
 * whole new one. 1, or 0 with a text in `why`. */
int file_write(const char *path, const unsigned char *data, size_t bytes, char *why);

/* The same of directory/name with what `write` writes. */
int file_replace(const char *directory, const char *name, void (*write)(FILE *out, const void *what), const void *what,
                 char *why);

#endif
