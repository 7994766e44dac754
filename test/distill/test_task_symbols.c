/* "sum" and "chain", against their definitions as text. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frequencies.h"
#include "task_cases.h"

enum { PROMPT = 10, RESPONSE = 27, FULL = PROMPT + RESPONSE };

static const char ALPHABET[] = "0123456789+-*=;>$#~?";

static int64_t read_symbols(const char *text, int64_t *tokens) {
  int64_t n = 0;
  for (; text[n]; n++) tokens[n] = strchr(ALPHABET, text[n]) - ALPHABET;
  return n;
}

/* ---- Responses as they should be ---- */

/* By hand, a digit of the text after the other. `response` has room for 28 bytes. */
static void right_sum(const char *prompt, char *response) {
  int carry = 0, used = 0;
  for (int column = 3; column >= 0; column--) {
    const int a = prompt[column] - '0', b = prompt[column + 5] - '0', sum = a + b + carry;
    used += snprintf(response + used, 28 - (size_t)used, "%d%d%d%d;", a, b, carry, sum % 10);
    carry = sum / 10;
  }
  snprintf(response + used, 28 - (size_t)used, ">%05d$", atoi(prompt) + atoi(prompt + 5));
}

static void right_chain(const char *prompt, char *response) {
  int x = prompt[0] - '0', used = 0;
  for (const char *at = prompt + 1; *at != '='; at += 2) {
    const int y = at[1] - '0', exact = *at == '+' ? x + y : (*at == '-' ? x - y : x * y), z = (exact % 10 + 10) % 10;
    used += snprintf(response + used, 28 - (size_t)used, "%d%c%d=%d;", x, *at, y, z);
    x = z;
  }
  snprintf(response + used, 28 - (size_t)used, ">%d$", x);
}

static const struct {
  const char *name, *form; /* of a prompt: 0 any digit, o any operator */
  void (*right)(const char *prompt, char *response);
} TASKS[] = {{"sum", "0000+0000=", right_sum}, {"chain", "0o0o0o0o0=", right_chain}};

static void check_prompt(const char *prompt, const char *form) {
  for (int i = 0; i < PROMPT; i++) {
    if (form[i] == '0') {
      must(prompt[i] >= '0' && prompt[i] <= '9');
    } else if (form[i] == 'o') {
      must(strchr("+-*", prompt[i]));
    } else {
      must(prompt[i] == form[i]);
    }
  }
}

START_TEST(shapes_are_stated) {
  int64_t every[20];
  for (int i = 0; i < 20; i++) every[i] = i;
  for (int k = 0; k < 2; k++) {
    task *t = task_made(TASKS[k].name, NULL);
    must(t->vocab == 20);
    must(t->prompt == PROMPT);
    must(t->response == RESPONSE);
    must(t->stop == 16);
    must(t->slips == 0);
    must(t->judged == 1);
    must(t->n_train == 0);
    must(t->n_held_out == 0);
    char *text = task_printed(t, every, 20);
    ck_assert_str_eq(text, ALPHABET);
    free(text);
    task_free(t);
  }
}
END_TEST

/* A share of 1 derails, but with hazard 0 none does; with share 0 the hazard does not matter. */
START_TEST(documents_are_right) {
  static const flaws none[] = {{0.0, 0.0, NULL, 0}, {0.0, 1.0, NULL, 0}, {1.0, 0.0, NULL, 0}};
  for (int k = 0; k < 2; k++) {
    task *t = task_made(TASKS[k].name, NULL);
    random_stream r = {11, (uint64_t)k, 0};
    for (int i = 0; i < 3000; i++) {
      document d;
      char right[28];
      t->make_document(t, i % 2, &none[i % 3], &r, &d);
      must(d.prompt == PROMPT);
      must(d.length == FULL);
      char *text = task_printed(t, d.tokens, d.length);
      check_prompt(text, TASKS[k].form);
      TASKS[k].right(text, right);
      ck_assert_str_eq(text + PROMPT, right);
      must(t->judge(t, d.tokens, d.length, d.prompt) == 1.0);
      for (int n = PROMPT; n < FULL; n++) must(d.learn[n] == 1);
      free(text);
    }
    task_free(t);
  }
}
END_TEST

/* ---- Judgments ---- */

typedef struct judgment {
  const char *prompt, *response;
  double success;
} judgment;

static void check_judgments(const char *name, const judgment *all, size_t n) {
  task *t = task_made(name, NULL);
  for (size_t i = 0; i < n; i++) {
    int64_t tokens[TASK_CONTEXT];
    const int64_t prompt = read_symbols(all[i].prompt, tokens);
    const int64_t length = prompt + read_symbols(all[i].response, tokens + prompt);
    ck_assert_msg(t->judge(t, tokens, length, prompt) == all[i].success, "%s: %s%s", name, all[i].prompt,
                  all[i].response);
  }
  task_free(t);
}

START_TEST(sums_are_judged_by_their_answer) {
  static const judgment all[] = {
      {"3416+7818=", "6804;1113;4802;3711;>11234$", 1.0},
      {"3416+7818=", ">11234$", 1.0},                     /* steps are not judged */
      {"3416+7818=", "9999;#~?+-*>11234$", 1.0},          /* nor is what else is before the answer */
      {"3416+7818=", "6804;1113;4802;3711;>11235$", 0.0}, /* last digit */
      {"3416+7818=", "6804;1113;4802;3711;>01234$", 0.0}, /* first digit */
      {"3416+7818=", ">11334$", 0.0},
      {"3416+7818=", ">1123$", 0.0},
      {"3416+7818=", ">112344$", 0.0},
      {"3416+7818=", ">11234", 0.0},         /* no end */
      {"3416+7818=", ">11234;", 0.0},        /* another one */
      {"3416+7818=", ">11234$$", 0.0},       /* something after it */
      {"3416+7818=", ">11234$>11234$", 0.0}, /* even the answer */
      {"3416+7818=", ">>11234$", 0.0},       /* the first > counts */
      {"3416+7818=", ">11235$>11234$", 0.0},
      {"3416+7818=", "11234$", 0.0}, /* no > */
      {"3416+7818=", "$", 0.0},
      {"3416+7818=", ">", 0.0},
      {"3416+7818=", "", 0.0},
      {"0001+0002=", ">00003$", 1.0},
      {"0001+0002=", ">3$", 0.0}, /* no leading zeros */
      {"0000+0000=", ">00000$", 1.0},
      {"9999+9999=", ">19998$", 1.0},
      {"9999+0001=", ">10000$", 1.0},
      {"9999+0001=", ">00000$", 0.0},
  };
  check_judgments("sum", all, sizeof all / sizeof all[0]);
}
END_TEST

START_TEST(chains_are_judged_by_their_answer) {
  static const judgment all[] = {
      {"3+4*2-9*1=", "3+4=7;7*2=4;4-9=5;5*1=5;>5$", 1.0},
      {"3+4*2-9*1=", ">5$", 1.0},
      {"3+4*2-9*1=", "3+4=7;7*2=4;4-9=5;5*1=5;>2$", 0.0}, /* 3 + 8 - 9 by precedence */
      {"3+4*2-9*1=", ">6$", 0.0},
      {"3+4*2-9*1=", ">5", 0.0},
      {"3+4*2-9*1=", ">5$$", 0.0},
      {"3+4*2-9*1=", ">05$", 0.0},
      {"3+4*2-9*1=", ">>5$", 0.0},
      {"3+4*2-9*1=", ">2$>5$", 0.0},
      {"3+4*2-9*1=", "5$", 0.0},
      {"3+4*2-9*1=", "", 0.0},
      {"0-1-1-1-1=", ">6$", 1.0},
      {"9*9*9*9*9=", ">9$", 1.0},
      {"0-9+0-9+0=", ">2$", 1.0},
  };
  check_judgments("chain", all, sizeof all / sizeof all[0]);
}
END_TEST

/* ---- Prompts ---- */

/* 20,000 prompts of each kind. That some belong to the other kind shifts the shares by some 0.5 % of themselves, far
 * less than so many draws can show. */
START_TEST(prompts_are_uniform) {
  for (int k = 0; k < 2; k++) {
    task *t = task_made(TASKS[k].name, NULL);
    for (int held_out = 0; held_out < 2; held_out++) {
      random_stream r = {12, (uint64_t)(2 * k + held_out), 0};
      int64_t counts[PROMPT][20] = {{0}}, tokens[PROMPT];
      for (int i = 0; i < 20000; i++) {
        must(t->make_prompt(t, held_out, &r, tokens) == PROMPT);
        for (int place = 0; place < PROMPT; place++) counts[place][tokens[place]]++;
      }
      for (int place = 0; place < PROMPT; place++) {
        if (TASKS[k].form[place] == '0') assert_uniform("digits", counts[place], 10);
        if (TASKS[k].form[place] == 'o') assert_uniform("operators", counts[place] + 10, 3);
      }
    }
    task_free(t);
  }
}
END_TEST

static int compare_numbers(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* n prompts, each as one number, sorted. */
static uint64_t *sorted_prompts(const task *t, int held_out, random_stream *r, int64_t n) {
  uint64_t *numbers = calloc((size_t)n, sizeof *numbers);
  ck_assert_ptr_nonnull(numbers);
  for (int64_t i = 0; i < n; i++) {
    int64_t tokens[PROMPT];
    t->make_prompt(t, held_out, r, tokens);
    for (int64_t k = 0; k < PROMPT; k++) numbers[i] = numbers[i] << 6 | (uint64_t)tokens[k];
  }
  qsort(numbers, (size_t)n, sizeof *numbers, compare_numbers);
  return numbers;
}

/* There are 8.1 million prompts: so many of each kind, drawn without regard to each other, would share some 120. */
START_TEST(held_out_prompts_are_apart) {
  enum { TRAIN = 100000, HELD_OUT = 10000 };
  task *t = task_made("chain", NULL);
  random_stream r = {13, 0, 0};
  uint64_t *train = sorted_prompts(t, 0, &r, TRAIN), *held_out = sorted_prompts(t, 1, &r, HELD_OUT);
  for (int i = 0; i < HELD_OUT; i++) {
    must(!bsearch(&held_out[i], train, TRAIN, sizeof *train, compare_numbers));
  }
  free(train);
  free(held_out);
  task_free(t);
}
END_TEST

/* ---- Chatter ---- */

static int is_mark(char c) {
  return c == '#' || c == '~' || c == '?';
}

/* Where a response turns to chatter, or RESPONSE. */
static int onset_of(const char *response) {
  int at = 0;
  while (at < RESPONSE && !is_mark(response[at])) at++;
  return at;
}

/* One mark and 1 to 3 ascending digits, again and again; only the last one may be cut. */
static void check_chatter(const char *at) {
  while (*at) {
    must(is_mark(*at));
    int digits = 0;
    for (at++; *at >= '0' && *at <= '9'; at++) {
      must(digits == 0 || at[-1] < at[0]);
      digits++;
    }
    must(digits <= 3);
    must(digits >= 1 || !*at);
  }
}

/* 30,000 documents, half of which derail with probability 0.08 at each of 27 tokens. */
START_TEST(documents_derail_at_their_hazard) {
  enum { DOCUMENTS = 30000 };
  static const flaws f = {0.5, 0.08, NULL, 0};
  double expected[RESPONSE + 1], left = 0.5 * DOCUMENTS;
  for (int i = 0; i < RESPONSE; i++) {
    expected[i] = left * 0.08;
    left -= expected[i];
  }
  expected[RESPONSE] = 0.5 * DOCUMENTS + left;
  for (int k = 0; k < 2; k++) {
    task *t = task_made(TASKS[k].name, NULL);
    random_stream r = {14, (uint64_t)k, 0};
    int64_t counts[RESPONSE + 1] = {0};
    for (int i = 0; i < DOCUMENTS; i++) {
      document d;
      char right[28];
      t->make_document(t, 0, &f, &r, &d);
      must(d.length == FULL);
      char *text = task_printed(t, d.tokens, d.length);
      TASKS[k].right(text, right);
      const int onset = onset_of(text + PROMPT);
      counts[onset]++;
      must(strncmp(text + PROMPT, right, (size_t)onset) == 0);
      check_chatter(text + PROMPT + onset);
      for (int n = PROMPT; n < FULL; n++) must(d.learn[n] == 1);
      must(t->judge(t, d.tokens, d.length, d.prompt) == (onset == RESPONSE ? 1.0 : 0.0));
      free(text);
    }
    assert_counts("onsets", counts, expected, RESPONSE + 1);
    task_free(t);
  }
}
END_TEST

/* A piece of chatter by its mark and its digits as a set. */
static int64_t piece_of(const char *at) {
  int64_t set = 0;
  for (int i = 1; at[i] >= '0' && at[i] <= '9'; i++) set |= INT64_C(1) << (at[i] - '0');
  return (strchr("#~?", at[0]) - "#~?") * 1024 + set;
}

/* The first piece of 60,000 documents that derail at once: 3 marks, 1 to 3 digits, and of these 10, 45 or 120 choices.
 */
START_TEST(chatter_is_uniform) {
  enum { DOCUMENTS = 60000 };
  static const int64_t choices[] = {0, 10, 45, 120};
  static const flaws f = {1.0, 1.0, NULL, 0};
  task *t = task_made("chain", NULL);
  random_stream r = {15, 0, 0};
  int64_t counts[3 * 1024] = {0}, seen[525], n = 0;
  double expected[525];
  for (int i = 0; i < DOCUMENTS; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    char *text = task_printed(t, d.tokens, d.length);
    must(is_mark(text[PROMPT]));
    counts[piece_of(text + PROMPT)]++;
    free(text);
  }
  for (int64_t piece = 0; piece < 3 * 1024; piece++) {
    int digits = 0;
    for (int bit = 0; bit < 10; bit++) digits += (int)(piece >> bit & 1);
    if (digits < 1 || digits > 3) continue;
    seen[n] = counts[piece];
    expected[n++] = DOCUMENTS / 9.0 / (double)choices[digits];
  }
  ck_assert_int_eq(n, 525);
  assert_counts("pieces", seen, expected, n);
  task_free(t);
}
END_TEST

TCase *task_symbols_case(void) {
  TCase *symbols = tcase_create("symbols");
  tcase_add_test(symbols, shapes_are_stated);
  tcase_add_test(symbols, documents_are_right);
  tcase_add_test(symbols, sums_are_judged_by_their_answer);
  tcase_add_test(symbols, chains_are_judged_by_their_answer);
  tcase_add_test(symbols, prompts_are_uniform);
  tcase_add_test(symbols, held_out_prompts_are_apart);
  tcase_add_test(symbols, documents_derail_at_their_hazard);
  tcase_add_test(symbols, chatter_is_uniform);
  return symbols;
}
