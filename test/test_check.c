/* Checks of arguments: options structs of any age, views alone and together, overlaps against brute force. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core.h"
#include "suites.h"

static trb_context *ctx;

static void make_context(void) {
  ck_assert_int_eq(trb_context_new(NULL, &ctx), TRB_OK);
}
static void free_context(void) {
  trb_context_free(ctx);
}

/* The call just made was refused with a text that begins with `text`. */
static void check_error(trb_status status, const char *text) {
  ck_assert_int_eq(status, TRB_EINVAL);
  ck_assert_msg(strncmp(trb_context_error(ctx), text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"",
                trb_context_error(ctx), text);
}

/* ---- Options ---- */

typedef struct known_options {
  size_t size;
  int64_t first, later;
} known_options;

enum { OLDEST = sizeof(size_t) + sizeof(int64_t) };

static trb_status read_as(const void *given, known_options *known) {
  memset(known, 0x55, sizeof *known);
  return trbi_read_options(ctx, "options", given, known, sizeof *known, OLDEST);
}

START_TEST(missing_options_are_zero) {
  known_options known;
  ck_assert_int_eq(read_as(NULL, &known), TRB_OK);
  ck_assert_int_eq(known.first, 0);
  ck_assert_int_eq(known.later, 0);
  known_options old = {OLDEST, 7, 8};
  ck_assert_int_eq(read_as(&old, &known), TRB_OK);
  ck_assert_int_eq(known.first, 7);
  ck_assert_int_eq(known.later, 0);
  old.size = sizeof old;
  ck_assert_int_eq(read_as(&old, &known), TRB_OK);
  ck_assert_int_eq(known.later, 8);
}
END_TEST

START_TEST(sizes_are_checked) {
  known_options known, given = {OLDEST - 1, 7, 8};
  check_error(read_as(&given, &known), "options->size: expected sizeof the struct, 16 to 4096, got 15");
  ck_assert_int_eq(known.first, 0);
  given.size = 0;
  check_error(read_as(&given, &known), "options->size:");
  given.size = 4097;
  check_error(read_as(&given, &known), "options->size:");
  given.size = SIZE_MAX;
  check_error(read_as(&given, &known), "options->size:");
  ck_assert_int_eq(trbi_read_options(NULL, "options", &given, &known, sizeof known, OLDEST), TRB_EINVAL);
}
END_TEST

START_TEST(unknown_bytes_must_be_zero) {
  static union {
    known_options known;
    unsigned char bytes[4096];
  } given;
  known_options known;
  given.known = (known_options){sizeof given, 7, 8};
  ck_assert_int_eq(read_as(&given, &known), TRB_OK);
  ck_assert_int_eq(known.later, 8);
  static const size_t at[] = {sizeof(known_options), sizeof(known_options) + 1, 100, sizeof given - 1};
  for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
    given.bytes[at[i]] = 9;
    char text[100];
    snprintf(text, sizeof text, "options: expected 0 beyond the %zu bytes this version knows, got 9 at byte %zu",
             sizeof known, at[i]);
    check_error(read_as(&given, &known), text);
    given.known.size = at[i]; /* the byte is beyond the struct */
    ck_assert_int_eq(read_as(&given, &known), TRB_OK);
    given.known.size = sizeof given;
    given.bytes[at[i]] = 0;
  }
}
END_TEST

/* ---- One view ---- */

static _Alignas(16) unsigned char memory[4096];

static trb_logits view_of(int64_t rows, int64_t vocab, int64_t stride, int32_t dtype) {
  return (trb_logits){memory, rows, vocab, stride, dtype, 0.0f};
}

START_TEST(good_views_pass) {
  for (int32_t dtype = TRB_F32; dtype <= TRB_BF16; dtype++) {
    trb_logits view = view_of(3, 5, 7, dtype);
    ck_assert_int_eq(trbi_check_view(ctx, "view", &view), TRB_OK);
    view.data = memory + trbi_element_bytes(dtype);
    view.temperature = 0.5f;
    ck_assert_int_eq(trbi_check_view(ctx, "view", &view), TRB_OK);
    view.rows = 0;
    view.data = NULL;
    ck_assert_int_eq(trbi_check_view(ctx, "view", &view), TRB_OK);
    ck_assert_uint_eq(trbi_view_span("view", &view).bytes, 0);
    view = view_of(1, 5, INT64_MAX, dtype); /* the stride leads nowhere */
    ck_assert_int_eq(trbi_check_view(ctx, "view", &view), TRB_OK);
    ck_assert_uint_eq(trbi_view_span("view", &view).bytes, 5 * (size_t)trbi_element_bytes(dtype));
  }
  ck_assert_int_eq(trbi_element_bytes(TRB_F32), 4);
  ck_assert_int_eq(trbi_element_bytes(TRB_F16), 2);
  ck_assert_int_eq(trbi_element_bytes(TRB_BF16), 2);
  ck_assert_int_eq(trbi_element_bytes(3), 0);
}
END_TEST

typedef struct bad_view {
  trb_logits view;
  const char *text;
} bad_view;

static const bad_view bad_views[] = {
    {{memory, -1, 5, 7, TRB_F32, 0}, "view->rows: expected at least 0, got -1"},
    {{memory, INT64_MIN, 5, 7, TRB_F32, 0}, "view->rows:"},
    {{memory, 3, 0, 7, TRB_F32, 0}, "view->vocab: expected at least 1, got 0"},
    {{memory, 0, 0, 0, TRB_F32, 0}, "view->vocab: expected at least 1, got 0"},
    {{memory, 3, -5, 7, TRB_F32, 0}, "view->vocab: expected at least 1, got -5"},
    {{memory, 3, 5, 4, TRB_F32, 0}, "view->stride: expected at least vocab (5), got 4"},
    {{memory, 3, 5, 0, TRB_F32, 0}, "view->stride:"},
    {{memory, 3, 5, -7, TRB_F32, 0}, "view->stride:"},
    {{memory, 3, 5, 7, 3, 0}, "view->dtype: expected TRB_F32, TRB_F16 or TRB_BF16, got 3"},
    {{memory, 3, 5, 7, -1, 0}, "view->dtype:"},
    {{NULL, 3, 5, 7, TRB_F32, 0}, "view->data: expected 3 rows, got NULL"},
    {{memory + 2, 3, 5, 7, TRB_F32, 0}, "view->data: expected an address aligned to 4 bytes, got "},
    {{memory + 1, 3, 5, 7, TRB_F16, 0}, "view->data: expected an address aligned to 2 bytes, got "},
    {{memory + 1, 3, 5, 7, TRB_BF16, 0}, "view->data: expected an address aligned"},
    {{memory, INT64_MAX, 5, 7, TRB_F32, 0}, "view: expected a size that fits memory"},
    {{memory, 2, INT64_MAX, INT64_MAX, TRB_F16, 0}, "view: expected a size that fits memory"},
    {{memory, 1, INT64_MAX / 2, INT64_MAX / 2, TRB_F32, 0}, "view: expected a size that fits memory"},
    {{memory, 2, 2, INT64_MAX, TRB_F16, 0}, "view: expected a size that fits memory"},
    {{(void *)(UINTPTR_MAX - 63), 1, 16, 16, TRB_F32, 0}, "view: expected a size that fits memory"},
};

static const bad_view bad_temperatures[] = {
    {{memory, 3, 5, 7, TRB_F32, -1.0f}, "view->temperature: expected a finite number >= 0, got -1"},
    {{memory, 3, 5, 7, TRB_F32, INFINITY}, "view->temperature: expected a finite number >= 0, got inf"},
    {{memory, 3, 5, 7, TRB_F32, -INFINITY}, "view->temperature:"},
    {{memory, 3, 5, 7, TRB_F32, NAN}, "view->temperature:"},
};

START_TEST(bad_views_are_named) {
  for (size_t i = 0; i < sizeof bad_views / sizeof bad_views[0]; i++) {
    check_error(trbi_check_view(ctx, "view", &bad_views[i].view), bad_views[i].text);
    ck_assert_int_eq(trbi_check_view(NULL, "view", &bad_views[i].view), TRB_EINVAL);
  }
  for (size_t i = 0; i < sizeof bad_temperatures / sizeof bad_temperatures[0]; i++) {
    check_error(trbi_check_view(ctx, "view", &bad_temperatures[i].view), bad_temperatures[i].text);
  }
  check_error(trbi_check_view(ctx, "view", NULL), "view: expected a view, got NULL");
}
END_TEST

/* ---- Views together ---- */

START_TEST(models_must_match) {
  trb_logits student = view_of(3, 5, 7, TRB_F32), teacher = view_of(3, 9, 9, TRB_BF16);
  ck_assert_int_eq(trbi_check_models(ctx, &student, &teacher, false), TRB_OK);
  ck_assert_int_eq(trbi_check_models(ctx, &student, &student, false), TRB_OK);
  ck_assert_int_eq(trbi_check_models(ctx, &student, NULL, true), TRB_OK);
  check_error(trbi_check_models(ctx, &student, NULL, false), "teacher: expected a view, got NULL");
  check_error(trbi_check_models(ctx, NULL, &teacher, true), "student: expected a view, got NULL");
  teacher.rows = 2;
  check_error(trbi_check_models(ctx, &student, &teacher, true), "teacher->rows: expected student->rows (3), got 2");
  teacher.rows = 3;
  teacher.dtype = 7;
  check_error(trbi_check_models(ctx, &student, &teacher, true), "teacher->dtype:");
  student.stride = 1;
  check_error(trbi_check_models(ctx, &student, &teacher, true), "student->stride: expected at least vocab (5), got 1");
}
END_TEST

START_TEST(outputs_are_checked) {
  static float apart[64];
  trb_logits student = view_of(3, 5, 7, TRB_F32), teacher = student, out = student;
  teacher.data = memory + 1024;
  out.data = apart;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, NULL), TRB_OK);
  out.temperature = NAN; /* ignored on outputs */
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  check_error(trbi_check_output(ctx, "out", &out, 6, &student, &teacher), "out->vocab: expected at least 6, got 5");
  out.rows = 2;
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, &teacher),
              "out->rows: expected student->rows (3), got 2");
  check_error(trbi_check_output(ctx, "out", NULL, 5, &student, &teacher), "out: expected a view, got NULL");
  for (size_t i = 0; i < sizeof bad_views / sizeof bad_views[0]; i++) {
    check_error(trbi_check_output(ctx, "view", &bad_views[i].view, 1, &student, &teacher), bad_views[i].text);
  }
}
END_TEST

START_TEST(a_model_may_be_written_in_place) {
  trb_logits student = view_of(3, 5, 7, TRB_F32), teacher = student, out = student;
  teacher.data = memory + 1024;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  out.vocab = 7; /* the padding of the same buffer */
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  out.data = teacher.data;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  out.data = memory + 1024 + 4;
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, &teacher),
              "out: expected memory of its own or teacher's data, stride and dtype, got a view that overlaps teacher");
  out.data = memory;
  out.dtype = TRB_F16;
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, &teacher),
              "out: expected memory of its own or student's data, stride and dtype, got a view that overlaps student");
  out.dtype = TRB_F32;
  out.stride = 8;
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), "out: expected memory of its own");

  /* The student's own buffer, but wide enough to run into the teacher's columns. */
  student = view_of(3, 5, 10, TRB_F32);
  teacher = student;
  teacher.data = memory + 20;
  out = student;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), TRB_OK);
  out.vocab = 6;
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, &teacher), "out: expected memory of its own or teach");
}
END_TEST

START_TEST(one_row_has_no_stride) {
  trb_logits student = view_of(1, 5, INT64_C(1) << 62, TRB_F32), out = student;
  out.data = memory + 16; /* strides in bytes would overflow to 0 */
  check_error(trbi_check_output(ctx, "out", &out, 5, &student, NULL), "out: expected memory of its own");
  out.data = memory + 20;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, NULL), TRB_OK);
}
END_TEST

START_TEST(no_rows_never_overlap) {
  trb_logits student = view_of(0, 5, 7, TRB_F32), out = view_of(0, 6, 8, TRB_F16);
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &student), TRB_OK);
  out.data = NULL;
  ck_assert_int_eq(trbi_check_output(ctx, "out", &out, 5, &student, &student), TRB_OK);
}
END_TEST

/* ---- Overlap against brute force ---- */

static void mark(unsigned char *bytes, const trb_logits *view, unsigned char bit) {
  int64_t element = trbi_element_bytes(view->dtype);
  unsigned char *data = bytes + ((unsigned char *)view->data - memory);
  for (int64_t r = 0; r < view->rows; r++) {
    for (int64_t i = 0; i < view->vocab * element; i++) data[r * view->stride * element + i] |= bit;
  }
}

static bool share_a_byte(const trb_logits *a, const trb_logits *b) {
  unsigned char bytes[512] = {0};
  mark(bytes, a, 1);
  mark(bytes, b, 2);
  for (size_t i = 0; i < sizeof bytes; i++) {
    if (bytes[i] == 3) return true;
  }
  return false;
}

static bool ranges_meet(const trb_logits *a, const trb_logits *b) {
  const unsigned char *at = a->data, *bt = b->data;
  return at < bt + trbi_view_span("", b).bytes && bt < at + trbi_view_span("", a).bytes;
}

/* Views whose rows lie equally far apart, or of one row, may interleave; others may not enter each other's range. */
static bool may_write(const trb_logits *out, const trb_logits *in) {
  if (out->data == in->data && out->stride == in->stride && out->dtype == in->dtype) return true;
  bool aligned = out->stride * trbi_element_bytes(out->dtype) == in->stride * trbi_element_bytes(in->dtype);
  return !(aligned || out->rows == 1 ? share_a_byte(out, in) : ranges_meet(out, in));
}

static int64_t compare_placements(trb_logits out, trb_logits in) {
  int64_t passed = 0;
  int64_t element = trbi_element_bytes(out.dtype);
  for (int64_t offset = 0; offset < 160; offset += element) {
    in.data = memory + 64;
    out.data = memory + offset;
    bool may = may_write(&out, &in);
    trb_status status = trbi_check_output(ctx, "out", &out, 1, &in, NULL);
    if ((status == TRB_OK) != may) {
      ck_abort_msg("offset %d, %d rows: out %dx%d of dtype %d, in %dx%d of dtype %d: status %d", (int)(offset - 64),
                   (int)in.rows, (int)out.vocab, (int)out.stride, (int)out.dtype, (int)in.vocab, (int)in.stride,
                   (int)in.dtype, (int)status);
    }
    passed += may;
  }
  return passed;
}

START_TEST(overlap_agrees_with_brute_force) {
  int64_t passed = 0;
  for (int32_t dtypes = 0; dtypes < 4; dtypes++) {
    int32_t out_type = dtypes & 1 ? TRB_F32 : TRB_F16, in_type = dtypes & 2 ? TRB_F32 : TRB_BF16;
    for (int64_t rows = 1; rows < 5; rows++) {
      for (int64_t out_stride = 1; out_stride < 7; out_stride++) {
        for (int64_t in_stride = 1; in_stride < 7; in_stride++) {
          for (int64_t widths = 0; widths < out_stride * in_stride; widths++) {
            trb_logits out = view_of(rows, 1 + widths % out_stride, out_stride, out_type);
            trb_logits in = view_of(rows, 1 + widths / out_stride, in_stride, in_type);
            passed += compare_placements(out, in);
          }
        }
      }
    }
  }
  ck_assert_int_gt(passed, 1000);
}
END_TEST

/* ---- Spans ---- */

START_TEST(written_spans_must_be_apart) {
  trbi_span spans[] = {{"a", memory, 8}, {"b", memory + 8, 8}, {"c", memory + 16, 8}, {"d", memory + 12, 8}};
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 3, 3), TRB_OK);
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 4, 0), TRB_OK); /* inputs may overlap */
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 4, 1), TRB_OK);
  check_error(trbi_check_spans(ctx, spans, 4, 2), "b: expected memory of its own, got some of d's");
  spans[1].bytes = 0;
  check_error(trbi_check_spans(ctx, spans, 4, 3), "c: expected memory of its own, got some of d's");
  spans[3].bytes = 4;
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 4, 4), TRB_OK);
  spans[3] = spans[0];
  check_error(trbi_check_spans(ctx, spans, 4, 1), "a: expected memory of its own, got some of a's");
  spans[3] = (trbi_span){"nothing", memory + 4, 0}; /* inside a */
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 4, 4), TRB_OK);
  spans[1] = spans[0];
  spans[0] = spans[3];
  ck_assert_int_eq(trbi_check_spans(ctx, spans, 3, 3), TRB_OK);
}
END_TEST

START_TEST(spans_measure_memory) {
  trb_logits view = view_of(3, 5, 7, TRB_F16);
  trbi_span span = trbi_view_span("view", &view);
  ck_assert_str_eq(span.name, "view");
  ck_assert_ptr_eq(span.data, memory);
  ck_assert_uint_eq(span.bytes, (2 * 7 + 5) * 2);
  span = trbi_array_span("array", memory, 3, 24);
  ck_assert_ptr_eq(span.data, memory);
  ck_assert_uint_eq(span.bytes, 72);
  ck_assert_uint_eq(trbi_array_span("array", NULL, 3, 24).bytes, 0);
  ck_assert_uint_eq(trbi_array_span("array", memory, 0, 24).bytes, 0);
  ck_assert_uint_eq(trbi_array_span("array", memory, -1, 24).bytes, 0);
  ck_assert_uint_eq(trbi_array_span("array", memory, INT64_MAX, 24).bytes, SIZE_MAX);
  trbi_span all[] = {{"out", memory + 100, 4}, trbi_array_span("array", memory, INT64_MAX, 24)};
  check_error(trbi_check_spans(ctx, all, 2, 1), "out: expected memory of its own, got some of array's");
}
END_TEST

START_TEST(temperature_has_a_default) {
  trb_logits view = view_of(1, 1, 1, TRB_F32);
  ck_assert(trbi_temperature(&view) == 1.0);
  view.temperature = 0.7f;
  ck_assert(trbi_temperature(&view) == (double)0.7f);
}
END_TEST

Suite *check_suite(void) {
  Suite *suite = suite_create("check");
  TCase *options = tcase_create("options");
  tcase_add_checked_fixture(options, make_context, free_context);
  tcase_add_test(options, missing_options_are_zero);
  tcase_add_test(options, sizes_are_checked);
  tcase_add_test(options, unknown_bytes_must_be_zero);
  suite_add_tcase(suite, options);
  TCase *views = tcase_create("views");
  tcase_add_checked_fixture(views, make_context, free_context);
  tcase_add_test(views, good_views_pass);
  tcase_add_test(views, bad_views_are_named);
  tcase_add_test(views, models_must_match);
  tcase_add_test(views, outputs_are_checked);
  tcase_add_test(views, a_model_may_be_written_in_place);
  tcase_add_test(views, one_row_has_no_stride);
  tcase_add_test(views, no_rows_never_overlap);
  tcase_add_test(views, overlap_agrees_with_brute_force);
  suite_add_tcase(suite, views);
  TCase *spans = tcase_create("spans");
  tcase_add_checked_fixture(spans, make_context, free_context);
  tcase_add_test(spans, written_spans_must_be_apart);
  tcase_add_test(spans, spans_measure_memory);
  tcase_add_test(spans, temperature_has_a_default);
  suite_add_tcase(suite, spans);
  return suite;
}
