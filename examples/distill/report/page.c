/* page.c - the report as one HTML page that refers to nothing outside it. Texts that come from runs are escaped. */
#include "page.h"

#include <inttypes.h>
#include <string.h>

static const char style[] =
    ":root { color-scheme: light dark; }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }\n"
    "h1, h2, h3 { line-height: 1.25; }\n"
    "h2 { margin-top: 3rem; }\n"
    "p { max-width: 48rem; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: 0.25rem 0.75rem; text-align: left; white-space: nowrap; }\n"
    "thead th { border-bottom: 2px solid GrayText; }\n"
    "td { border-bottom: 1px solid color-mix(in srgb, GrayText 30%, transparent); }\n"
    ".r { text-align: right; }\n"
    ".wide { overflow-x: auto; }\n"
    "figure { margin: 1.5rem 0; }\n"
    "figure svg { max-width: 100%; height: auto; background: white; border-radius: 4px; }\n"
    "figcaption, .note { color: color-mix(in srgb, CanvasText 80%, Canvas); font-size: 0.9rem; max-width: 48rem; }\n";

/* ---- Pictures ---- */

static int begins(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

/* Behind name="value", or NULL. */
static const char *skip_attribute(const char *at) {
  at = strpbrk(at, "\"'");
  const char *end = at ? strchr(at + 1, *at) : NULL;
  return end ? end + 1 : NULL;
}

/* The svg element of a file, made part of a page: names of its parts get the number of the picture, as they must be
 * unique in a page, and the name spaces, which are addresses, are left out, as HTML knows them. */
static void put_drawing(FILE *out, const char *svg, int64_t number) {
  static const char *const named[] = {"id='", "id=\"", "href='#", "href=\"#", "url(#"};
  int in_tag = 0;
  const char *at = strstr(svg, "<svg");
  while (at && *at) {
    if (*at == '<') in_tag = 1;
    if (*at == '>') in_tag = 0;
    if (in_tag && begins(at, "xmlns")) {
      at = skip_attribute(at);
      continue;
    }
    size_t length = 1;
    for (int i = 0; i < 5; i++) {
      if (in_tag && begins(at, named[i])) length = strlen(named[i]);
    }
    fwrite(at, 1, length, out);
    if (length > 1) fprintf(out, "d%" PRId64 "-", number);
    at += length;
  }
}

static void put_caption(FILE *out, const picture *p) {
  static const char *const captions[] = {
      "Success on held-out prompts over updates: mean over seeds, with the 95 % interval as a band.",
      "What the rollouts of each update are like: means over sampled tokens and seeds.",
      "Mean over paired seeds with the 95 % interval. The shares stand at even distances."};
  fputs(captions[p->kind], out);
}

/* Those of the world or the sweep; one of the two is NULL. */
static void put_pictures(FILE *out, const page *g, picture_kind kind, const world_runs *w, const sweep *s) {
  for (int64_t i = 0; i < g->pictures->n; i++) {
    const picture *p = &g->pictures->list[i];
    if (p->kind != kind || p->world != w || p->sweep != s) continue;
    if (g->drawings[i]) {
      fputs("<figure>\n", out);
      put_drawing(out, g->drawings[i], i);
      fputs("<figcaption>", out);
      put_caption(out, p);
      fputs("</figcaption>\n</figure>\n", out);
    } else {
      fputs("<p class=\"note\">The picture that belongs here could not be drawn.</p>\n", out);
    }
  }
}

/* ---- Sections ---- */

static void put_note(FILE *out, const char *text) {
  fputs("<p class=\"note\">", out);
  html_text(text, out);
  fputs("</p>\n", out);
}

static void put_heading(FILE *out, const char *tag, const char *first, const char *second) {
  fprintf(out, "<%s>", tag);
  html_text(first, out);
  html_text(second, out);
  fprintf(out, "</%s>\n", tag);
}

static void put_world(FILE *out, const page *g, int64_t i) {
  const world_runs *w = &g->results->of->worlds[i];
  char start[RESULTS_START];
  fputs("<section>\n", out);
  put_heading(out, "h2", w->head->title, "");
  fprintf(out, "<p>World <b>");
  html_text(w->head->world, out);
  fprintf(out, "</b>, %" PRId64 " updates", w->head->steps);
  if (w->head->derailed >= 0.0) fprintf(out, ", %g %% of the teacher's documents derailed", 100.0 * w->head->derailed);
  fputs(".</p>\n", out);
  results_start(w, start, sizeof start);
  if (start[0] != '\0') fprintf(out, "<p>%s</p>\n", start);
  table_html(&g->results->worlds[i], out);
  put_note(out, results_note(w));
  put_pictures(out, g, PICTURE_LEARNING, w, NULL);
  fprintf(out, "<h3>The first %d updates</h3>\n", EARLY_STEPS);
  table_html(&g->results->early[i], out);
  put_note(out, results_early_note);
  put_pictures(out, g, PICTURE_ROLLOUTS, w, NULL);
  fputs("</section>\n", out);
}

static void put_sweep(FILE *out, const page *g, int64_t i) {
  const sweep *s = &g->results->of->sweeps[i];
  fputs("<section>\n", out);
  put_heading(out, "h2", "Derailed teachers: setting ", s->methods[0]->head->setting);
  put_heading(out, "p", s->methods[0]->head->label, " in worlds that differ in the teacher's documents.");
  table_html(&g->results->sweeps[i], out);
  put_note(out, results_sweep_note);
  put_pictures(out, g, PICTURE_SWEEP, NULL, s);
  fputs("</section>\n", out);
}

static void put_runs(FILE *out, const results *r) {
  const collection *c = r->of;
  fputs("<section>\n<h2>Runs</h2>\n", out);
  fprintf(out, "<p>%" PRId64 " runs, %" PRId64 " of them complete.</p>\n", c->n_records, c->n_complete);
  if (c->n_complete < c->n_records) {
    fputs("<p>These runs are not complete and are left out of all statistics:</p>\n", out);
    table_html(&r->incomplete, out);
  }
  fputs("<details><summary>What made them</summary>\n", out);
  table_html(&r->runs, out);
  fputs("<p class=\"note\">identity is a hash of everything that made the run; runs with the same identity write the "
        "same "
        "bytes.</p>\n</details>\n</section>\n",
        out);
}

void page_write(FILE *out, const void *what) {
  const page *g = what;
  const collection *c = g->results->of;
  fprintf(out,
          "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>Trust-region behavior blending: runs</title>\n<style>\n%s</style>\n</head>\n<body>\n"
          "<h1>Trust-region behavior blending in on-policy distillation</h1>\n"
          "<p>A student is trained on its own rollouts to match a teacher. Methods differ in the behavior that "
          "rollouts are sampled from; opd samples from the student itself. Everything on this page is computed from "
          "the files metrics.jsonl of the runs.</p>\n",
          style);
  put_note(out, results_caveat);
  if (c->n_complete < c->n_records) {
    fprintf(out, "<p><b>Not complete: %" PRId64 " of %" PRId64 " runs.</b> They are listed at the end.</p>\n",
            c->n_records - c->n_complete, c->n_records);
  }
  for (int64_t i = 0; i < c->n_worlds; i++) put_world(out, g, i);
  for (int64_t i = 0; i < c->n_sweeps; i++) put_sweep(out, g, i);
  put_runs(out, g->results);
  fputs("</body>\n</html>\n", out);
}
