/* checkpoint.h - a model, and if wanted its optimizer, in a file.
 *
 * The format, all numbers little-endian:
 *   8 bytes   "trbdemo" and a version byte, now 1
 *   u64       identity: what made it, a hash of the caller's; a file with another one is foreign
 *   i64       step
 *   i32 x 10  decoder_shape in the order of its fields
 *   u32       1 if moments follow, else 0
 *   i64       n, number of weights
 *   f32 x n   weights
 *   i64, f32 x n, f32 x n   with moments: updates done, first, second
 *   u32       CRC-32 (zlib's) of everything before it
 * The file is exactly so long. It is written beside its place and moved there, so that a crash leaves the old one. */
#ifndef DISTILL_CHECKPOINT_H
#define DISTILL_CHECKPOINT_H

#include <stddef.h>

#include "adamw.h"
#include "decoder.h"

/* Both return 1, or 0 with a text in `why` (capacity 256) that names the file and what is wrong. */
int checkpoint_save(const char *path, uint64_t identity, int64_t step, const decoder *d, const adamw *a, char *why);

/* Makes *d, and *a where `a` is not NULL (then the file must have moments; beta and decay are the caller's to set).
 * Every field is checked before it is used; nothing is made on failure. identity 0 accepts any. */
int checkpoint_load(const char *path, uint64_t identity, int64_t *step, decoder **d, adamw **a, char *why);

/* The same of a file's bytes in memory; `why` does not name the file. */
int checkpoint_parse(const unsigned char *data, size_t bytes, uint64_t identity, int64_t *step, decoder **d, adamw **a,
                     char *why);

#endif
