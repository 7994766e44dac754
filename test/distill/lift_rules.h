/* lift_rules.h - the rules of "lift" read off the first n tokens of a sequence, with no state that goes along. */
#ifndef TEST_DISTILL_LIFT_RULES_H
#define TEST_DISTILL_LIFT_RULES_H

#include <stdint.h>

/* Floors are 0 to 19, doors 20 to 39. */
enum { PROMPT = 6, RESPONSE = 40, CANCEL = 40, END, EQUALS, CHATTER, TYPO = 46, VOCAB = 50 };

int64_t rules_floor(const int64_t *tokens, int64_t n);
int rules_opened(const int64_t *tokens, int64_t n, int64_t floor);

/* Whether a false door was followed by something else than an x, or chatter came. */
int rules_lost(const int64_t *tokens, int64_t n);

/* Whether the last token that means something is a false door. */
int rules_await_cancel(const int64_t *tokens, int64_t n);
int rules_succeed(const int64_t *tokens, int64_t n);

/* What the ideal rider does next. */
int64_t rules_right_token(const int64_t *tokens, int64_t n);

#endif
