/* task_chain.c - setting B: four operations modulo 10.
 *
 * "3+4*2-9*1=" is evaluated from left to right, not by precedence, and answered with four steps `x o y=z;`, then `>`,
 * the last z, `$`: "3+4=7;7*2=4;4-9=5;5*1=5;>5$". */
#include "task_symbols.h"

enum { STEPS = 4, STEP = 6 };

static void draw(random_stream *r, int64_t *prompt) {
  prompt[0] = random_below(r, 10);
  for (int i = 0; i < STEPS; i++) {
    prompt[2 * i + 1] = SYMBOL_PLUS + random_below(r, 3);
    prompt[2 * i + 2] = random_below(r, 10);
  }
  prompt[2 * STEPS + 1] = SYMBOL_EQUALS;
}

static int64_t apply(int64_t operator, int64_t x, int64_t y) {
  if (operator== SYMBOL_PLUS) return (x + y) % 10;
  if (operator== SYMBOL_MINUS) return (x - y + 10) % 10;
  return x * y % 10;
}

static void respond(const int64_t *prompt, int64_t *response) {
  int64_t *const answer = response + STEP * STEPS;
  int64_t x = prompt[0];
  for (int i = 0; i < STEPS; i++) {
    const int64_t operator= prompt[2 * i + 1], y = prompt[2 * i + 2], z = apply(operator, x, y);
    const int64_t step[STEP] = {x, operator, y, SYMBOL_EQUALS, z, SYMBOL_STEP};
    for (int k = 0; k < STEP; k++) response[STEP * i + k] = step[k];
    x = z;
  }
  answer[0] = SYMBOL_ANSWER;
  answer[1] = x;
  answer[2] = SYMBOL_END;
}

task *task_chain_new(char *why) {
  return symbols_new("chain", "four operations modulo 10, from left to right", (symbol_rules){draw, respond}, why);
}
