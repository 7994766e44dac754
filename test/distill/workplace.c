/* workplace.c - a directory of its own for a test, and files in it. */
#include "workplace.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frequencies.h"

char *path_in(const char *directory, const char *name) {
  const size_t capacity = strlen(directory) + strlen(name) + 2;
  char *path = malloc(capacity);
  must(path != NULL);
  snprintf(path, capacity, "%s/%s", directory, name);
  return path;
}

char *workplace_make(void) {
  const char *base = getenv("TMPDIR");
  char *path = path_in(base ? base : "/tmp", "trb it's \"ε\" XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(path));
  return path;
}

static void remove_all(const char *path) {
  DIR *names = opendir(path);
  if (names) {
    for (struct dirent *entry; (entry = readdir(names));) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      char *below = path_in(path, entry->d_name);
      remove_all(below);
      free(below);
    }
    closedir(names);
  }
  must(remove(path) == 0);
}

void workplace_remove(char *directory) {
  remove_all(directory);
  free(directory);
}

void write_text(const char *directory, const char *name, const char *text) {
  char *path = path_in(directory, name);
  for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = '\0';
    mkdir(path, 0777);
    *slash = '/';
  }
  FILE *out = fopen(path, "wb");
  ck_assert_ptr_nonnull(out);
  ck_assert_int_ne(fputs(text, out), EOF);
  ck_assert_int_eq(fclose(out), 0);
  free(path);
}

char *read_text(const char *directory, const char *name) {
  char *path = path_in(directory, name);
  FILE *in = fopen(path, "rb");
  if (!in) ck_abort_msg("%s is not there", name);
  must(fseek(in, 0, SEEK_END) == 0);
  const long length = ftell(in);
  rewind(in);
  char *text = calloc((size_t)length + 1, 1);
  must(text != NULL);
  must(fread(text, 1, (size_t)length, in) == (size_t)length);
  fclose(in);
  free(path);
  return text;
}

int is_there(const char *directory, const char *name) {
  char *path = path_in(directory, name);
  const int there = access(path, F_OK) == 0;
  free(path);
  return there;
}

int count_in(const char *text, const char *what) {
  int n = 0;
  for (; (text = strstr(text, what)); text += strlen(what)) n++;
  return n;
}
