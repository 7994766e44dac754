/* metrics.c - lines of JSON by way of jansson: what a line holds is a table of fields, which is written from and read
 * by. */
#include "metrics.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

/* ---- Fields ---- */

typedef enum kind { TEXT, INTEGER, NUMBER } kind;

typedef struct field {
  const char *name;
  kind kind;
  size_t at;
} field;

/* The fields of one type of line. */
typedef struct layout {
  const char *type;
  const field *fields;
  size_t n;
} layout;

#define HEAD(kind, name)                                                                                               \
  { #name, kind, offsetof(run_head, name) }
#define STEP(kind, name)                                                                                               \
  { #name, kind, offsetof(step_line, name) }
#define EVALUATION(kind, name)                                                                                         \
  { #name, kind, offsetof(evaluation_line, name) }

static const field head_fields[] = {HEAD(TEXT, setting),        HEAD(TEXT, world),           HEAD(TEXT, title),
                                    HEAD(TEXT, method),         HEAD(TEXT, label),           HEAD(TEXT, identity),
                                    HEAD(INTEGER, world_order), HEAD(INTEGER, method_order), HEAD(INTEGER, seed),
                                    HEAD(INTEGER, steps),       HEAD(INTEGER, judged),       HEAD(NUMBER, derailed)};

static const field step_fields[] = {STEP(INTEGER, step),
                                    STEP(NUMBER, loss),
                                    STEP(NUMBER, budget),
                                    STEP(NUMBER, beta),
                                    STEP(NUMBER, saturated),
                                    STEP(NUMBER, kl_student),
                                    STEP(NUMBER, log_teacher),
                                    STEP(NUMBER, log_student),
                                    STEP(NUMBER, entropy_teacher),
                                    STEP(NUMBER, entropy_student),
                                    STEP(NUMBER, length),
                                    STEP(NUMBER, gradient),
                                    STEP(NUMBER, rate),
                                    STEP(NUMBER, teacher_calls)};

static const field evaluation_fields[] = {
    EVALUATION(INTEGER, step),         EVALUATION(INTEGER, prompts),        EVALUATION(NUMBER, success),
    EVALUATION(NUMBER, greedy),        EVALUATION(NUMBER, reverse_kl),      EVALUATION(NUMBER, log_teacher),
    EVALUATION(NUMBER, bits_per_byte), EVALUATION(NUMBER, teacher_success), EVALUATION(NUMBER, length)};

static const layout head_layout = {"run", head_fields, sizeof head_fields / sizeof head_fields[0]};
static const layout step_layout = {"step", step_fields, sizeof step_fields / sizeof step_fields[0]};
static const layout evaluation_layout = {"evaluation", evaluation_fields,
                                         sizeof evaluation_fields / sizeof evaluation_fields[0]};
static const layout end_layout = {"end", NULL, 0};

/* One line for people, on screens too. */
static int is_plain(const char *text) {
  while ((unsigned char)*text >= ' ' && *text != 0x7f) text++;
  return *text == '\0';
}

/* NULL if there is no memory or a text is not plain UTF-8. */
static json_t *encode_value(const field *f, const void *from) {
  const void *at = (const char *)from + f->at;
  int64_t integer;
  double number;
  switch (f->kind) {
  case TEXT:
    return is_plain(at) ? json_string(at) : NULL;
  case INTEGER:
    memcpy(&integer, at, sizeof integer);
    return json_integer(integer);
  default:
    memcpy(&number, at, sizeof number);
    return isfinite(number) ? json_real(number) : json_null();
  }
}

static int decode_value(const field *f, const json_t *value, void *to) {
  void *at = (char *)to + f->at;
  if (f->kind == TEXT) {
    if (!json_is_string(value) || json_string_length(value) >= METRICS_TEXT) return 0;
    if (!is_plain(json_string_value(value))) return 0;
    memcpy(at, json_string_value(value), json_string_length(value) + 1);
  } else if (f->kind == INTEGER) {
    if (!json_is_integer(value)) return 0;
    const int64_t integer = json_integer_value(value);
    memcpy(at, &integer, sizeof integer);
  } else {
    if (!json_is_number(value) && !json_is_null(value)) return 0;
    const double number = json_is_null(value) ? NAN : json_number_value(value);
    memcpy(at, &number, sizeof number);
  }
  return 1;
}

/* Of a long path only the end, so that what is wrong with it has room behind it. */
static const char *path_end(const char *path) {
  const size_t length = strlen(path), most = METRICS_WHY / 2;
  return path + (length > most ? length - most : 0);
}

/* ---- Writing ---- */

struct metrics {
  FILE *file;
  int failed;
};

/* 17 digits read back as the number they were. The text is the caller's to free. */
static char *encode(const layout *l, const void *from) {
  json_t *object = json_object();
  int good = object && json_object_set_new(object, "type", json_string(l->type)) == 0;
  for (size_t i = 0; i < l->n && good; i++) {
    good = json_object_set_new(object, l->fields[i].name, encode_value(&l->fields[i], from)) == 0;
  }
  char *text = good ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
  json_decref(object);
  return text;
}

/* A line is handed over whole, so that a process that dies leaves whole lines. */
static int put_line(metrics *m, const char *text) {
  if (!text || fputs(text, m->file) == EOF || fputc('\n', m->file) == EOF || fflush(m->file) == EOF) m->failed = 1;
  return !m->failed;
}

static int write_line(metrics *m, const layout *l, const void *from) {
  char *text = encode(l, from);
  const int good = put_line(m, text);
  free(text);
  return good;
}

int metrics_step(metrics *m, const step_line *line) {
  return write_line(m, &step_layout, line);
}

int metrics_evaluation(metrics *m, const evaluation_line *line) {
  return write_line(m, &evaluation_layout, line);
}

int metrics_end(metrics *m) {
  return write_line(m, &end_layout, NULL);
}

int metrics_close(metrics *m) {
  const int good = !m->failed;
  const int closed = fclose(m->file) == 0;
  free(m);
  return good && closed;
}

/* ---- Reading ---- */

typedef enum line_type { LINE_HEAD, LINE_STEP, LINE_EVALUATION, LINE_END, LINE_NONE, LINE_BAD } line_type;

typedef struct line {
  line_type type;
  union {
    run_head head;
    step_line step;
    evaluation_line evaluation;
  } as;
} line;

/* A file that is read line by line; `number` counts them. `step` and `evaluation` are the last ones of their kind, -1
 * before the first. */
typedef struct reader {
  FILE *file;
  const char *path;
  char *text; /* of the last line that was read */
  size_t capacity;
  int64_t number, step, evaluation;
  int ended;
  char *why;
} reader;

static line_type fail(const reader *r, const char *what, const char *which) {
  snprintf(r->why, METRICS_WHY, "%s: line %lld: %s%s", path_end(r->path), (long long)r->number, what, which);
  return LINE_BAD;
}

static int reader_open(reader *r, const char *path, const char *mode, char *why) {
  *r = (reader){.path = path, .why = why, .step = -1, .evaluation = -1, .file = fopen(path, mode)};
  if (!r->file) snprintf(why, METRICS_WHY, "%s: cannot be opened", path_end(path));
  return r->file != NULL;
}

static void reader_close(reader *r) {
  free(r->text);
  if (r->file) fclose(r->file);
}

static line_type decode(const reader *r, const json_t *object, const layout *l, void *to, line_type type) {
  static const char *const wanted[] = {"expected a short text without control characters in ",
                                       "expected an integer in ", "expected a number or null in "};
  for (size_t i = 0; i < l->n; i++) {
    const field *f = &l->fields[i];
    if (!decode_value(f, json_object_get(object, f->name), to)) return fail(r, wanted[f->kind], f->name);
  }
  return type;
}

static int has_step(const line *in) {
  return in->type == LINE_STEP || in->type == LINE_EVALUATION;
}

static int64_t step_of(const line *in) {
  return in->type == LINE_STEP ? in->as.step.step : in->as.evaluation.step;
}

/* Lines stand in the order of their steps, and no two of a kind are of the same step. */
static line_type check_order(reader *r, const line *in) {
  if (!has_step(in)) return in->type;
  int64_t *last = in->type == LINE_STEP ? &r->step : &r->evaluation;
  const int64_t step = step_of(in);
  if (step <= *last || step < r->step || step < r->evaluation) return fail(r, "a step out of order", "");
  *last = step;
  return in->type;
}

static line_type decode_line(reader *r, const json_t *object, line *out) {
  const char *type = json_string_value(json_object_get(object, "type"));
  if (!type) return fail(r, "expected a type", "");
  const int first = strcmp(type, "run") == 0;
  if (first != (r->number == 1)) return fail(r, first ? "a second run" : "expected a run", "");
  if (r->ended) return fail(r, "a line after the end", "");
  if (first) return decode(r, object, &head_layout, &out->as.head, LINE_HEAD);
  if (strcmp(type, "step") == 0) return decode(r, object, &step_layout, &out->as.step, LINE_STEP);
  if (strcmp(type, "evaluation") == 0) {
    return decode(r, object, &evaluation_layout, &out->as.evaluation, LINE_EVALUATION);
  }
  if (strcmp(type, "end") != 0) return fail(r, "unknown type ", type);
  r->ended = 1;
  return LINE_END;
}

/* The next line. A last one that was cut short counts as none. */
static line_type read_line(reader *r, line *out) {
  const ssize_t length = getline(&r->text, &r->capacity, r->file);
  r->number++;
  if (length < 0 && !feof(r->file)) return out->type = fail(r, "cannot be read", "");
  if (length <= 0 || r->text[length - 1] != '\n') return out->type = LINE_NONE;
  json_error_t error;
  json_t *object = json_loadb(r->text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (!object) return out->type = fail(r, "not JSON: ", error.text);
  out->type = decode_line(r, object, out);
  json_decref(object);
  return out->type = check_order(r, out);
}

/* ---- A new file, or one to go on with ---- */

/* Where the lines that stay end, or -1. */
static off_t find_rest(reader *r, const char *head, int64_t resume) {
  line in;
  off_t rest = 0;
  int64_t reached = 0;
  if (read_line(r, &in) == LINE_BAD) return -1;
  const size_t length = strlen(head);
  if (in.type != LINE_HEAD || strncmp(r->text, head, length) != 0 || r->text[length] != '\n') {
    fail(r, "another run's file", "");
    return -1;
  }
  do {
    reached = r->step > 0 ? r->step : 0;
    rest = ftello(r->file);
    if (rest < 0) fail(r, "cannot be read", "");
    if (rest < 0 || read_line(r, &in) == LINE_BAD) return -1;
  } while (has_step(&in) && step_of(&in) <= resume);
  if (reached == resume) return rest;
  fail(r, "the step to resume from is missing", "");
  return -1;
}

static FILE *reopen(const char *path, const char *head, int64_t resume, char *why) {
  reader r;
  if (!reader_open(&r, path, "r+b", why)) return NULL;
  const off_t rest = find_rest(&r, head, resume);
  FILE *file = NULL;
  if (rest >= 0) {
    if (ftruncate(fileno(r.file), rest) == 0 && fseeko(r.file, rest, SEEK_SET) == 0) {
      file = r.file;
      r.file = NULL;
    } else {
      snprintf(why, METRICS_WHY, "%s: cannot be cut", path_end(path));
    }
  }
  reader_close(&r);
  return file;
}

static metrics *start(const char *path, const char *head, int64_t resume, char *why) {
  metrics *m = malloc(sizeof *m);
  if (!m) {
    snprintf(why, METRICS_WHY, "no memory");
    return NULL;
  }
  *m = (metrics){0};
  if (resume >= 0) {
    m->file = reopen(path, head, resume, why);
  } else {
    m->file = fopen(path, "wb");
    if (!m->file) snprintf(why, METRICS_WHY, "%s: cannot be made", path_end(path));
  }
  if (m->file && resume < 0 && !put_line(m, head)) {
    snprintf(why, METRICS_WHY, "%s: cannot be written", path_end(path));
    fclose(m->file);
    remove(path);
    m->file = NULL;
  }
  if (m->file) return m;
  free(m);
  return NULL;
}

metrics *metrics_open(const char *path, const run_head *head, int64_t resume, char *why) {
  char *text = encode(&head_layout, head);
  metrics *m = NULL;
  if (text) {
    m = start(path, text, resume, why);
  } else {
    snprintf(why, METRICS_WHY, "%s: a text of the run is not plain UTF-8, or there is no memory", path_end(path));
  }
  free(text);
  return m;
}

/* ---- Whole files ---- */

/* Room for one more in an array that doubles whenever n is a power of two. */
static void *grow(void *array, int64_t n, size_t size) {
  if (n & (n - 1)) return array;
  return realloc(array, (n ? 2 * (size_t)n : 1) * size);
}

static int keep_line(run *r, const line *in) {
  if (in->type == LINE_STEP) {
    step_line *steps = grow(r->steps, r->n_steps, sizeof *steps);
    if (!steps) return 0;
    r->steps = steps;
    r->steps[r->n_steps++] = in->as.step;
  } else if (in->type == LINE_EVALUATION) {
    evaluation_line *evaluations = grow(r->evaluations, r->n_evaluations, sizeof *evaluations);
    if (!evaluations) return 0;
    r->evaluations = evaluations;
    r->evaluations[r->n_evaluations++] = in->as.evaluation;
  } else if (in->type == LINE_END) {
    r->complete = 1;
  } else {
    r->head = in->as.head;
  }
  return 1;
}

static int read_run(reader *r, run *out) {
  line in;
  while (read_line(r, &in) != LINE_NONE) {
    if (in.type == LINE_BAD) return 0;
    if (!keep_line(out, &in)) {
      fail(r, "no memory", "");
      return 0;
    }
  }
  if (r->number > 1) return 1;
  fail(r, "expected a run", "");
  return 0;
}

run *metrics_read(const char *path, char *why) {
  reader r;
  if (!reader_open(&r, path, "rb", why)) return NULL;
  run *out = calloc(1, sizeof *out);
  if (!out) fail(&r, "no memory", "");
  if (out && !read_run(&r, out)) {
    run_free(out);
    out = NULL;
  }
  reader_close(&r);
  return out;
}

void run_free(run *r) {
  if (!r) return;
  free(r->steps);
  free(r->evaluations);
  free(r);
}
