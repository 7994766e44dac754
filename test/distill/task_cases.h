/* task_cases.h - the cases of the suite "task", and what they share. */
#ifndef TEST_DISTILL_TASK_CASES_H
#define TEST_DISTILL_TASK_CASES_H

#include <check.h>

#include "tasks/task.h"

TCase *task_symbols_case(void);
TCase *task_lift_case(void);
TCase *task_text_case(void);
TCase *task_ids_case(void);

/* Documents as they should be. */
extern const flaws NO_FLAWS;

task *task_made(const char *name, const char *file);

/* What the task prints, to be freed. */
char *task_printed(const task *t, const int64_t *tokens, int64_t n);

/* A directory of its own and a file in it. */
typedef struct scratch {
  char *directory, *file;
} scratch;

scratch scratch_with(const char *text);
char *scratch_file(const char *directory, const char *name, const char *text); /* one more; its path, to be freed */
void scratch_end(scratch *s);

#endif
