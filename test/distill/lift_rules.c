/* lift_rules.c - the rules of the lift, by looking back. */
#include "lift_rules.h"

static int is_floor(int64_t token) {
  return token < 20;
}

static int is_door(int64_t token) {
  return token >= 20 && token < 40;
}

/* Typos and `=`. */
static int means_nothing(int64_t token) {
  return token >= TYPO || token == EQUALS;
}

int64_t rules_floor(const int64_t *tokens, int64_t n) {
  for (int64_t i = n - 1; i >= PROMPT; i--) {
    if (is_floor(tokens[i])) return tokens[i];
  }
  return 0;
}

static int is_true_door(const int64_t *tokens, int64_t at);

int rules_opened(const int64_t *tokens, int64_t n, int64_t floor) {
  for (int64_t i = PROMPT; i < n; i++) {
    if (tokens[i] == 20 + floor && is_true_door(tokens, i)) return 1;
  }
  return 0;
}

/* Whether the token at this place opens a door of the prompt. */
static int is_true_door(const int64_t *tokens, int64_t at) {
  const int64_t floor = tokens[at] - 20;
  int wanted = 0;
  for (int i = 0; i < 5; i++) wanted |= tokens[i] == tokens[at];
  return is_door(tokens[at]) && wanted && rules_floor(tokens, at) == floor && !rules_opened(tokens, at, floor);
}

static int is_false_door(const int64_t *tokens, int64_t at) {
  return is_door(tokens[at]) && !is_true_door(tokens, at);
}

int rules_lost(const int64_t *tokens, int64_t n) {
  for (int64_t i = PROMPT; i < n; i++) {
    if (tokens[i] >= CHATTER && tokens[i] < TYPO) return 1;
    if (!is_false_door(tokens, i)) continue;
    int64_t next = i + 1;
    while (next < n && means_nothing(tokens[next])) next++;
    if (next < n && tokens[next] != CANCEL) return 1;
  }
  return 0;
}

int rules_await_cancel(const int64_t *tokens, int64_t n) {
  while (n > PROMPT && means_nothing(tokens[n - 1])) n--;
  return n > PROMPT && is_false_door(tokens, n - 1);
}

int rules_succeed(const int64_t *tokens, int64_t n) {
  for (int64_t i = PROMPT; i < n - 1; i++) {
    if (tokens[i] == END) return 0;
  }
  for (int i = 0; i < 5; i++) {
    if (!rules_opened(tokens, n, tokens[i] - 20)) return 0;
  }
  return n > PROMPT && tokens[n - 1] == END && !rules_lost(tokens, n);
}

int64_t rules_right_token(const int64_t *tokens, int64_t n) {
  if (rules_await_cancel(tokens, n)) return CANCEL;
  const int64_t at = rules_floor(tokens, n);
  for (int i = 0; i < 5; i++) {
    const int64_t floor = tokens[i] - 20; /* in ascending order */
    if (rules_opened(tokens, n, floor)) continue;
    return at == floor ? 20 + floor : (at < floor ? at + 1 : at - 1);
  }
  return END;
}
