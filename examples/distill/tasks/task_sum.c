/* task_sum.c - setting A: the sum of two numbers of four digits.
 *
 * "3416+7818=" is answered column by column, least significant first, with `a b carry sum ;`, where carry is what comes
 * in from the column to the right; then `>`, the sum in five digits, `$`: "6804;1113;4802;3711;>11234$". */
#include "task_symbols.h"

enum { DIGITS = 4 };

static void draw(random_stream *r, int64_t *prompt) {
  for (int i = 0; i < DIGITS; i++) prompt[i] = random_below(r, 10);
  prompt[DIGITS] = SYMBOL_PLUS;
  for (int i = 0; i < DIGITS; i++) prompt[DIGITS + 1 + i] = random_below(r, 10);
  prompt[2 * DIGITS + 1] = SYMBOL_EQUALS;
}

static void respond(const int64_t *prompt, int64_t *response) {
  int64_t *const answer = response + 5 * DIGITS;
  int64_t carry = 0;
  for (int column = 0; column < DIGITS; column++) {
    const int64_t a = prompt[DIGITS - 1 - column], b = prompt[2 * DIGITS - column], sum = a + b + carry;
    const int64_t step[] = {a, b, carry, sum % 10, SYMBOL_STEP};
    for (int i = 0; i < 5; i++) response[5 * column + i] = step[i];
    answer[1 + DIGITS - column] = sum % 10;
    carry = sum / 10;
  }
  answer[0] = SYMBOL_ANSWER;
  answer[1] = carry;
  answer[2 + DIGITS] = SYMBOL_END;
}

task *task_sum_new(char *why) {
  return symbols_new("sum", "the sum of two numbers of four digits, column by column", (symbol_rules){draw, respond},
                     why);
}
