/* "lift", against its rules. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frequencies.h"
#include "lift_rules.h"
#include "task_cases.h"
#include "tasks/task_lift.h"

/* ---- Text ---- */

static int64_t read_token(const char *word) {
  static const char *const letters = "FD#~";
  static const int64_t first[] = {0, 20, CHATTER, TYPO};
  if (strlen(word) == 1) return CANCEL + (strchr("x$=", word[0]) - "x$=");
  return first[strchr(letters, word[0]) - letters] + atoi(word + 1);
}

static int64_t read_tokens(const char *text, int64_t *tokens) {
  char copy[1000];
  int64_t n = 0;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) tokens[n++] = read_token(word);
  return n;
}

START_TEST(shape_is_stated) {
  task *t = task_made("lift", NULL);
  ck_assert_int_eq(t->vocab, VOCAB);
  ck_assert_int_eq(t->prompt, PROMPT);
  ck_assert_int_eq(t->response, RESPONSE);
  ck_assert_int_eq(t->stop, END);
  ck_assert_int_eq(t->slip_first, TYPO);
  ck_assert_int_eq(t->slips, 4);
  ck_assert_int_eq(t->judged, 1);
  ck_assert_int_eq(t->n_train, 0);
  ck_assert_int_eq(t->n_held_out, 0);
  int64_t every[VOCAB];
  for (int i = 0; i < VOCAB; i++) every[i] = i;
  char *text = task_printed(t, every, VOCAB);
  ck_assert_str_eq(text, "F0 F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14 F15 F16 F17 F18 F19 "
                         "D0 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D15 D16 D17 D18 D19 "
                         "x $ = #0 #1 #2 ~0 ~1 ~2 ~3");
  free(text);
  task_free(t);
}
END_TEST

/* ---- Judgments ---- */

START_TEST(rides_are_judged) {
  static const struct {
    const char *response;
    double success;
  } all[] = {
      {"F1 F2 D2 F3 D3 F4 F5 D5 F6 F7 D7 F8 F9 F10 F11 D11 $", 1.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $", 1.0},    /* any jump */
      {"F11 D11 F7 D7 F5 D5 F3 D3 F2 D2 F0 $", 1.0}, /* any order, and a floor more */
      {"~0 F2 ~1 D2 F3 D3 ~2 ~2 F5 D5 F7 D7 F11 D11 ~3 $", 1.0},
      {"F2 D2 D9 x F3 D3 F5 D5 F7 D7 F11 D11 $", 1.0},       /* a false door, canceled */
      {"F2 D2 D2 x F3 D3 F5 D5 F7 D7 F11 D11 $", 1.0},       /* a repeated one */
      {"F1 D2 x F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $", 1.0},    /* a door of another floor */
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 D0 ~0 ~3 x $", 1.0}, /* canceled after typos */
      {"x F2 D2 x F3 D3 F5 D5 F7 D7 F11 D11 x $", 1.0},      /* nothing to cancel: a true door stays open */
      {"F2 D2 D9 x x F3 D3 F5 D5 F7 D7 F11 D11 $", 1.0},
      {"= F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 D9 = x $", 1.0}, /* `=` is ignored */
      {"F2 D2 D9 F3 D3 F5 D5 F7 D7 F11 D11 $", 0.0},       /* a false door */
      {"F2 D2 D9 F3 x D3 F5 D5 F7 D7 F11 D11 $", 0.0},     /* canceled too late */
      {"F2 D2 D2 D9 x x F3 D3 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"F2 D9 D2 x F3 D3 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 D11 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 D0 x D0 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 $", 0.0}, /* a door left closed */
      {"F3 D3 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"F2 D3 x F3 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11", 0.0}, /* no end */
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $ $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $ ~0", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $ =", 0.0},
      {"F2 D2 F3 $ D3 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"#0 F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 $", 0.0}, /* chatter */
      {"F2 D2 F3 D3 #1 F5 D5 F7 D7 F11 D11 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 #2 $", 0.0},
      {"F2 D2 F3 D3 F5 D5 F7 D7 F11 D11 D9 #2 x $", 0.0},
      {"$", 0.0},
      {"", 0.0},
  };
  task *t = task_made("lift", NULL);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    int64_t tokens[TASK_CONTEXT];
    const int64_t prompt = read_tokens("D2 D3 D5 D7 D11 =", tokens);
    const int64_t length = prompt + read_tokens(all[i].response, tokens + prompt);
    ck_assert_msg(t->judge(t, tokens, length, prompt) == all[i].success, "%s", all[i].response);
    must(rules_succeed(tokens, length) == (all[i].success == 1.0));
  }
  task_free(t);
}
END_TEST

/* Replaces, inserts or removes one token of the response at random. */
static void edit(document *d, random_stream *r) {
  const int64_t kind = random_below(r, 3), token = random_below(r, VOCAB);
  const int64_t at = d->prompt + random_below(r, d->length - d->prompt);
  const size_t after = (size_t)(d->length - at);
  if (kind == 0) {
    d->tokens[at] = token;
  } else if (kind == 1) {
    memmove(d->tokens + at + 1, d->tokens + at, after * sizeof *d->tokens);
    d->tokens[at] = token;
    d->length++;
  } else {
    memmove(d->tokens + at, d->tokens + at + 1, (after - 1) * sizeof *d->tokens);
    d->length--;
  }
}

START_TEST(edited_rides_are_judged_by_the_rules) {
  static const double slips[] = {0.15};
  static const flaws f = {0.0, 0.0, slips, 1};
  task *t = task_made("lift", NULL);
  random_stream r = {21, 0, 0};
  int successes = 0;
  for (int i = 0; i < 20000; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    for (int64_t edits = random_below(&r, 4); edits > 0; edits--) edit(&d, &r);
    const int expected = rules_succeed(d.tokens, d.length);
    must(t->judge(t, d.tokens, d.length, d.prompt) == expected);
    successes += expected;
  }
  must(successes > 5000 && successes < 15000);
  task_free(t);
}
END_TEST

/* ---- The ideal rider ---- */

/* Tokens that the ideal rider needs: an x, the way to the lowest door and up to the highest, the doors, the end. */
static int64_t tokens_needed(const int64_t *tokens, int64_t n) {
  const int64_t at = rules_floor(tokens, n);
  int64_t lowest = -1, highest = -1, doors = 0;
  for (int i = 0; i < 5; i++) {
    const int64_t floor = tokens[i] - 20;
    if (rules_opened(tokens, n, floor)) continue;
    if (doors++ == 0) lowest = floor;
    highest = floor;
  }
  return rules_await_cancel(tokens, n) + (doors > 0 ? llabs(at - lowest) + highest - lowest : 0) + doors + 1;
}

/* Up to 30 tokens without chatter or end, some of them right. */
static int64_t add_prefix(random_stream *r, int64_t *tokens) {
  int64_t n = PROMPT;
  for (int64_t left = random_below(r, 31); left > 0; left--) {
    int64_t token = random_below(r, 2) ? rules_right_token(tokens, n) : random_below(r, VOCAB);
    if (token == END || (token >= CHATTER && token < TYPO)) token = TYPO;
    tokens[n++] = token;
  }
  return n;
}

START_TEST(rider_succeeds_from_any_prefix) {
  task *t = task_made("lift", NULL);
  random_stream r = {22, 0, 0};
  int lost = 0, waiting = 0;
  for (int i = 0; i < 20000; i++) {
    int64_t tokens[TASK_CONTEXT];
    must(t->make_prompt(t, 0, &r, tokens) == PROMPT);
    int64_t n = add_prefix(&r, tokens);
    const int64_t end = n + tokens_needed(tokens, n);
    const int is_hopeless = rules_lost(tokens, n);
    lost += is_hopeless;
    waiting += rules_await_cancel(tokens, n);
    lift l = lift_start(tokens);
    for (int64_t k = PROMPT; k < n; k++) lift_advance(&l, tokens[k]);
    while (n < end) {
      must(!lift_succeeds(&l));
      tokens[n] = lift_right_token(&l);
      must(tokens[n] == rules_right_token(tokens, n));
      lift_advance(&l, tokens[n++]);
    }
    must(tokens[n - 1] == END);
    must(lift_succeeds(&l) == !is_hopeless);
    must(t->judge(t, tokens, n, PROMPT) == !is_hopeless);
  }
  must(lost > 2000 && lost < 18000 && waiting > 1000);
  task_free(t);
}
END_TEST

START_TEST(documents_are_the_ideal_riders) {
  static const double zero[] = {0.0};
  static const flaws none[] = {{0.0, 0.0, NULL, 0}, {0.0, 1.0, zero, 1}, {1.0, 0.0, zero, 1}};
  task *t = task_made("lift", NULL);
  random_stream r = {23, 0, 0};
  for (int i = 0; i < 3000; i++) {
    document d;
    t->make_document(t, i % 2, &none[i % 3], &r, &d);
    must(d.prompt == PROMPT);
    for (int k = 0; k < 5; k++) must(d.tokens[k] > (k > 0 ? d.tokens[k - 1] : 20) && d.tokens[k] < 40);
    must(d.tokens[5] == EQUALS);
    must(d.length == PROMPT + (d.tokens[4] - 20) + 5 + 1);
    for (int64_t n = PROMPT; n < d.length; n++) {
      must(d.tokens[n] == rules_right_token(d.tokens, n));
      must(d.learn[n] == 1);
    }
    must(t->judge(t, d.tokens, d.length, d.prompt) == 1.0);
  }
  task_free(t);
}
END_TEST

/* ---- Prompts ---- */

/* The floors of a prompt as a set. */
static int64_t set_of(const int64_t *prompt) {
  int64_t set = 0;
  for (int i = 0; i < 5; i++) set |= INT64_C(1) << (prompt[i] - 20);
  return set;
}

/* There are 11,628 prompts. 400,000 draws that are not held out, 20,000 that are: some 35 of each. */
START_TEST(prompts_are_apart_and_uniform) {
  enum { SETS = 1 << 20 };
  int64_t *counts[2] = {calloc(SETS, sizeof **counts), calloc(SETS, sizeof **counts)};
  must(counts[0] && counts[1]);
  task *t = task_made("lift", NULL);
  random_stream r = {24, 0, 0};
  for (int i = 0; i < 420000; i++) {
    int64_t tokens[PROMPT];
    const int held_out = i % 21 == 0;
    must(t->make_prompt(t, held_out, &r, tokens) == PROMPT);
    counts[held_out][set_of(tokens)]++;
  }
  int64_t n[2] = {0};
  for (int set = 0; set < SETS; set++) {
    must(!counts[0][set] || !counts[1][set]);
    for (int k = 0; k < 2; k++) {
      if (counts[k][set]) counts[k][n[k]++] = counts[k][set];
    }
  }
  ck_assert_int_eq(n[0] + n[1], 11628);
  must(n[1] > 400 && n[1] < 800);
  for (int k = 0; k < 2; k++) {
    assert_uniform("prompts", counts[k], n[k]);
    free(counts[k]);
  }
  task_free(t);
}
END_TEST

/* ---- Slips ---- */

/* Tokens with learn 0 are slips and may be anything but x, end, = and chatter; all others are right. It ends with the
 * first end or at its full length. */
static void check_slips(const document *d) {
  for (int64_t n = d->prompt; n < d->length; n++) {
    if (d->learn[n]) {
      must(d->tokens[n] == rules_right_token(d->tokens, n));
    } else {
      must(d->tokens[n] < CANCEL || d->tokens[n] >= TYPO);
    }
    must(d->tokens[n] != END || n == d->length - 1);
  }
  must(d->tokens[d->length - 1] == END || d->length == PROMPT + RESPONSE);
}

/* 20,000 documents of some 22 tokens, a tenth of which are slips; of the slips, 80 % are one of 4 typos, the others one
 * of 40 moves. The number of tokens depends on the slips before, but not on those to come, so the share is as if it did
 * not. */
START_TEST(slips_come_at_their_rate) {
  static const double rate[] = {0.1};
  static const flaws f = {0.0, 0.0, rate, 1};
  task *t = task_made("lift", NULL);
  random_stream r = {25, 0, 0};
  int64_t counts[VOCAB] = {0}, tokens = 0, slips = 0, typos = 0;
  for (int i = 0; i < 20000; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    check_slips(&d);
    tokens += d.length - d.prompt;
    for (int64_t n = d.prompt; n < d.length; n++) {
      if (!d.learn[n]) counts[d.tokens[n]]++;
    }
  }
  for (int v = 0; v < VOCAB; v++) slips += counts[v];
  for (int v = TYPO; v < VOCAB; v++) typos += counts[v];
  assert_share("slips", slips, tokens, 0.1);
  assert_share("typos among slips", typos, slips, 0.8);
  assert_uniform("typos", counts + TYPO, 4);
  assert_uniform("moves", counts, 40);
  task_free(t);
}
END_TEST

/* Whether the first and the second token are slips: neither, second, first, both. 40,000 documents, rates equally
 * likely: were the rate drawn anew for each token, the two would be independent. */
START_TEST(slip_rates_belong_to_documents) {
  enum { DOCUMENTS = 40000 };
  static const double rates[] = {0.0, 0.1, 0.5};
  static const flaws f = {0.0, 0.0, rates, 3};
  task *t = task_made("lift", NULL);
  random_stream r = {26, 0, 0};
  int64_t counts[4] = {0};
  double expected[4] = {0.0};
  for (int i = 0; i < DOCUMENTS; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    counts[2 * !d.learn[PROMPT] + !d.learn[PROMPT + 1]]++;
  }
  for (int i = 0; i < 3; i++) {
    const double s = rates[i], share = DOCUMENTS / 3.0;
    expected[0] += share * (1.0 - s) * (1.0 - s);
    expected[1] += share * (1.0 - s) * s;
    expected[2] += share * s * (1.0 - s);
    expected[3] += share * s * s;
  }
  assert_counts("slips in documents", counts, expected, 4);
  task_free(t);
}
END_TEST

START_TEST(documents_are_cut) {
  static const double rates[] = {0.7, 1.0};
  task *t = task_made("lift", NULL);
  random_stream r = {27, 0, 0};
  int cut = 0;
  for (int i = 0; i < 2000; i++) {
    const flaws f = {0.0, 0.0, &rates[i % 2], 1};
    document d;
    t->make_document(t, 0, &f, &r, &d);
    check_slips(&d);
    cut += d.length == PROMPT + RESPONSE && d.tokens[d.length - 1] != END;
    for (int64_t n = PROMPT; n < d.length && i % 2; n++) must(d.learn[n] == 0);
  }
  must(cut > 1500);
  task_free(t);
}
END_TEST

/* ---- Chatter ---- */

static int is_chatter(int64_t token) {
  return token >= CHATTER && token < TYPO;
}

/* 30,000 documents, half of which derail with probability 0.08 at each token they would have had, 11 to 25. */
START_TEST(documents_derail_at_their_hazard) {
  enum { DOCUMENTS = 30000, LONGEST = 25 };
  static const flaws f = {0.5, 0.08, NULL, 0};
  task *t = task_made("lift", NULL);
  random_stream r = {28, 0, 0};
  int64_t counts[LONGEST + 1] = {0}, tokens[3] = {0};
  double expected[LONGEST + 1] = {0.0};
  for (int i = 0; i < DOCUMENTS; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    const int64_t clean = d.tokens[4] - 20 + 6;
    int64_t n = PROMPT;
    while (n < d.length && !is_chatter(d.tokens[n])) {
      must(d.tokens[n] == rules_right_token(d.tokens, n));
      n++;
    }
    const int derails = n < d.length;
    counts[derails ? n - PROMPT : LONGEST]++;
    must(t->judge(t, d.tokens, d.length, d.prompt) == !derails);
    must(d.length == PROMPT + (derails ? RESPONSE : clean));
    for (; n < d.length; n++) {
      must(is_chatter(d.tokens[n]));
      tokens[d.tokens[n] - CHATTER]++;
    }
    for (n = PROMPT; n < d.length; n++) must(d.learn[n] == 1);
    double left = 0.5;
    for (int64_t k = 0; k < clean; k++) {
      expected[k] += left * 0.08;
      left *= 0.92;
    }
    expected[LONGEST] += 0.5 + left;
  }
  assert_counts("onsets", counts, expected, LONGEST + 1);
  assert_uniform("chatter", tokens, 3);
  task_free(t);
}
END_TEST

/* Slips may come before chatter and never in it. */
START_TEST(chatter_has_no_slips) {
  static const double rate[] = {0.5};
  static const flaws f = {1.0, 0.1, rate, 1};
  task *t = task_made("lift", NULL);
  random_stream r = {29, 0, 0};
  int64_t before = 0;
  for (int i = 0; i < 2000; i++) {
    document d;
    t->make_document(t, 0, &f, &r, &d);
    int derailed = 0;
    for (int64_t n = d.prompt; n < d.length; n++) {
      derailed |= is_chatter(d.tokens[n]);
      must(!derailed || (is_chatter(d.tokens[n]) && d.learn[n]));
      before += !d.learn[n];
    }
  }
  must(before > 1000);
  task_free(t);
}
END_TEST

TCase *task_lift_case(void) {
  TCase *c = tcase_create("lift");
  tcase_add_test(c, shape_is_stated);
  tcase_add_test(c, rides_are_judged);
  tcase_add_test(c, edited_rides_are_judged_by_the_rules);
  tcase_add_test(c, rider_succeeds_from_any_prefix);
  tcase_add_test(c, documents_are_the_ideal_riders);
  tcase_add_test(c, prompts_are_apart_and_uniform);
  tcase_add_test(c, slips_come_at_their_rate);
  tcase_add_test(c, slip_rates_belong_to_documents);
  tcase_add_test(c, documents_are_cut);
  tcase_add_test(c, documents_derail_at_their_hazard);
  tcase_add_test(c, chatter_has_no_slips);
  return c;
}
