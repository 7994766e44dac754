/* workplace.h - a directory of its own for a test, and files in it. All texts are the caller's to free. */
#ifndef TEST_DISTILL_WORKPLACE_H
#define TEST_DISTILL_WORKPLACE_H

/* A new directory, whose name has blanks, quotes and a letter beyond ASCII; and its end with all that is in it. */
char *workplace_make(void);
void workplace_remove(char *directory);

char *path_in(const char *directory, const char *name);

/* Writes a file, and the directories that lead to it; reads one, which must be there. */
void write_text(const char *directory, const char *name, const char *text);
char *read_text(const char *directory, const char *name);
int is_there(const char *directory, const char *name);

/* How often `what` is in the text. */
int count_in(const char *text, const char *what);

#endif
