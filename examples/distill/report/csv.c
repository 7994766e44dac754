/* csv.c - the same numbers for other programs: RFC 4180, shares as they are, unknown values empty, "inf" for never. */
#include <inttypes.h>
#include <math.h>

#include "results.h"

static void put_field(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"') fputc('"', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

/* With the comma before it. */
static void put_value(FILE *out, double x) {
  fputc(',', out);
  if (!isnan(x)) fprintf(out, "%.10g", x);
}

void csv_summary(FILE *out, const void *what) {
  const collection *c = what;
  fputs("setting,world,method,label,seed,updates,derailed,complete,final,area,steps_to_half,greedy,final_reverse_kl,"
        "final_log_teacher,bits_per_byte,early_log_teacher,early_kl_student,early_beta,early_saturated,base,teacher\n",
        out);
  for (int64_t i = 0; i < c->n_records; i++) {
    const run_head *head = &c->records[i].run->head;
    const char *const texts[] = {head->setting, head->world, head->method, head->label};
    for (int k = 0; k < 4; k++) {
      put_field(out, texts[k]);
      fputc(',', out);
    }
    fprintf(out, "%" PRId64 ",%" PRId64, head->seed, head->steps);
    put_value(out, head->derailed);
    fprintf(out, ",%d", i < c->n_complete);
    for (int k = 0; k < MEASURES; k++) put_value(out, i < c->n_complete ? c->records[i].value[k] : NAN);
    fputc('\n', out);
  }
}

void csv_curves(FILE *out, const void *what) {
  const collection *c = what;
  fputs("world,method,step,success,success_half,reverse_kl,reverse_kl_half,log_teacher,log_teacher_half,bits_per_byte,"
        "bits_per_byte_half,length,length_half\n",
        out);
  for (int64_t i = 0; i < c->n_methods; i++) {
    const method_runs *m = &c->methods[i];
    for (int64_t k = 0; k < m->evaluations.n; k++) {
      const point *p = &m->evaluations.points[k];
      put_field(out, m->head->world);
      fputc(',', out);
      put_field(out, m->head->method);
      fprintf(out, ",%" PRId64, p->step);
      for (int v = 0; v < EVALUATION_VALUES; v++) {
        put_value(out, p->value[v].mean);
        put_value(out, p->value[v].half);
      }
      fputc('\n', out);
    }
  }
}
