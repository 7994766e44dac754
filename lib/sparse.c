/* sparse.c - rows whose teacher is known by a list. */
#include "sparse.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "dmath.h"

/* Listed mass beyond 1 that rounding may make. */
static const double MOST_MASS = 1.0 + 1e-3;

/* ---- Arguments ---- */

trb_status trbi_check_sparse(trb_context *ctx, const trb_sparse *teacher, int64_t rows, int64_t vocab) {
  if (teacher == NULL) return trbi_fail(ctx, TRB_EINVAL, "teacher: expected lists, got NULL");
  if (!(teacher->least_rest >= 0.0 && teacher->least_rest < 1.0))
    return trbi_fail(ctx, TRB_EINVAL, "teacher->least_rest: expected a number in [0, 1), got %g", teacher->least_rest);
  if (teacher->k < 0) return trbi_fail(ctx, TRB_EINVAL, "teacher->k: expected at least 0, got %" PRId64, teacher->k);
  int64_t begin = 0, end = 0;
  if (teacher->offset == NULL && __builtin_mul_overflow(rows, teacher->k, &end))
    return trbi_fail(ctx, TRB_EINVAL, "teacher->k: expected lists that fit in memory, got %" PRId64 " entries a row",
                     teacher->k);
  if (teacher->offset != NULL) {
    if (teacher->k != 0)
      return trbi_fail(ctx, TRB_EINVAL, "teacher->k: expected 0 with offsets, got %" PRId64, teacher->k);
    begin = teacher->offset[0];
    end = teacher->offset[rows];
    if (begin < 0) return trbi_fail(ctx, TRB_EINVAL, "teacher->offset[0]: expected at least 0, got %" PRId64, begin);
    for (int64_t r = 0; r < rows; r++)
      if (teacher->offset[r + 1] < teacher->offset[r])
        return trbi_fail(ctx, TRB_EINVAL, "teacher->offset[%" PRId64 "]: expected at least %" PRId64 ", got %" PRId64,
                         r + 1, teacher->offset[r], teacher->offset[r + 1]);
  }
  if (end > begin && (teacher->ids == NULL || teacher->log_q == NULL))
    return trbi_fail(ctx, TRB_EINVAL, "teacher->%s: expected %" PRId64 " entries, got NULL",
                     teacher->ids == NULL ? "ids" : "log_q", end - begin);
  for (int64_t i = begin; i < end; i++)
    if (teacher->ids[i] < -1 || teacher->ids[i] >= vocab)
      return trbi_fail(ctx, TRB_EINVAL, "teacher->ids[%" PRId64 "]: expected -1 to %" PRId64 ", got %" PRId64, i,
                       vocab - 1, teacher->ids[i]);
  return TRB_OK;
}

void trbi_name_sparse(int64_t rows, const trb_sparse *teacher, trbi_span *spans) {
  const bool ragged = teacher->offset != NULL;
  const int64_t begin = ragged ? teacher->offset[0] : 0, n = ragged ? teacher->offset[rows] - begin : rows * teacher->k;
  spans[0] = trbi_array_span("teacher->ids", n > 0 ? teacher->ids + begin : NULL, n, sizeof *teacher->ids);
  spans[1] = trbi_array_span("teacher->log_q", n > 0 ? teacher->log_q + begin : NULL, n, sizeof *teacher->log_q);
  spans[2] = trbi_array_span("teacher->offset", teacher->offset, rows + 1, sizeof *teacher->offset);
}

/* ---- Entries ---- */

static bool stands_before(const trbi_listed *list, int64_t i) {
  for (int64_t j = 0; j < i; j++)
    if (list->ids[j] == list->ids[i]) return true;
  return false;
}

static bool counts(const trbi_listed *list, int64_t i) {
  return list->ids[i] >= 0 && !(list->repeats && stands_before(list, i));
}

bool trbi_entry_at(const trbi_listed *list, int64_t i, trbi_entry *entry) {
  if (!counts(list, i)) return false;
  entry->id = list->ids[i];
  entry->a = trbi_log2_probability(list->student, list->row, list->scale, entry->id);
  entry->b = TRBI_LOG2E * (double)list->log_q[i] - list->excess;
  return true;
}

trbi_listed trbi_name_listed(const trb_logits *student, const trb_sparse *teacher, int64_t row) {
  const bool ragged = teacher->offset != NULL;
  const int64_t begin = ragged ? teacher->offset[row] : row * teacher->k;
  const int64_t n = ragged ? teacher->offset[row + 1] - begin : teacher->k;
  trbi_listed list = {.student = student, .row = row, .n = n, .least_rest = teacher->least_rest};
  list.scale.k = TRBI_LOG2E / trbi_temperature(student);
  if (n > 0) {
    list.ids = teacher->ids + begin;
    list.log_q = teacher->log_q + begin;
  }
  return list;
}

/* ---- The rest ---- */

typedef struct rest_task {
  const trbi_pair *pair;
  trbi_listed *list;
  bool bad[TRBI_PARTS], repeats[TRBI_PARTS];
  trbi_top top[TRBI_PARTS];
} rest_task;

/* Entries that lie in one part; a part with more is searched in the whole list. */
enum { GATHERED = 1024 };

typedef struct gathered {
  const trbi_listed *list;
  int64_t n; /* beyond GATHERED: all */
  int32_t entry[GATHERED];
} gathered;

static void gather(const trbi_pair *pair, const trbi_listed *list, int64_t part, gathered *out) {
  const trbi_range blocks = trbi_part(pair, part);
  const int64_t begin = blocks.begin * TRBI_BLOCK, end = blocks.end * TRBI_BLOCK;
  out->list = list;
  out->n = 0;
  for (int64_t i = 0; i < list->n; i++) {
    if (list->ids[i] < begin || list->ids[i] >= end) continue;
    if (out->n < GATHERED && i <= INT32_MAX) out->entry[out->n] = (int32_t)i;
    out->n = i <= INT32_MAX ? out->n + 1 : GATHERED + 1;
  }
}

/* The student's logits of a block without the listed tokens; *twice if one of these stands there a second time. */
static const float *leave_out(const gathered *g, const trbi_block *block, float *room, bool *twice) {
  const bool all = g->n > GATHERED;
  const int64_t n = all ? g->list->n : g->n;
  const float *x = block->s;
  for (int64_t j = 0; j < n; j++) {
    const int64_t v = g->list->ids[all ? j : g->entry[j]] - block->begin;
    if (v < 0 || v >= block->tokens) continue;
    if (x != room) {
      memcpy(room, block->s, (size_t)block->padded * sizeof *room);
      x = room;
    } else {
      *twice |= room[v] == -INFINITY;
    }
    room[v] = -INFINITY;
  }
  return x;
}

/* Adds a mass and the mean that goes with it, both in units of 2^top. */
static void add(trbi_rest *rest, double top, double mass, double mean) {
  if (!(top > -INFINITY)) return;
  const double high = fmax(top, rest->sum.top);
  const double down = rest->sum.top - high, here = top - high;
  if (down > -INFINITY) {
    const double old = trbi_exp(TRBI_LN2 * down);
    rest->mean = old * (rest->mean + down * rest->sum.mass);
    rest->sum.mass *= old;
  }
  const double new = trbi_exp(TRBI_LN2 * here);
  rest->mean += new *(mean + here * mass);
  rest->sum.mass += new *mass;
  rest->sum.top = high;
}

/* A block, relative to its largest logit. */
static void add_block(trbi_rest *rest, const trbi_pair *pair, const float *x, const trbi_block *block) {
  const double k = pair->scale_student.k;
  trbi_peak peak;
  pair->kernels->peak(x, block->padded, &peak);
  trbi_watch(&rest->top, &peak, block->begin / TRBI_BLOCK);
  if (!(peak.max > -INFINITY)) return;
  const trbi_wide sum = pair->kernels->wide(x, block->padded, k, (double)peak.max);
  add(rest, k * (double)peak.max, sum.mass, sum.mean);
  rest->tokens += sum.tokens;
}

static void read_part(void *data, int64_t part) {
  rest_task *task = data;
  const trbi_pair *pair = task->pair;
  const trbi_range blocks = trbi_part(pair, part);
  trbi_rest *rest = &task->list->part[part];
  gathered g;
  *rest = (trbi_rest){.sum = trbi_log_sum_zero(), .top = {-INFINITY, 0}};
  task->top[part] = (trbi_top){-INFINITY, 0};
  gather(pair, task->list, part, &g);
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    trbi_peak peak;
    trbi_read_block(pair, i, &block);
    pair->kernels->peak(block.s, block.padded, &peak);
    trbi_watch(&task->top[part], &peak, i);
    task->bad[part] |= peak.bad;
    if (peak.bad) return;
    add_block(rest, pair, leave_out(&g, &block, block.room[1], &task->repeats[part]), &block);
  }
}

/* ---- Norms and masses ---- */

/* A list of all tokens leaves nothing over. */
static int32_t measure_list(trbi_listed *list) {
  double q = 0.0;
  int64_t tokens = 0;
  for (int64_t i = 0; i < list->n; i++) {
    if (!counts(list, i)) continue;
    if (!(list->log_q[i] < INFINITY)) return TRB_ROW_NOT_A_NUMBER;
    q += trbi_exp((double)list->log_q[i]);
    tokens++;
  }
  if (q > MOST_MASS) return TRB_ROW_EXCESS;
  const bool whole = tokens == list->student->vocab;
  if (whole && q == 0.0) return TRB_ROW_EMPTY;
  const double most = whole ? 1.0 : 1.0 - list->least_rest;
  list->excess = whole || q > most ? TRBI_LOG2E * trbi_log(q / most) : 0.0;
  list->mass_teacher = whole ? 1.0 : fmin(q, most);
  list->rest_teacher = list->mass_teacher < 1.0 ? TRBI_LOG2E * trbi_log1p(-list->mass_teacher) : -INFINITY;
  return 0;
}

/* Over the parts, relative to the largest logit of the row. */
static trbi_rest all_rest(const trbi_pair *pair, const trbi_listed *list) {
  const double top = list->scale.k * list->scale.max;
  trbi_rest all = {.sum = trbi_log_sum_zero(), .top = {-INFINITY, 0}};
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    const trbi_rest *one = &list->part[i];
    add(&all, one->sum.top - top, one->sum.mass, one->mean);
    all.tokens += one->tokens;
    if (one->top.max > all.top.max) all.top = one->top;
  }
  return all;
}

/* The list's part of the student, relative to norm 0 first. */
static void normalize(trbi_listed *list, const trbi_rest *rest) {
  trbi_log_sum all = rest->sum;
  trbi_entry e;
  list->scale.norm = 0.0;
  for (int64_t i = 0; i < list->n; i++)
    if (trbi_entry_at(list, i, &e)) trbi_log_sum_add(&all, e.a, 1.0);
  list->scale.norm = trbi_log_sum_value(&all);
  list->rest_student = rest->sum.top > -INFINITY ? trbi_log_sum_value(&rest->sum) - list->scale.norm : -INFINITY;
  for (int64_t i = 0; i < list->n; i++) {
    if (!trbi_entry_at(list, i, &e)) continue;
    list->mass_student += trbi_exp(TRBI_LN2 * e.a);
    list->listed_student += e.a > -INFINITY;
  }
  list->tokens_student = (int64_t)rest->tokens + list->listed_student;
  list->top_rest = rest->top;
  if (rest->sum.top > -INFINITY) /* log P - E log p, in units of the rest's own mass */
    list->rest_entropy = fmax(0.0, trbi_log(rest->sum.mass) - TRBI_LN2 * rest->mean / rest->sum.mass);
}

int32_t trbi_read_listed(const trbi_crew *crew, const trb_logits *student, const trb_sparse *teacher, int64_t row,
                         trbi_pair *pair, trbi_listed *out) {
  rest_task task = {.pair = pair, .list = out};
  *out = trbi_name_listed(student, teacher, row);
  trbi_name_row(pair, crew, student, student, row);
  trbi_each_part(pair, read_part, &task);
  bool bad = false;
  out->top = (trbi_top){-INFINITY, 0};
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    bad |= task.bad[i];
    out->repeats |= task.repeats[i];
    if (task.top[i].max > out->top.max) out->top = task.top[i];
  }
  if (bad) return TRB_ROW_NOT_A_NUMBER;
  if (!(out->top.max > -INFINITY)) return TRB_ROW_EMPTY;
  out->scale.max = out->top.max;
  const int32_t of_list = measure_list(out);
  if (of_list != 0) return of_list;
  const trbi_rest rest = all_rest(pair, out);
  normalize(out, &rest);
  pair->top_student = pair->top_teacher = out->top;
  pair->scale_student = pair->scale_teacher = out->scale;
  pair->lse_student = fma(out->scale.k * out->scale.max, TRBI_LN2, TRBI_LN2 * out->scale.norm);
  pair->lse_teacher = 0.0;
  return 0;
}

/* ---- Sums over the list and the rest ---- */

/* Number list->n is the rest. */
static bool term_at(const trbi_listed *list, int64_t i, trbi_entry *entry) {
  if (i < list->n) return trbi_entry_at(list, i, entry);
  *entry = (trbi_entry){-1, list->rest_student, list->rest_teacher};
  return true;
}

double trbi_kl_of(double a, double b) {
  const double p = trbi_exp(TRBI_LN2 * a), r = TRBI_LN2 * (b - a);
  return fabs(r) < 1.0 ? p * trbi_expm1_excess(r) : trbi_exp(TRBI_LN2 * b) - p * (1.0 + r);
}

/* KL(p||q) is a sum of p log(p/q) - p + q; where p is 0 that is q. */
void trbi_summarize_listed(const trbi_listed *list, trbi_summary *out) {
  double both = 0.0, both_q = 0.0, gap = 0.0, square = 0.0, gap_q = 0.0;
  trbi_entry e;
  *out = (trbi_summary){.tokens_student = list->tokens_student};
  for (int64_t i = 0; i <= list->n; i++) {
    if (!term_at(list, i, &e)) continue;
    const double p = trbi_exp(TRBI_LN2 * e.a), q = trbi_exp(TRBI_LN2 * e.b);
    if (!(e.a > -INFINITY)) {
      out->reverse_kl += q;
      continue;
    }
    if (!(e.b > -INFINITY)) {
      out->alone += p;
      out->student_only += i < list->n ? 1.0 : (double)(list->tokens_student - list->listed_student);
      continue;
    }
    const double r = TRBI_LN2 * (e.b - e.a);
    out->reverse_kl += trbi_kl_of(e.a, e.b);
    both += p;
    both_q += q;
    gap += p * r;
    square += p * r * r;
    gap_q += q * r;
  }
  out->both_teacher = both_q;
  out->gap = gap / both;
  out->variance = fmax(0.0, square / both - out->gap * out->gap);
  out->forward_kl = gap_q / both_q - trbi_log(both_q);
  if (out->student_only > 0.0) out->reverse_kl = INFINITY;
}

trbi_tilt trbi_tilt_listed(const trbi_listed *list, double beta, double center) {
  trbi_tilt sum = {0};
  trbi_entry e;
  for (int64_t i = 0; i <= list->n; i++) {
    if (!term_at(list, i, &e) || !(e.a > -INFINITY)) continue;
    const double p = trbi_exp(TRBI_LN2 * e.a);
    if (!(e.b > -INFINITY)) { /* all of its weight is gone */
      sum.divergence += p;
      sum.change -= p;
      continue;
    }
    const double y = fma(beta, e.b, (1.0 - beta) * e.a) - center; /* of any size: neither product is positive */
    const double h = TRBI_LN2 * (y - e.a), w = trbi_exp(TRBI_LN2 * y);
    sum.divergence += fabs(h) < 1.0 ? w * trbi_expm1_excess(-h) : w * (h - 1.0) + p;
    sum.change += fabs(h) < 1.0 ? p * (trbi_expm1_excess(h) + h) : w - p;
    sum.square += w * h * h;
    sum.cube += w * h * h * h;
    sum.ratio += w * (e.b - e.a);
  }
  return sum;
}

double trbi_log2_mass_listed(const trbi_listed *list, double beta) {
  trbi_log_sum sum = trbi_log_sum_zero();
  trbi_entry e;
  for (int64_t i = 0; i <= list->n; i++)
    if (term_at(list, i, &e) && e.a > -INFINITY && e.b > -INFINITY)
      trbi_log_sum_add(&sum, fma(beta, e.b, (1.0 - beta) * e.a), 1.0);
  return trbi_log_sum_value(&sum);
}

void trbi_masses_listed(const trbi_pair *pair, const trbi_listed *list, double beta, double *mass) {
  const int64_t width = trbi_part(pair, 0).end * TRBI_BLOCK;
  trbi_log_sum part[TRBI_PARTS];
  trbi_entry e;
  double top = -INFINITY;
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    const trbi_log_sum *rest = &list->part[i].sum;
    const double y = rest->top - list->scale.k * list->scale.max - list->scale.norm;
    part[i] = trbi_log_sum_zero();
    if (beta == 0.0)
      trbi_log_sum_add(&part[i], y, rest->mass);
    else if (list->rest_teacher > -INFINITY)
      trbi_log_sum_add(&part[i], y + beta * (list->rest_teacher - list->rest_student), rest->mass);
  }
  for (int64_t i = 0; i < list->n; i++) {
    if (!trbi_entry_at(list, i, &e)) continue;
    const double y = beta == 0.0 ? e.a : e.b > -INFINITY ? fma(beta, e.b, (1.0 - beta) * e.a) : -INFINITY;
    trbi_log_sum_add(&part[e.id / width], y, 1.0);
  }
  for (int64_t i = 0; i < trbi_parts(pair); i++) top = fmax(top, part[i].top);
  for (int64_t i = 0; i < trbi_parts(pair); i++)
    mass[i] = part[i].mass > 0.0 ? part[i].mass * trbi_exp(TRBI_LN2 * (part[i].top - top)) : 0.0;
}
