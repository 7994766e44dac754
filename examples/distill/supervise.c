/* supervise.c - supervised training: the negative log-likelihood of documents, by trb_train_step. */
#include "supervise.h"

#include <math.h>
#include <stdio.h>

#include "texts.h"

enum { SAVE_EVERY = 100 };

int64_t course_steps(const course *c) {
  int64_t steps = 0;
  for (int i = 0; i < c->n_stages; i++) steps += c->stages[i].steps;
  return steps;
}

/* The stage of a step, and the step's number within it. */
static const stage *stage_at(const course *c, int64_t step, int64_t *within) {
  int i = 0;
  while (i + 1 < c->n_stages && step >= c->stages[i].steps) step -= c->stages[i++].steps;
  *within = step;
  return &c->stages[i];
}

/* Loss and gradient of some documents. */
static trb_status learn(trb_context *ctx, lm *m, const texts *documents) {
  const trb_term_options nll = {.size = sizeof nll, .estimator = TRB_ESTIMATOR_NLL};
  const trb_train_options options = {
      .size = sizeof options, .objective = TRB_OBJECTIVE_TOKEN, .token = &nll, .weight = documents->weight};
  const trb_model student = lm_training(m);
  const trb_texts view = texts_view(documents);
  trb_rollouts *given;
  trb_status status = trb_rollouts_new(ctx, &view, documents->prompt, NULL, NULL, &given);
  if (status == TRB_OK) status = trb_train_step(ctx, &student, NULL, given, &options, NULL, NULL, NULL);
  trb_rollouts_free(given);
  return status;
}

static int update(const course *c, pupil *p, texts *documents, trb_context *ctx, char *why) {
  int64_t within;
  const stage *now = stage_at(c, p->step, &within);
  const flaws f = {now->derailed, now->hazard, now->slips, now->n_slips};
  texts_make_documents(documents, c->of, 0, &f, c->seed, (uint64_t)p->step, now->documents);
  if (learn(ctx, p->model, documents) != TRB_OK) {
    snprintf(why, 256, "%s", trb_context_error(ctx));
    return 0;
  }
  if (isfinite(pupil_update(p, rate_cosine(now->rate, now->floor, now->warmup, now->steps, within)))) return 1;
  snprintf(why, 256, "%.160s: step %lld: the gradient is not finite", c->path, (long long)p->step);
  return 0;
}

static int train(const course *c, pupil *p, texts *documents, trb_context *ctx, tell_fn tell, void *user, char *why) {
  const int64_t total = course_steps(c);
  while (p->step < total) {
    if (!update(c, p, documents, ctx, why)) return 0;
    tell(p->step, total, user);
    if (p->step % SAVE_EVERY != 0 && p->step < total) continue;
    if (!pupil_save(p, c->path, c->identity, why)) return 0;
  }
  return 1;
}

static decoder *new_decoder(const course *c) {
  decoder *d = decoder_new(&c->shape);
  if (d != NULL) decoder_init(d, c->seed);
  return d;
}

int supervise(const course *c, tell_fn tell, void *user, char *why) {
  pupil p;
  int64_t most = 0;
  for (int i = 0; i < c->n_stages; i++)
    if (c->stages[i].documents > most) most = c->stages[i].documents;
  if (!pupil_resume(&p, c->path, c->identity) && !pupil_start(&p, new_decoder(c))) {
    snprintf(why, 256, "%s: no memory for the model", c->path);
    return 0;
  }
  texts *documents = texts_new(most);
  trb_context *ctx = NULL;
  int done = 0;
  if (documents == NULL || trb_context_new(NULL, &ctx) != TRB_OK)
    snprintf(why, 256, "%s: no memory for documents", c->path);
  else
    done = train(c, &p, documents, ctx, tell, user, why);
  trb_context_free(ctx);
  texts_free(documents);
  pupil_end(&p);
  return done;
}
