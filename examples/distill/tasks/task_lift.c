/* task_lift.c - setting C: the lift of task_lift.h.
 *
 * A document is the ideal rider's, but for its flaws. It has a slip rate; with that probability a token of the response
 * is not the right one but, in 80 of 100 cases, any typo, else any F or D. The rider then goes on from whatever that
 * led to. Slips have learn 0, even if the token happens to be right. A document that derails goes on with random
 * chatter up to its full length. It ends with `$` or at its full length. */
#include "task_lift.h"

#include "task_parts.h"

/* ---- The lift ---- */

lift lift_start(const int64_t *prompt) {
  lift l = {0};
  for (int i = 0; i < LIFT_TARGETS; i++) l.closed |= UINT32_C(1) << (prompt[i] - LIFT_DOOR);
  return l;
}

static int is_in(int64_t token, int64_t first, int64_t n) {
  return token >= first && token < first + n;
}

static void open_door(lift *l, int64_t floor) {
  const uint32_t door = UINT32_C(1) << floor;
  if (floor == l->floor && (l->closed & door)) {
    l->closed &= ~door;
  } else {
    l->is_false = 1;
  }
}

void lift_advance(lift *l, int64_t token) {
  if (l->ended) l->lost = 1;
  if (is_in(token, LIFT_TYPO, LIFT_TYPOS) || token == LIFT_EQUALS) return;
  if (l->is_false && token != LIFT_CANCEL) l->lost = 1;
  l->is_false = 0;
  if (is_in(token, LIFT_FLOOR, LIFT_FLOORS)) {
    l->floor = token - LIFT_FLOOR;
  } else if (is_in(token, LIFT_DOOR, LIFT_FLOORS)) {
    open_door(l, token - LIFT_DOOR);
  } else if (token == LIFT_END) {
    l->ended = 1;
  } else if (token != LIFT_CANCEL) {
    l->lost = 1;
  }
}

int64_t lift_right_token(const lift *l) {
  if (l->is_false) return LIFT_CANCEL;
  if (!l->closed) return LIFT_END;
  int64_t lowest = 0;
  while (!(l->closed >> lowest & 1)) lowest++;
  if (l->floor == lowest) return LIFT_DOOR + lowest;
  return LIFT_FLOOR + l->floor + (l->floor < lowest ? 1 : -1);
}

int lift_succeeds(const lift *l) {
  return l->ended && !l->closed && !l->lost;
}

/* ---- The task ---- */

/* Each floor is taken with probability wanted/left: every choice of floors is equally likely. */
static void draw_prompt(random_stream *r, int64_t *prompt) {
  int64_t n = 0;
  for (int64_t floor = 1; n < LIFT_TARGETS; floor++) {
    if (random_below(r, LIFT_FLOORS - floor) < LIFT_TARGETS - n) prompt[n++] = LIFT_DOOR + floor;
  }
  prompt[LIFT_TARGETS] = LIFT_EQUALS;
}

static int64_t make_prompt(const task *t, int held_out, random_stream *r, int64_t *tokens) {
  (void)t;
  do {
    draw_prompt(r, tokens);
  } while (task_holds_out(tokens, LIFT_PROMPT) != held_out);
  return LIFT_PROMPT;
}

static int64_t draw_slip(random_stream *r) {
  if (random_uniform(r) < 0.8) return LIFT_TYPO + random_below(r, LIFT_TYPOS);
  return LIFT_FLOOR + random_below(r, 2 * LIFT_FLOORS); /* the doors follow the floors */
}

static void make_document(const task *t, int held_out, const flaws *f, random_stream *r, document *out) {
  document_begin(out, make_prompt(t, held_out, r, out->tokens));
  lift l = lift_start(out->tokens);
  const double slip_rate = f->n_slips > 0 ? f->slips[random_below(r, f->n_slips)] : 0.0;
  const int derails = task_derails(f, r);
  int derailed = 0;
  while (!l.ended && out->length < LIFT_PROMPT + LIFT_RESPONSE) {
    derailed = derailed || (derails && random_uniform(r) < f->hazard);
    const int slips = !derailed && random_uniform(r) < slip_rate;
    const int64_t token = derailed ? LIFT_CHATTER + random_below(r, LIFT_CHATTERS)
                          : slips  ? draw_slip(r)
                                   : lift_right_token(&l);
    document_add(out, token, !slips);
    lift_advance(&l, token);
  }
}

static double judge(const task *t, const int64_t *tokens, int64_t length, int64_t prompt) {
  (void)t;
  lift l = lift_start(tokens);
  for (int64_t i = prompt; i < length; i++) lift_advance(&l, tokens[i]);
  return lift_succeeds(&l);
}

static void print_token(int64_t token, FILE *out) {
  if (token < LIFT_DOOR) {
    fprintf(out, "F%d", (int)(token - LIFT_FLOOR));
  } else if (token < LIFT_CANCEL) {
    fprintf(out, "D%d", (int)(token - LIFT_DOOR));
  } else if (token < LIFT_CHATTER) {
    putc("x$="[token - LIFT_CANCEL], out);
  } else if (token < LIFT_TYPO) {
    fprintf(out, "#%d", (int)(token - LIFT_CHATTER));
  } else {
    fprintf(out, "~%d", (int)(token - LIFT_TYPO));
  }
}

/* Chatter is #0 #1 #2, typos are ~0 to ~3. */
static void print(const task *t, const int64_t *tokens, int64_t n, FILE *out) {
  (void)t;
  for (int64_t i = 0; i < n; i++) {
    if (i > 0) putc(' ', out);
    print_token(tokens[i], out);
  }
}

task *task_lift_new(char *why) {
  return task_make((task){.name = "lift",
                          .summary = "a lift that opens five doors, with typos that are ignored",
                          .vocab = LIFT_VOCAB,
                          .prompt = LIFT_PROMPT,
                          .response = LIFT_RESPONSE,
                          .stop = LIFT_END,
                          .slip_first = LIFT_TYPO,
                          .slips = LIFT_TYPOS,
                          .judged = 1,
                          .make_prompt = make_prompt,
                          .make_document = make_document,
                          .judge = judge,
                          .print = print},
                   why);
}
