/* task_parts.h - what the tasks share among themselves. Users of a task need only task.h. */
#ifndef DISTILL_TASK_PARTS_H
#define DISTILL_TASK_PARTS_H

#include <stddef.h>

#include "task.h"

enum { TASK_WHY = 256 };

/* `like` on the heap, or NULL with a text in `why` and like's data freed. */
task *task_make(task like, char *why);

/* For tasks whose data is one piece of memory. */
void task_free_data(task *t);

/* For tasks without success. */
double task_unjudged(const task *t, const int64_t *tokens, int64_t length, int64_t prompt);

/* Whether a prompt that is made at random is a held-out one: every twentieth is, by a hash of its tokens. */
int task_holds_out(const int64_t *prompt, int64_t n);

/* Of the n items of a task on data, the one at place `at` of each `group` is held out. Both counts are 1 or more if
 * n > at > 0. */
typedef struct task_split {
  int64_t group, at;
} task_split;

void task_count_split(task *t, task_split s, int64_t n);                             /* sets n_train, n_held_out */
int64_t task_draw_item(const task *t, task_split s, int held_out, random_stream *r); /* any one of those, its index */

/* Whether a document with these flaws is one that derails. */
int task_derails(const flaws *f, random_stream *r);

/* A document's prompt stands in out->tokens; adds the response token by token. */
void document_begin(document *d, int64_t prompt);
void document_add(document *d, int64_t token, int learn);

/* Calls `read` with each line of a file that is not blank, without its LF or CRLF; a 0 byte follows its end. `read`
 * returns NULL, or what it expected instead. 1, or 0 with a text in `why` that names file and line. */
typedef const char *(*line_reader)(void *to, const char *line, int64_t length);
int task_read_lines(const char *path, line_reader read, void *to, char *why);

/* Room for one more than the n elements of an array that was made by this function; NULL, and the array as it was, if
 * there is none. */
void *task_grow(void *array, int64_t n, size_t size);

#endif
