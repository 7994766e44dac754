/* script.c - the data and the gnuplot script of a picture. A script draws the same picture twice, as SVG and as PNG. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "plot.h"
#include "table.h"

/* Okabe and Ito's colors, which also the color-blind tell apart, without the yellow, which is too pale for a line on
 * white. Black, which the first method has, comes once; after the last color the others come again, dashed. */
static const char *const colors[] = {"#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
static const char *const dashes[] = {"1", "(8,4)", "(2,3)", "(8,3,2,3)"};
enum { COLORS = sizeof colors / sizeof colors[0], DASHES = sizeof dashes / sizeof dashes[0] };

/* Sizes in pixels of the SVG; the PNG has twice as many. A character of the font is about so wide. */
enum { LEFT = 80, PLOT = 560, RIGHT = 30, TOP = 64, BOTTOM = 64, CHARACTER = 9, SAMPLE = 70 };

/* The panels of PICTURE_ROLLOUTS. */
static const struct {
  const char *label, *range;
} panels[UPDATE_VALUES] = {{"log-probability of sampled tokens under the teacher, nats", "[*:*]"},
                           {"KL(μ‖p) of the behavior from the student, nats", "[0:*]"},
                           {"β, weight of the teacher in the behavior", "[0:1]"}};

/* ---- Data ---- */

static const curve *curve_of(const method_runs *m, picture_kind kind) {
  return kind == PICTURE_ROLLOUTS ? &m->updates : &m->evaluations;
}

int script_learned(const run_head *world) {
  return world->judged ? EVALUATION_SUCCESS : EVALUATION_REVERSE_KL;
}

int script_has(const method_runs *m, picture_kind kind, int value) {
  const curve *c = curve_of(m, kind);
  for (int64_t i = 0; i < c->n; i++) {
    if (!isnan(c->points[i].value[value].mean)) return 1;
  }
  return 0;
}

static int has_band(const method_runs *m) {
  for (int64_t i = 0; i < m->evaluations.n; i++) {
    if (!isnan(m->evaluations.points[i].value[script_learned(m->head)].half)) return 1;
  }
  return 0;
}

static void put_number(FILE *out, double x) {
  if (isnan(x)) {
    fputs(" ?", out);
  } else {
    fprintf(out, " %.10g", x);
  }
}

static void put_learned(FILE *out, const method_runs *m) {
  const double unit = m->head->judged ? 100.0 : 1.0;
  for (int64_t i = 0; i < m->evaluations.n; i++) {
    const interval x = m->evaluations.points[i].value[script_learned(m->head)];
    fprintf(out, "%" PRId64, m->evaluations.points[i].step);
    put_number(out, unit * x.mean);
    put_number(out, unit * x.half);
    fputc('\n', out);
  }
}

static void put_updates(FILE *out, const method_runs *m) {
  for (int64_t i = 0; i < m->updates.n; i++) {
    fprintf(out, "%" PRId64, m->updates.points[i].step);
    for (int value = 0; value < UPDATE_VALUES; value++) put_number(out, m->updates.points[i].value[value].mean);
    fputc('\n', out);
  }
}

/* One block for each method; a block must not be empty, or the next would take its number. */
static void put_blocks(FILE *out, const picture *p) {
  for (int64_t i = 0; i < p->world->n; i++) {
    const method_runs *m = &p->world->methods[i];
    if (i > 0) fputs("\n\n", out);
    if (curve_of(m, p->kind)->n == 0) fputs("? ? ? ?\n", out);
    (p->kind == PICTURE_ROLLOUTS ? put_updates : put_learned)(out, m);
  }
}

static void put_sweep(FILE *out, const sweep *s) {
  for (int64_t i = 0; i < s->n; i++) {
    const interval gain = s->methods[i]->gain[MEASURE_AREA];
    fprintf(out, "%" PRId64, i);
    put_number(out, 100.0 * gain.mean);
    put_number(out, gain.n < 2 ? 0.0 : 100.0 * gain.half);
    fputc('\n', out);
  }
}

void script_data(FILE *out, const void *what) {
  static const char *const columns[] = {"update, success % or KL(p||q), half width of the 95 % interval",
                                        "update, log q, KL(mu||p), beta",
                                        "place, gain in area in percentage points, half width of the 95 % interval"};
  const picture *p = what;
  fprintf(out, "# %s\n", columns[p->kind]);
  if (p->kind == PICTURE_SWEEP) {
    put_sweep(out, p->sweep);
  } else {
    put_blocks(out, p);
  }
}

/* ---- Script ---- */

/* In single quotes nothing but the quote itself is special to gnuplot. */
static void put_string(FILE *out, const char *text) {
  fputc('\'', out);
  for (; *text; text++) {
    if (*text == '\'') fputc('\'', out);
    fputc(*text, out);
  }
  fputc('\'', out);
}

static int most(int a, int b) {
  return a > b ? a : b;
}

/* Where things stand, in pixels. */
typedef struct frame {
  int width, height, right; /* right edge of the axes */
} frame;

/* The legend stands beside the axes, as wide as the longest label needs it. */
static frame frame_of(const picture *p, const char *title) {
  int legend = 0;
  for (int64_t i = 0; p->world && i < p->world->n; i++) {
    legend = most(legend, SAMPLE + CHARACTER * text_width(p->world->methods[i].head->label));
  }
  const int right = LEFT + PLOT;
  return (frame){most(right + RIGHT + legend, LEFT + CHARACTER * text_width(title) + RIGHT),
                 p->kind == PICTURE_ROLLOUTS ? 780 : 460, right};
}

static void put_head(FILE *out, const picture *p, frame f, const char *title) {
  fprintf(out, "# `gnuplot %s.gp` draws %s.svg and %s.png from %s.dat.\n", p->name, p->name, p->name, p->name);
  fputs("reset\n"
        "if (!exists('part')) part = ''\n"
        "set encoding utf8\n"
        "set datafile missing '?'\n"
        "set border 3 linecolor rgb '#404040'\n"
        "set tics nomirror out scale 0.5 textcolor rgb '#202020'\n"
        "set grid ytics linetype 1 linecolor rgb '#dddddd' linewidth 0.7\n",
        out);
  fprintf(out, "set lmargin at screen %.4f\nset rmargin at screen %.4f\n", (double)LEFT / f.width,
          (double)f.right / f.width);
  fprintf(out, "set key at screen %.4f, screen %.4f left top Left reverse samplen 2 spacing 1.3\n",
          (double)(f.right + 10) / f.width, 1.0 - (double)TOP / f.height);
  fprintf(out,
          "do for [format in 'svg png'] {\n"
          "if (format eq 'svg') {\n"
          "set terminal svg size %d,%d font 'sans-serif,13' background 'white' noenhanced\n"
          "} else {\n"
          "set terminal pngcairo size %d,%d font 'sans-serif,13' fontscale 2 linewidth 2 pointscale 2 background "
          "'white' noenhanced\n"
          "}\n"
          "set output '%s.'.format.part\n",
          f.width, f.height, 2 * f.width, 2 * f.height, p->name);
  fprintf(out, "set label 1 at screen %.4f, screen %.4f left font ',15' ", (double)LEFT / f.width,
          1.0 - 20.0 / f.height);
  put_string(out, title);
  fputc('\n', out);
}

static const char *color_of(const method_runs *m) {
  return colors[m->color < COLORS ? m->color : 1 + (m->color - COLORS) % (COLORS - 1)];
}

static const char *dash_of(const method_runs *m) {
  return dashes[m->color < COLORS ? 0 : (1 + (m->color - COLORS) / (COLORS - 1)) % DASHES];
}

static void put_line_style(FILE *out, const method_runs *m) {
  fprintf(out, " with lines linewidth 2 linecolor rgb '%s' dashtype %s", color_of(m), dash_of(m));
}

/* A plot command: the legend, if wanted, then bands, if there are any, then the lines of all methods that know the
 * value in this column of the data. The legend has all methods, also those that only other panels show. */
static void put_plot(FILE *out, const picture *p, int value, int column, int with_legend) {
  const method_runs *begin = p->world->methods, *end = begin + p->world->n;
  const char *separator = "plot ";
  for (const method_runs *m = begin; m < end && with_legend; m++) {
    fprintf(out, "%sNaN", separator);
    put_line_style(out, m);
    fputs(" title ", out);
    put_string(out, m->head->label);
    separator = ", \\\n  ";
  }
  for (const method_runs *m = begin; m < end && p->kind == PICTURE_LEARNING; m++) {
    if (!has_band(m)) continue;
    fprintf(out,
            "%s'%s.dat' index %d using 1:($2-$3):($2+$3) with filledcurves fillcolor rgb '%s' "
            "fillstyle transparent solid 0.15 noborder notitle",
            separator, p->name, (int)(m - begin), color_of(m));
    separator = ", \\\n  ";
  }
  for (const method_runs *m = begin; m < end; m++) {
    if (!script_has(m, p->kind, value)) continue;
    fprintf(out, "%s'%s.dat' index %d using 1:%d", separator, p->name, (int)(m - begin), column);
    put_line_style(out, m);
    fputs(" notitle", out);
    separator = ", \\\n  ";
  }
  fputc('\n', out);
}

/* Margins of panel `i` of `n`, and what stands above it. */
static void put_panel(FILE *out, frame f, int i, int n, const char *label) {
  const double room = (double)(f.height - TOP - BOTTOM) / n, gap = i > 0 ? 40.0 : 0.0;
  fprintf(out, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", 1.0 - (TOP + i * room + gap) / f.height,
          1.0 - (TOP + (i + 1) * room) / f.height);
  fprintf(out, "set label 2 at graph 0, graph 1 left offset 0, 0.8 ");
  put_string(out, label);
  fputc('\n', out);
}

static void put_updates_axis(FILE *out, const world_runs *w) {
  fprintf(out, "set xrange [0:%" PRId64 "]\n", w->head->steps > 0 ? w->head->steps : 1);
}

static void put_learning_script(FILE *out, const picture *p) {
  const run_head *head = p->world->head;
  const frame f = frame_of(p, head->title);
  put_head(out, p, f, head->title);
  put_panel(out, f, 0, 1, head->judged ? "success, %" : "KL(p‖q) along the student's rollouts, nats");
  put_updates_axis(out, p->world);
  fprintf(out, "set yrange [%s]\nset xlabel 'updates' offset 0, 0.4\n", head->judged ? "0:100" : "*:*");
  put_plot(out, p, script_learned(head), 2, 1);
}

static int panel_has(const world_runs *w, int value) {
  for (int64_t i = 0; i < w->n; i++) {
    if (script_has(&w->methods[i], PICTURE_ROLLOUTS, value)) return 1;
  }
  return 0;
}

static void put_rollouts_script(FILE *out, const picture *p) {
  const frame f = frame_of(p, p->world->head->title);
  put_head(out, p, f, p->world->head->title);
  fputs("set multiplot\n", out);
  put_updates_axis(out, p->world);
  int n = 0, done = 0;
  for (int value = 0; value < UPDATE_VALUES; value++) n += panel_has(p->world, value);
  for (int value = 0; value < UPDATE_VALUES; value++) {
    if (!panel_has(p->world, value)) continue;
    put_panel(out, f, done, n, panels[value].label);
    fprintf(out, "set yrange %s\n", panels[value].range);
    done++;
    fputs(done == n ? "set format x '%g'\nset xlabel 'updates' offset 0, 0.4\n" : "set format x ''\nunset xlabel\n",
          out);
    put_plot(out, p, value, 2 + value, done == 1);
    fputs("unset label 1\n", out);
  }
  fputs("unset multiplot\n", out);
}

/* The shares stand at even distances, for they span orders of magnitude. 0 is always shown. */
static void put_sweep_script(FILE *out, const picture *p) {
  const sweep *s = p->sweep;
  const method_runs *first = s->methods[0];
  char title[2 * METRICS_TEXT + 32];
  snprintf(title, sizeof title, "%s: %s minus opd", first->head->setting, first->head->label);
  const frame f = frame_of(p, title);
  double low = 0.0, high = 0.0;
  for (int64_t i = 0; i < s->n; i++) {
    const interval gain = s->methods[i]->gain[MEASURE_AREA];
    const double half = gain.n < 2 ? 0.0 : gain.half;
    low = fmin(low, 100.0 * (gain.mean - half));
    high = fmax(high, 100.0 * (gain.mean + half));
  }
  const double margin = high > low ? 0.05 * (high - low) : 1.0;
  put_head(out, p, f, title);
  put_panel(out, f, 0, 1, "gain in area under the success curve, percentage points");
  fprintf(out, "set xrange [-0.5:%g]\nset yrange [%g:%g]\n", (double)s->n - 0.5, low - margin, high + margin);
  fputs("set xzeroaxis linetype 1 linecolor rgb '#404040'\nset xtics (", out);
  for (int64_t i = 0; i < s->n; i++) {
    fprintf(out, "%s'%g' %" PRId64, i > 0 ? ", " : "", 100.0 * s->methods[i]->head->derailed, i);
  }
  fprintf(out,
          ")\nset xlabel 'derailed documents of the teacher, %%' offset 0, 0.4\n"
          "plot '%s.dat' using 1:2 with lines linewidth 1 linecolor rgb '%s' dashtype 3 notitle, \\\n"
          "  '%s.dat' using 1:2:3 with yerrorbars pointtype 7 pointsize 0.7 linewidth 2 linecolor rgb '%s' notitle\n",
          p->name, color_of(first), p->name, color_of(first));
}

void script_commands(FILE *out, const void *what) {
  const picture *p = what;
  switch (p->kind) {
  case PICTURE_LEARNING:
    put_learning_script(out, p);
    break;
  case PICTURE_ROLLOUTS:
    put_rollouts_script(out, p);
    break;
  default:
    put_sweep_script(out, p);
  }
  fputs("}\nset output\n", out);
}
