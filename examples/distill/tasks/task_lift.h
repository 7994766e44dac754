/* task_lift.h - the lift of setting C: its tokens, its state, and what an ideal rider does.
 *
 * A prompt names five of the floors 1 to 19, in ascending order; the lift starts at floor 0. In the response
 *
 * - Fk: the lift is at floor k, wherever it was;
 * - Dk: opens the door of floor k, or is a false door: if k is not a floor of the prompt, if its door has been opened
 *   before, or if the lift is not there;
 * - x: cancels a false door, if nothing but typos stands between the two;
 * - $: ends it.
 *
 * Typos are ignored, and so are `=` and an x that has nothing to cancel. A response succeeds if every door of the
 * prompt was opened, every false door canceled, there is no chatter in it, and its last token is its first `$`. */
#ifndef DISTILL_TASK_LIFT_H
#define DISTILL_TASK_LIFT_H

#include <stdint.h>

enum {
  LIFT_FLOORS = 20,
  LIFT_TARGETS = 5,
  LIFT_FLOOR = 0, /* F0 ... F19 */
  LIFT_DOOR = 20, /* D0 ... D19 */
  LIFT_CANCEL = 40,
  LIFT_END,
  LIFT_EQUALS,
  LIFT_CHATTER, /* the first of LIFT_CHATTERS */
  LIFT_CHATTERS = 3,
  LIFT_TYPO = 46, /* the first of LIFT_TYPOS */
  LIFT_TYPOS = 4,
  LIFT_VOCAB = 50,
  LIFT_PROMPT = LIFT_TARGETS + 1,
  LIFT_RESPONSE = 40
};

typedef struct lift {
  uint32_t closed; /* bit k: floor k is of the prompt and its door has not been opened */
  int64_t floor;
  int is_false; /* the last token that was not ignored is a false door */
  int lost;     /* chatter, a false door that was not canceled, or a token after the end: no way to success */
  int ended;
} lift;

lift lift_start(const int64_t *prompt);
void lift_advance(lift *l, int64_t token);

/* What the ideal rider does next, also where success is lost: x after a false door; else `$` if no door is left to
 * open; else the door of the lowest floor that is left if the lift is there; else one floor towards it. */
int64_t lift_right_token(const lift *l);
int lift_succeeds(const lift *l);

#endif
