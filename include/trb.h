/**
 * @file trb.h
 * Trust-region behavior blending and reverse KL over logit buffers: the whole public contract of libtrb.
 *
 * The method is that of arXiv 2605.31159. At a prefix let p be the student's next-token distribution and q the
 * teacher's. The behavior mu is the distribution closest to the teacher inside a KL ball around the student:
 *
 *     mu = argmin KL(mu||q)  subject to  KL(mu||p) <= budget,      mu(v) = p(v)^(1-beta) q(v)^beta / Z(beta)
 *
 * What holds for every function:
 *
 * - Data is borrowed. libtrb writes only through parameters named `out`, `loss`, `grad`, `rows` or `inout`, and keeps
 *   no pointer after it returns, except that a context keeps its allocator and `parallel_for`, and rollouts the
 *   allocator.
 * - Options structs start with `size_t size`, the caller's sizeof. Zero in a field means its default, a NULL options
 *   pointer means all defaults, structs only ever grow at the end. A library that knows a smaller struct refuses
 *   non-zero bytes that it does not know; one that knows a larger struct reads the missing bytes as zero. A `size`
 *   too small for the first version of the struct, or above 4096, is TRB_EINVAL.
 * - `ctx` may be NULL: one thread, the best instruction set of this machine, no error text.
 * - The result is TRB_OK or one negative code. On TRB_EINVAL nothing was written. On TRB_EROWS every good row was
 *   computed, and each bad row says why in its own `status` wherever the function has an output that carries one.
 * - Sizes and token ids are int64_t, flags and enums are int32_t with pinned numbers that are never reused. Fields
 *   named `reserved` must be zero on input and are zero on output.
 * - Natural logarithms; KL and entropies in nats; sums over a row in double precision.
 * - No global state, no printing, no signals, no exit. One context serves one call at a time; different contexts are
 *   independent; NULL may be used by any number of threads at once. A context survives fork(): the child may go on
 *   using its copy.
 * - Functions on logits allocate nothing once a context exists: a call uses at most 64 KiB of the stack of each thread
 *   that works. Functions that call models or make rollouts, those on heads, and trb_auroc, take memory from the
 *   context's allocator, or from malloc without a context.
 * - Every result is the same to the last bit for any number of threads, split of a batch, stride and instruction set.
 */
#ifndef TRB_H
#define TRB_H

#include <stddef.h>
#include <stdint.h>

#define TRB_VERSION_MAJOR 0 /* the Makefile reads these three lines; trb.pc and the CMake package follow */
#define TRB_VERSION_MINOR 1
#define TRB_VERSION_PATCH 0

#ifndef TRB_API
#define TRB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------------------- */

/** Result of a call. */
typedef int32_t trb_status;
enum {
  TRB_OK = 0,
  TRB_EINVAL = -1,    /**< an argument breaks its contract; nothing was written */
  TRB_ENOMEM = -2,    /**< memory or a thread could not be had; nothing was written */
  TRB_EROWS = -3,     /**< some rows hold no result: see their status; the others were computed */
  TRB_ECALLBACK = -4, /**< a callback did not return TRB_CONTINUE */
  TRB_ECOMM = -5      /**< a reduction across shards failed */
};

/** What became of one row: the `status` of trb_blend, trb_draw, trb_verdict.draw, trb_loss_row and trb_term. Negative: no
 *  result. */
enum {
  TRB_ROW_BLENDED = 0,       /**< the KL budget is active: kl_student meets it */
  TRB_ROW_TEACHER = 1,       /**< the teacher is inside the budget: beta is 1 */
  TRB_ROW_STUDENT = 2,       /**< the budget is zero: beta is 0 */
  TRB_ROW_UNREACHABLE = 3,   /**< every beta > 0 costs more than the budget, because the teacher masks (or all but
                                  masks) student mass: beta is 0 */
  TRB_ROW_GIVEN = 4,         /**< the caller gave beta (trb_blend_at) */
  TRB_ROW_OK = 5,            /**< draws, losses and terms: computed */
  TRB_ROW_SKIPPED = 6,       /**< losses and terms: weight 0, not read; trb_verify: behind the end of its block, not
                                  read */
  TRB_ROW_EMPTY = -1,        /**< every token of a row, or of the support within it, is masked */
  TRB_ROW_NOT_A_NUMBER = -2, /**< NaN or +inf among the logits, or NaN in a blend given as input */
  TRB_ROW_INFINITE = -3,     /**< the divergence is infinite: one model masks a token that the other allows */
  TRB_ROW_IMPOSSIBLE = -4,   /**< the proposed token has probability 0 under the student: it was not drawn from it */
  TRB_ROW_EXCESS = -5        /**< listed probabilities of the teacher add up to more than 1.001 */
};

/** The name and meaning of a status, as static text. Never NULL, whatever the number. */
TRB_API const char *trb_strerror(trb_status status);

/** The name and meaning of a row status, as static text. Never NULL, whatever the number. */
TRB_API const char *trb_row_strerror(int32_t row_status);

/** The version of the loaded library: major<<16 | minor<<8 | patch. Compare it with the TRB_VERSION_ macros. */
TRB_API uint32_t trb_version(void);

/** Looks up a number of this header by its name: any enum constant ("TRB_ROW_TEACHER"), TRB_VERSION_MAJOR, _MINOR and
 *  _PATCH, or the size of a public struct ("sizeof(trb_blend)"). Bindings check themselves against the library with it.
 *  @param name  NUL-terminated
 *  @param value receives the number; untouched on TRB_EINVAL
 *  @return TRB_EINVAL if a pointer is NULL or the name is unknown */
TRB_API trb_status trb_constant(const char *name, int64_t *value);

/** The i-th entry of the table behind trb_constant, i = 0, 1, ... in a fixed order: a binding generator walks it.
 *  @return TRB_EINVAL past the end, for a negative index, or if a pointer is NULL */
TRB_API trb_status trb_constant_at(int64_t index, const char **name, int64_t *value);

/* ---- Context --------------------------------------------------------------------------------------------- */

/** Threads, instruction set and the text of the last error. Opaque. */
typedef struct trb_context trb_context;

/** Which row kernels to run. All of them give the same bits. */
enum {
  TRB_ISA_AUTO = 0,   /**< the best of this machine */
  TRB_ISA_SCALAR = 1, /**< the baseline of the build */
  TRB_ISA_AVX2 = 2,   /**< x86-64 with AVX2 and FMA */
  TRB_ISA_AVX512 = 3, /**< x86-64 with AVX-512 F, BW, DQ and VL */
  TRB_ISA_NEON = 4    /**< AArch64 */
};

/** One piece of a parallel job; `index` says which. */
typedef void (*trb_task_fn)(void *task, int64_t index);

/** Runs fn(task, i) for every i in [0, n), each exactly once, in any order and on any threads, and returns when all
 *  are done. n is at most eight times the context's `threads`. */
typedef void (*trb_parallel_for_fn)(int64_t n, trb_task_fn fn, void *task, void *user);

/** Returns memory aligned for any type, or NULL. */
typedef void *(*trb_alloc_fn)(size_t bytes, void *user);
/** Releases what the allocator returned. Never called with NULL. */
typedef void (*trb_free_fn)(void *memory, void *user);

/** Options of a context. */
typedef struct trb_context_options {
  size_t size;                      /**< sizeof(trb_context_options) */
  int64_t threads;                  /**< at most 1024; 0 means 1 */
  trb_parallel_for_fn parallel_for; /**< the caller's own threads, used if `threads` > 1; NULL: the context starts
                                         threads-1 of its own */
  void *parallel_user;              /**< handed to parallel_for */
  trb_alloc_fn alloc;               /**< NULL: malloc; set both or neither */
  trb_free_fn free;                 /**< NULL: free */
  void *alloc_user;                 /**< handed to alloc and free */
  int32_t isa;                      /**< TRB_ISA_*; one that this machine lacks is TRB_EINVAL */
  int32_t reserved;
  char *error;         /**< receives the text of trb_context_new's own error, NUL-terminated; may be NULL */
  int64_t error_bytes; /**< capacity of `error`; longer texts are cut */
} trb_context_options;

/** Makes a context.
 *  @param options NULL for defaults
 *  @param out     receives the context; NULL on any error
 *  @return TRB_EINVAL (an option out of range, `out` NULL), TRB_ENOMEM (allocator or thread start failed) */
TRB_API trb_status trb_context_new(const trb_context_options *options, trb_context **out);

/** Ends a context and its threads. NULL does nothing. */
TRB_API void trb_context_free(trb_context *ctx);

/** What the last failed call on this context said: which argument, what was expected, what came. Empty if none failed
 *  yet or ctx is NULL. The text is the context's own and stays until the next failing call on it. */
TRB_API const char *trb_context_error(const trb_context *ctx);

/** The TRB_ISA_* whose kernels this context (or NULL) runs. */
TRB_API int32_t trb_context_isa(const trb_context *ctx);

/* ---- Logits ---------------------------------------------------------------------------------------------- */

/** Element types of a logit buffer. Arithmetic is the same for all; only loads and stores differ. Stores round to
 *  nearest, ties to even. */
enum { TRB_F32 = 0, TRB_F16 = 1, TRB_BF16 = 2 };

/** A borrowed matrix of logits, one row per position: element (r, v) is data[r*stride + v]. -inf masks a token.
 *
 *  TRB_EINVAL in any function that takes one: rows < 0; vocab < 1; stride < vocab; an unknown dtype; a temperature that
 *  is negative, NaN or infinite (but on outputs); NULL data with rows > 0; data not aligned to its element; a size that
 *  overflows.
 *  Between the views of one call: different row counts; an output that overlaps an input without being the same buffer
 *  (same data, stride and dtype), or overlaps another output.
 *
 *  When the student's and the teacher's vocabularies differ in size, a token at or beyond the smaller one has
 *  probability zero under both and is never read. */
typedef struct trb_logits {
  void *data;
  int64_t rows;
  int64_t vocab;
  int64_t stride;    /**< in elements, >= vocab */
  int32_t dtype;     /**< TRB_F32, TRB_F16 or TRB_BF16 */
  float temperature; /**< logits are divided by it; 0 means 1; ignored on outputs */
} trb_logits;

/** Token lists, one behind the other: list i is tokens[offset[i]] to tokens[offset[i + 1] - 1]. */
typedef struct trb_texts {
  const int64_t *tokens;
  const int64_t *offset; /**< [n + 1], ascending; the first need not be 0 */
  int64_t n;
} trb_texts;

/** Masks tokens in every row: inout(r, ids[i]) = -inf.
 *  @param ids [n] token ids, in any order
 *  @return TRB_EINVAL: view (see trb_logits), n < 0, ids NULL with n > 0, an id outside [0, vocab), a list inside the
 *          logits' memory */
TRB_API trb_status trb_mask_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *ids, int64_t n);

/** Moves the probability of each `from` token to its `to` token, in every row: with z the logit over the view's
 *  temperature T, z_to = log(e^z_to + e^z_from), z_from = -inf. For end-of-text ids that differ between two models
 *  (arXiv 2605.31159) and for tokens that stand twice in a vocabulary: apply it to both models, then solve. The
 *  normalizer of the row does not change, up to rounding to the dtype. Pairs are applied in order.
 *  @param from [n]
 *  @param to   [n], to[i] != from[i]
 *  @return TRB_EINVAL: view, n < 0, a NULL list with n > 0, an id outside [0, vocab), from[i] == to[i], a list inside
 *          the logits' memory */
TRB_API trb_status trb_merge_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *from, const int64_t *to,
                                    int64_t n);

/* ---- Schedule -------------------------------------------------------------------------------------------- */

/** How a budget anneals over optimizer steps k = 0, 1, ... Exactly 0 after the end, where rollouts are pure student. */
enum {
  TRB_SCHEDULE_LINEAR = 0,    /**< initial * (1 - k/steps) for k <= steps: arXiv 2605.31159 */
  TRB_SCHEDULE_CONSTANT = 1,  /**< initial for k <= steps; steps 0: without end */
  TRB_SCHEDULE_COSINE = 2,    /**< initial * (1 + cos(pi k/steps))/2 for k <= steps */
  TRB_SCHEDULE_PIECEWISE = 3  /**< linear between given points; the first value before the first point */
};

/** A schedule, plain data. */
typedef struct trb_schedule {
  size_t size;            /**< sizeof(trb_schedule) */
  int32_t kind;           /**< TRB_SCHEDULE_* */
  int32_t reserved;
  double initial;         /**< budget at step 0, finite, >= 0; piecewise: must be 0 */
  int64_t steps;          /**< last step, >= 1 (constant: >= 0); piecewise: must be 0 */
  const int64_t *at;      /**< [points] piecewise: step of each point, >= 0, strictly ascending; else NULL */
  const double *budgets;  /**< [points] piecewise: budget at each point, finite, >= 0; else NULL */
  int64_t points;         /**< piecewise: >= 1; else 0 */
} trb_schedule;

/** The budget of step k >= 0.
 *  @param out receives the budget
 *  @return TRB_EINVAL: schedule or out NULL, k < 0, a field outside the range given above */
TRB_API trb_status trb_schedule_at(trb_context *ctx, const trb_schedule *schedule, int64_t k, double *out);

/* ---- The blend ------------------------------------------------------------------------------------------- */

/** How trb_solve looks for beta. Both meet the same accuracy contract. */
enum {
  TRB_METHOD_NEWTON = 0,   /**< derivative steps on log KL against log beta inside a bracket that always shrinks */
  TRB_METHOD_BISECTION = 1 /**< plain halving of the doubles in [0, 1], whose order is that of beta = 1/(1+multiplier),
                                at most 64 times: the reference */
};

/** Options of trb_solve. */
typedef struct trb_solve_options {
  size_t size;      /**< sizeof(trb_solve_options) */
  double tolerance; /**< how far below the budget kl_student may end, relative; in [1e-5, 0.5]. 0 means 2e-5, for rows
                         of more than 4096 tokens 6e-5; below 4e-5 those take several times as long */
  int32_t method;   /**< TRB_METHOD_* */
  int32_t reserved;
} trb_solve_options;

/** The behavior of one row: mu(v) = exp((1-beta) s_v + beta t_v - log_norm), s and t the logits over their
 *  temperatures. Where it is an argument it belongs to the logits and temperatures that it was made from. In a
 *  row with negative status every double is NaN. What depends on a teacher is NaN where none was given. */
typedef struct trb_blend {
  double beta;        /**< weight of the teacher, in [0, 1] */
  double multiplier;  /**< (1-beta)/beta, the Lagrange multiplier of the KL budget; INFINITY at beta 0 */
  double kl_student;  /**< KL(mu||p) <= budget; relative error 1e-6, in rows of more than 4096 tokens 4e-6 */
  double kl_teacher;  /**< KL(mu||q); INFINITY at beta 0 if q masks what p allows; within 6e-7
                           (1 + both KLs), in rows of more than 4096 tokens 4e-6 (1 + both KLs) */
  double reverse_kl;  /**< KL(p||q), the distillation loss of this row; may be INFINITY */
  double log_norm;    /**< log-normalizer of the blend */
  double lse_student; /**< log-sum-exp of s */
  double lse_teacher; /**< log-sum-exp of t */
  int32_t status;     /**< TRB_ROW_* */
  int32_t passes;     /**< passes over the vocabulary that this row took */
  int64_t support;    /**< tokens that mu allows: not masked by the student nor, at beta > 0, by the teacher */
  float mass[32];     /**< where mu is: mass[i] is the mass of tokens [i w, (i+1) w), w = 1024 ceil(V/32768), V the
                           common vocabulary; 0 beyond it. Relative error 4e-6, or 1e-10 in all. trb_sample begins
                           here and then reads w tokens of the row */
} trb_blend;

/** Finds, for every row, the behavior closest to the teacher within the budget:
 *  out[r] = argmin KL(mu||q) subject to KL(mu||p) <= budget[r]; arXiv 2605.31159, eq. 1-3.
 *
 *  KL(mu||p) = beta A'(beta) - A(beta), A(beta) = log sum p^(1-beta) q^beta, grows with beta, so the solution is the
 *  largest feasible beta. Accuracy, for budgets from 1e-6 to 10, of the exact KL(mu||p) at the returned beta: at most
 *  budget*(1 + 1e-6) always, and at least budget*(1 - 1e-4) for TRB_ROW_BLENDED at the default tolerance. Where logits
 *  over temperature differ by more than about 1e8 KL may jump between neighboring doubles: then the budget is passed
 *  within 64 doubles above beta. docs/numerics.md shows why this holds.
 *
 *  Masked rows: where the student masks a token mu is 0. Where the teacher masks a token, mu is 0 for every beta > 0,
 *  and KL(mu||p) tends to -log p(common support) as beta falls to 0: above the budget the row is TRB_ROW_UNREACHABLE
 *  and stays the student. beta 1 means q renormalized on the common support.
 *
 *  @param student  [rows, vocab]
 *  @param teacher  [rows, vocab']; NULL if every budget is 0
 *  @param budget   [n_budget] nats, >= 0, finite or INFINITY
 *  @param n_budget rows, or 1 for one budget shared by all
 *  @param out      [rows]
 *  @return TRB_EINVAL: views, n_budget, a negative or NaN budget, an option, a NULL pointer; TRB_EROWS: some rows are
 *          TRB_ROW_EMPTY or TRB_ROW_NOT_A_NUMBER */
TRB_API trb_status trb_solve(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                             const double *budget, int64_t n_budget, const trb_solve_options *options, trb_blend *out);

/** The same record for betas that the caller chose. Status is TRB_ROW_GIVEN, or TRB_ROW_UNREACHABLE with beta 0 where
 *  beta > 0 but the supports do not meet.
 *  @param beta   [n_beta] in [0, 1]
 *  @param n_beta rows, or 1
 *  @param teacher NULL if every beta is 0
 *  @return as trb_solve */
TRB_API trb_status trb_blend_at(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                const double *beta, int64_t n_beta, trb_blend *out);

/** Writes log mu(v); -inf where mu is 0 and for out's tokens beyond the common vocabulary.
 *  @param blend [rows] as trb_solve or trb_blend_at gave it for these logits; a row of negative status is not written
 *  @param teacher NULL if every beta is 0
 *  @param out   [rows, >= the common vocabulary]; may be the student's or the teacher's own buffer
 *  @return TRB_EINVAL: views, a NULL pointer, a beta outside [0, 1], a positive beta without a teacher; TRB_EROWS: a
 *          row has a negative status or a NaN */
TRB_API trb_status trb_write_blend(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                   const trb_blend *blend, const trb_logits *out);

/* ---- Sampling -------------------------------------------------------------------------------------------- */

/** How to draw. The filters apply to mu in this order: top_k keeps the k most probable tokens (of equal ones the lower
 *  id); top_p keeps the fewest of those whose mass reaches top_p of what top_k kept; min_p drops tokens less probable
 *  than min_p times the most probable one. At least one token always stays. */
typedef struct trb_sampler {
  size_t size;            /**< sizeof(trb_sampler) */
  uint64_t seed;
  const uint64_t *stream; /**< [rows] which sequence a row belongs to; NULL: the row number */
  const int64_t *index;   /**< [rows] position within its sequence, in [0, 2^56); NULL: 0 */
  int64_t top_k;          /**< 0: off */
  double top_p;           /**< in (0, 1]; 0: off */
  double min_p;           /**< in [0, 1]; 0: off */
  int32_t greedy;         /**< 1: the most probable token (of equal ones the lowest id); filters then change nothing but
                               `kept`, `log_sampled` is 0 */
  int32_t purpose;        /**< in [0, 255]: draws for different uses at one position never share a random number */
} trb_sampler;

/** One drawn token. */
typedef struct trb_draw {
  int64_t token;       /**< -1 where status is negative */
  int64_t kept;        /**< tokens with positive probability that the filters left; without filters blend->support */
  double log_sampled;  /**< log-probability under what was really sampled from: mu after the filters */
  double log_behavior; /**< log mu(token) */
  double log_student;  /**< log p(token) */
  double log_teacher;  /**< log q(token); NaN without a teacher; -INFINITY where it is masked */
  int32_t status;      /**< TRB_ROW_OK or a negative TRB_ROW_* */
  int32_t reserved;
} trb_draw;

/** Draws one token per row from mu: from p with blends at beta 0, from q with blends at beta 1.
 *
 *  The uniform number of a row is the Philox 4x32-10 block (Salmon et al., SC 2011) at key seed and counter
 *  (stream[r], index[r], purpose), so a draw does not depend on threads, batch layout or instruction set; it is
 *  inverted through the cumulative sum of mu in the order of token ids. Without a filter only the part of the row is
 *  read that blend->mass puts the number in; a filter and `greedy` read the whole row.
 *  @param sampler NULL: seed 0, no filter
 *  @param blend   [rows] as trb_solve or trb_blend_at gave it for these logits
 *  @param teacher NULL if every beta is 0
 *  @param out     [rows]
 *  @return TRB_EINVAL: views, a NULL pointer, a sampler field out of range, a beta outside [0, 1], a positive beta
 *          without a teacher, masses that do not add up to 1; TRB_EROWS: a blend has a negative status or a NaN, or the
 *          logits that are read do */
TRB_API trb_status trb_sample(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                              const trb_blend *blend, const trb_sampler *sampler, trb_draw *out);

/* ---- Speculative sampling -------------------------------------------------------------------------------- */

/** What became of a position. */
enum {
  TRB_VERDICT_DRAWN = 0,     /**< there was no proposal: drawn from mu */
  TRB_VERDICT_ACCEPTED = 1,  /**< the proposal stands */
  TRB_VERDICT_CORRECTED = 2, /**< another token stands in its place */
  TRB_VERDICT_DROPPED = 3    /**< nothing stands here: behind a correction, or the row has a negative status */
};

/** One position of a block, and what stands there. Every double is NaN where nothing does. */
typedef struct trb_verdict {
  trb_draw draw;          /**< as of trb_sample. Dropped: token -1 and TRB_ROW_SKIPPED, or a negative status */
  double acceptance;      /**< min(1, mu/p) of the proposal, mu after the filters; NaN where there was none */
  double tv;              /**< total variation sum (mu - p)+, mu after the filters: how likely a proposal from p is
                               corrected. Relative error 4e-6, or 1e-30 in all; NaN where there was no proposal */
  int64_t argmax_teacher; /**< of equal ones the lowest id; -1 where nothing stands, and without a teacher */
  int32_t verdict;        /**< TRB_VERDICT_* */
  int32_t reserved;
} trb_verdict;

/** Options of trb_verify. */
typedef struct trb_verify_options {
  size_t size;                    /**< sizeof(trb_verify_options) */
  const trb_solve_options *solve; /**< NULL for defaults; BETA: NULL */
  const trb_sampler *sampler;     /**< seed, streams, positions, purpose; filters apply to mu. NULL for defaults */
  int32_t behavior;               /**< TRB_BEHAVIOR_BUDGET, or TRB_BEHAVIOR_BETA: `budget` holds weights of the teacher
                                       in [0, 1], as for trb_blend_at */
  int32_t reserved;
} trb_verify_options;

/** Turns tokens that the student proposed into tokens that are distributed as mu, exactly: speculative sampling with
 *  the behavior as its target (arXiv 2609.36601). The teacher answers a whole block of proposals at once, in one forward
 *  call where one for every token was needed.
 *
 *  A block is a list of proposals, each drawn from the student at the row that bears its number. From its first row
 *  on: mu is solved for (trb_solve); proposal y is accepted with probability min(1, mu(y)/p(y)); the first one that is
 *  not is replaced by a draw from (mu - p)+ / TV(mu,p), and the rest of the block is dropped, unread. What stands is
 *  distributed as if every token were drawn by trb_sample, whatever the length of blocks. A proposal is rejected with
 *  probability TV(mu,p) <= sqrt(budget/2).
 *
 *  A block may end in a row with -1 for its proposal. If all before it are accepted its token is drawn from mu, as by
 *  trb_sample.
 *
 *  The decision at a row takes the second half of the random number of which trb_sample takes the first: proposals may
 *  be drawn by trb_sample with the same sampler (but its filters). They depend on the row, seed, stream and index
 *  alone, so the tokens are the same for any length of blocks.
 *
 *  Where mu is p every proposal is accepted. A row of negative status ends its block.
 *  @param student   [rows, vocab] what the proposals were drawn from, without a filter
 *  @param teacher   [rows, vocab']; NULL if every budget is 0
 *  @param proposals n blocks of together `rows` ids in [0, common vocabulary), the first at row 0; the last of a block
 *                   may be -1; blocks may be empty
 *  @param budget    [n_budget] nats, as for trb_solve
 *  @param n_budget  rows, or 1 for one shared by all
 *  @param options   NULL for defaults
 *  @param blend     [rows] or NULL; TRB_ROW_SKIPPED where dropped
 *  @param out       [rows]
 *  @return TRB_EINVAL: views, options, budgets, proposals that are not as many as rows or out of range, a NULL pointer;
 *          TRB_EROWS: a row that was read is TRB_ROW_EMPTY, TRB_ROW_NOT_A_NUMBER or TRB_ROW_IMPOSSIBLE */
TRB_API trb_status trb_verify(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                              const trb_texts *proposals, const double *budget, int64_t n_budget,
                              const trb_verify_options *options, trb_blend *blend, trb_verdict *out);

/* ---- Divergences ----------------------------------------------------------------------------------------- */

/** Forms of the reverse KL on a support S, with r = log p - log q, P = sum_S p, Q = sum_S q. The gradient is with
 *  respect to the student's logits, S held constant; divide by the student's temperature. */
enum {
  TRB_FORM_FULL = 0,         /**< sum p r over the vocabulary; gradient p_j (r_j - L) */
  TRB_FORM_TRUNCATED = 1,    /**< sum_S p r; p_j (1_S (r_j + 1) - L - P). Not zero at p = q: drains S. May be negative */
  TRB_FORM_RENORMALIZED = 2, /**< KL of p/P against q/Q on S; (p_j/P)(r_j + log(Q/P) - L) on S, else 0. Blind to P
                                  against Q; identically 0 on one token, which is therefore TRB_EINVAL */
  TRB_FORM_TAIL_BUCKET = 3,  /**< all tokens outside S as one; p_j (r_j - L) on S, p_j (log((1-P)/(1-Q)) - L) off S */
  TRB_FORM_GENERALIZED = 4   /**< sum_S (p r - p + q); p_j (1_S r_j - sum_S p r). >= 0, zero at p = q on S */
};

/** What S is, per row. Masked tokens of the ranking model are never in its top-k. */
enum {
  TRB_SUPPORT_ALL = 0,
  TRB_SUPPORT_STUDENT_TOP_K = 1, /**< arXiv 2605.31159 uses k = 16; of equal logits the lower id */
  TRB_SUPPORT_TEACHER_TOP_K = 2,
  TRB_SUPPORT_IDS = 3            /**< a list per row */
};

/** Options of trb_reverse_kl. */
typedef struct trb_loss_options {
  size_t size;        /**< sizeof(trb_loss_options) */
  int32_t form;       /**< TRB_FORM_*; TRB_FORM_FULL needs TRB_SUPPORT_ALL */
  int32_t support;    /**< TRB_SUPPORT_* */
  int64_t k;          /**< top-k: >= 1 (renormalized: >= 2); more than the vocabulary means all. Ids: row length of the
                           list (renormalized: each row needs two different ids); all: 0 */
  const int64_t *ids; /**< [rows, k] token ids in [0, common vocabulary), -1 for no token; a repeated id counts once;
                           NULL unless TRB_SUPPORT_IDS */
} trb_loss_options;

/** What a trainer logs of one row. NaN, 0 or -1 where status is negative or TRB_ROW_SKIPPED. */
typedef struct trb_loss_row {
  double entropy_student;  /**< of p */
  double entropy_teacher;  /**< of q */
  double mass_student;     /**< P = sum_S p */
  double mass_teacher;     /**< Q = sum_S q */
  int64_t support;         /**< tokens in S that the student allows */
  int64_t overlap;         /**< tokens in the top-k of both models; -1 unless S is a top-k */
  int64_t argmax_student;  /**< of equal ones the lowest id */
  int64_t argmax_teacher;
  int32_t status;          /**< TRB_ROW_OK, TRB_ROW_SKIPPED or negative */
  int32_t reserved;
} trb_loss_row;

/** Reverse KL of every row and its exact gradient.
 *
 *  loss[r] is the chosen form of KL(p_r||q_r), not weighted. grad(r, j) = weight[r] * d loss[r] / d student logit (r, j),
 *  the student's temperature included; masked tokens and tokens beyond the common vocabulary get exactly 0. Nothing is
 *  averaged: the weights are absolute, so a batch may be split in any way. The full form, the tail bucket and the
 *  generalized form are computed as sums of non-negative terms, so a small divergence keeps its relative accuracy.
 *
 *  A bad row: loss NaN (TRB_ROW_EMPTY, TRB_ROW_NOT_A_NUMBER) or INFINITY (TRB_ROW_INFINITE: in S the teacher masks a
 *  token that the student allows, or for the tail bucket all of the rest), its gradient all 0. The rows are counted in
 *  the context's error text.
 *
 *  @param weight  [rows] finite, or NULL for ones; a row of weight 0 is not read: loss 0, gradient 0
 *  @param options NULL for the full form
 *  @param loss    [rows]; may be NULL if grad or rows is not
 *  @param grad    [rows, the student's vocab] any dtype, or NULL; may be the student's or the teacher's own buffer
 *  @param rows    [rows] or NULL
 *  @return TRB_EINVAL: views, options, a weight that is not finite, an id out of range, no output at all; TRB_EROWS */
TRB_API trb_status trb_reverse_kl(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                  const double *weight, const trb_loss_options *options, double *loss,
                                  const trb_logits *grad, trb_loss_row *rows);

/** Divergences over the full vocabulary other than the reverse KL. */
enum {
  TRB_DIVERGENCE_FORWARD_KL = 0, /**< KL(q||p); gradient p_j - q_j */
  TRB_DIVERGENCE_JSD = 1         /**< b KL(q||m) + (1-b) KL(p||m), m = b q + (1-b) p;
                                      gradient (1-b) p_j (log(p_j/m_j) - KL(p||m)) */
};

/** Options of trb_divergence. */
typedef struct trb_divergence_options {
  size_t size;  /**< sizeof(trb_divergence_options) */
  double b;     /**< JSD: in (0, 1); 0 means 0.5. Forward KL: 0 */
  int32_t kind; /**< TRB_DIVERGENCE_* */
  int32_t reserved;
} trb_divergence_options;

/** Forward KL or generalized Jensen-Shannon divergence, with everything else as in trb_reverse_kl; S is the
 *  vocabulary. Forward KL is TRB_ROW_INFINITE where the student masks a token that the teacher allows. JSD is finite
 *  always. */
TRB_API trb_status trb_divergence(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                  const double *weight, const trb_divergence_options *options, double *loss,
                                  const trb_logits *grad, trb_loss_row *rows);

/* ---- Sampled-token terms --------------------------------------------------------------------------------- */

/** Estimators of the reverse KL from one token y per row, u = log q(y) - log p(y). Every gradient has the shape
 *  coefficient * (1[j = y] - p_j) over the student's logits (divided by its temperature); they differ in the
 *  coefficient, and so in the divergence that the gradient follows when y is drawn from p:
 *
 *  | estimator | value                 | coefficient | expected gradient is that of     |
 *  | --------- | --------------------- | ----------- | -------------------------------- |
 *  | advantage | the surrogate below   | -rho u      | the reverse KL                   |
 *  | K1        | -u                    | 1           | nothing: it is 0                 |
 *  | K2        | u^2 / 2               | -u          | the reverse KL                   |
 *  | K3        | e^u - 1 - u           | 1 - e^u     | the forward KL: p - q            |
 *  | NLL       | -log p(y)             | -1          | nothing: it is 0                 |
 *
 *  NLL is supervised learning, made for tokens that were not drawn from p: of tokens drawn from the teacher its
 *  expected gradient is the forward KL's. It alone needs no teacher.
 *
 *  Values of K1 and K3 (and of -u under the advantage) are unbiased for the reverse KL; K2's is not. When y was drawn
 *  from a behavior mu instead, pass exp(log_student - log_sampled) of its draw in `weight` to correct any of them, or
 *  log_behavior to the advantage. */
enum {
  TRB_ESTIMATOR_ADVANTAGE = 0, /**< policy gradient with the detached advantage a = u and ratio
                                    rho = p(y)/behavior(y); surrogate -min(rho a, clip(rho) a) */
  TRB_ESTIMATOR_K1 = 1,
  TRB_ESTIMATOR_K2 = 2,
  TRB_ESTIMATOR_K3 = 3,
  TRB_ESTIMATOR_NLL = 4
};

/** Options of trb_token_terms. Clips are for the advantage only, off by default, and reported row by row. */
typedef struct trb_term_options {
  size_t size;            /**< sizeof(trb_term_options) */
  double ratio_low;       /**< rho is clipped from below at this, in (0, 1]; 0: off */
  double ratio_high;      /**< rho is clipped from above at this, >= 1; 0: off */
  double advantage_limit; /**< u is clipped to [-limit, limit], > 0; 0: off */
  int32_t estimator;      /**< TRB_ESTIMATOR_* */
  int32_t reserved;
} trb_term_options;

/** Bits of trb_term.clipped. */
enum {
  TRB_CLIPPED_RATIO = 1,    /**< the clipped branch of the surrogate was the smaller one: the gradient is 0 */
  TRB_CLIPPED_ADVANTAGE = 2 /**< u was beyond the limit */
};

/** The term of one sampled token. */
typedef struct trb_term {
  double value;       /**< the estimator's value, not weighted */
  double coefficient; /**< of (1[j = y] - p_j) / temperature in the gradient, not weighted */
  double log_student; /**< log p(y) */
  double log_teacher; /**< log q(y); NaN without a teacher */
  double ratio;       /**< rho before clipping; 1 without log_behavior */
  int32_t clipped;    /**< TRB_CLIPPED_* or 0 */
  int32_t status;     /**< TRB_ROW_OK, TRB_ROW_SKIPPED, or negative; TRB_ROW_INFINITE: a model masks y (for NLL the
                           student), or e^u of K3 is beyond a double */
} trb_term;

/** One sampled-token term per row, and its gradient.
 *
 *  grad(r, j) = weight[r] * coefficient * (1[j = y] - p_j) / temperature; exactly 0 for masked tokens, beyond the common
 *  vocabulary and in bad rows, whose value is NaN.
 *  @param teacher      NULL allowed for TRB_ESTIMATOR_NLL: then the student's vocabulary is the common one
 *  @param token        [rows] in [0, common vocabulary)
 *  @param log_behavior [rows] log-probability under what sampled the token (trb_draw.log_sampled), finite, <= 0 up to
 *                      rounding (at most 1e-3); NULL: the student itself. Only for TRB_ESTIMATOR_ADVANTAGE
 *  @param weight       [rows] finite, or NULL for ones; a row of weight 0 is not read: value 0, gradient 0
 *  @param options      NULL: the advantage, no clips
 *  @param out          [rows]
 *  @param grad         [rows, the student's vocab] or NULL; may be the student's or the teacher's own buffer
 *  @return TRB_EINVAL: views, options, a token out of range, a weight or log_behavior not finite, a NULL pointer;
 *          TRB_EROWS */
TRB_API trb_status trb_token_terms(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                   const int64_t *token, const double *log_behavior, const double *weight,
                                   const trb_term_options *options, trb_term *out, const trb_logits *grad);

/* ---- A teacher known in part ----------------------------------------------------------------------------- */

/** The top-k log-probabilities that a teacher's server returns, or any others: of each row a list of tokens. What
 *  probability the list leaves is spread over the other tokens in proportion to the student:
 *
 *      q(v) = listed,    q(v) = (1 - Q) p(v) / (1 - P) off the list,    P and Q the listed mass of student and teacher
 *
 *  Lists may be in any order and of any length. Of a repeated id the first entry counts. An empty list makes q = p. A
 *  list of all tokens leaves none over; then, and where the student masks all that are, mu is renormalized on the list.
 *  Mass above 1, up to 1.001, is rounding: the list is divided by it. docs/math.md, section 20, shows what optimum this
 *  is. */
typedef struct trb_sparse {
  const int64_t *ids;    /**< [entries] in [0, the student's vocab), or -1 for no entry */
  const float *log_q;    /**< [entries] natural log-probabilities at the teacher's temperature; -INFINITY masks */
  const int64_t *offset; /**< [rows + 1] row r has entries offset[r] to offset[r + 1] - 1; NULL: `k` each */
  int64_t k;             /**< entries of every row, [rows, k]; 0 with offsets */
  double least_rest;     /**< in [0, 1): a list that leaves over less than this is scaled down to leave so much. A list
                              of a confident teacher may add up to 1 by rounding, and then masks all other tokens. 0: it
                              does */
} trb_sparse;

/** The blend of a row with a list, and what trb_sample_sparse needs beside it. NaN where the status is negative. */
typedef struct trb_sparse_blend {
  trb_blend blend;         /**< as of trb_solve for the q above; t is log q, so lse_teacher is 0 */
  double log_rest_student; /**< log(1 - P); -INFINITY if the student allows no token off the list */
  double log_rest_teacher; /**< log(1 - Q); -INFINITY if nothing is left over */
  double max_student;      /**< the student's largest logit */
  double log2_norm;        /**< log2 p = (logit - max_student) / (T log 2) - log2_norm */
  double log2_z;           /**< log2 sum p^(1-beta) q^beta */
  double log2_excess;      /**< log2 of what listed probabilities were divided by: 0 unless Q is too much */
} trb_sparse_blend;

/** trb_solve where the teacher is a list. Off the list log(q/p) is one number, so the row of the student is read once,
 *  and what follows takes time in proportion to the list. Exact in double precision: kl_student meets the budget as for
 *  trb_solve, and KL(mu||p) does not depend on how the teacher spreads the rest.
 *  @param student  [rows, vocab]
 *  @param teacher  lists of the rows
 *  @param budget   [n_budget] as for trb_solve
 *  @param n_budget rows, or 1 for one budget shared by all
 *  @param options  NULL for defaults
 *  @param out      [rows]
 *  @return TRB_EINVAL: views, lists, budgets, an option, a NULL pointer; TRB_EROWS: some rows are TRB_ROW_EMPTY (the
 *          student masks all), TRB_ROW_NOT_A_NUMBER (logits, or NaN or +inf in the list) or TRB_ROW_EXCESS */
TRB_API trb_status trb_solve_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                                    const double *budget, int64_t n_budget, const trb_solve_options *options,
                                    trb_sparse_blend *out);

/** trb_sample from such a blend. log_teacher is log q, also off the list.
 *  @param teacher  lists of the rows
 *  @param blend    [rows] as trb_solve_sparse gave it for these logits and lists
 *  @param sampler  NULL: seed 0, no filter
 *  @param out      [rows]
 *  @return TRB_EINVAL: views, lists, a sampler field out of range, a NULL pointer, a beta outside [0, 1], masses that do
 *          not add up to 1; TRB_EROWS: a blend has a negative status or a NaN, or the logits that are read do */
TRB_API trb_status trb_sample_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                                     const trb_sparse_blend *blend, const trb_sampler *sampler, trb_draw *out);

/** trb_reverse_kl where the teacher is a list, with everything else as there; S is the list, whose r = log p - log q is
 *  that of each token, and off it log((1-P)/(1-Q)). TRB_FORM_FULL is KL(p||q) of the q above, and TRB_FORM_TAIL_BUCKET
 *  the same number: KL of any teacher with this list is at least that. In a record `entropy_teacher` and
 *  `argmax_teacher` are those of that q, `support` counts tokens of the list that the student allows.
 *  @param teacher lists of the rows; TRB_FORM_RENORMALIZED needs two different ids in each
 *  @param options form; support, k and ids must be 0 and NULL. NULL for the full form
 *  @param grad    may be the student's own buffer
 *  @return TRB_EINVAL: as trb_reverse_kl, and lists; TRB_EROWS: also for TRB_ROW_EXCESS. TRB_ROW_EMPTY for the other
 *          forms if the list has no token that the student allows */
TRB_API trb_status trb_reverse_kl_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                                         const double *weight, const trb_loss_options *options, double *loss,
                                         const trb_logits *grad, trb_loss_row *rows);

/* ---- Heads ----------------------------------------------------------------------------------------------- */

/** cblas_sgemm of OpenBLAS, MKL, BLIS, Accelerate or any other CBLAS whose integers have 32 bits. The library brings no
 *  matrix product of its own, and leaves the threads of yours as they are. */
typedef void (*trb_sgemm_fn)(unsigned order, unsigned transpose_a, unsigned transpose_b, int32_t m, int32_t n,
                             int32_t k, float alpha, const float *a, int32_t lda, const float *b, int32_t ldb,
                             float beta, float *c, int32_t ldc);

/** The last hidden states of a model at the rows of a call, and the head that makes logits of them:
 *
 *      logits(r, v) = cap(scale (weight(v) . hidden(r) + bias(v))),    cap(x) = soft_cap tanh(x/soft_cap)
 *
 *  TRB_EINVAL in any function that takes one: a NULL hidden or weight with rows > 0; vocab or width < 1; a stride below
 *  the width; one of these or the rows above 2^31 - 1; an unknown dtype; memory not aligned to its element; a scale,
 *  soft_cap or temperature that is not finite, soft_cap or temperature negative. */
typedef struct trb_head {
  size_t size;           /**< sizeof(trb_head) */
  const float *hidden;   /**< [rows, width], row r at hidden + r*hidden_stride */
  int64_t hidden_stride; /**< in elements */
  const void *weight;    /**< [vocab, width], of `dtype`; row v at v*weight_stride */
  int64_t weight_stride;
  const float *bias; /**< [vocab] or NULL */
  int64_t vocab;
  int64_t width;     /**< of the hidden states */
  int32_t dtype;     /**< of the weights: TRB_F32; TRB_F16 and TRB_BF16 are turned into floats a piece at a time */
  float scale;       /**< 0 means 1 */
  float soft_cap;    /**< 0: none */
  float temperature; /**< of the distribution, as in trb_logits; 0 means 1 */
} trb_head;

/** How the functions on heads work. */
typedef struct trb_head_options {
  size_t size;          /**< sizeof(trb_head_options) */
  trb_sgemm_fn sgemm;   /**< must be given */
  int64_t logits_bytes; /**< most bytes of logits that exist at a time, both models together, though always one row;
                             0 means 256 MiB */
} trb_head_options;

/** Where trb_head_reverse_kl puts gradients; what is NULL is not computed. */
typedef struct trb_head_grad {
  size_t size;           /**< sizeof(trb_head_grad) */
  float *hidden;         /**< [rows, the student's width] written: of the hidden states */
  int64_t hidden_stride; /**< in elements */
  float *weight;         /**< [the student's vocab, width] added to: of the head's weights, as floats whatever their
                              dtype */
  int64_t weight_stride;
  float *bias;           /**< [the student's vocab] added to */
} trb_head_grad;

/** trb_reverse_kl from hidden states: a chunk of rows at a time both models' logits are made, the loss is taken, and its
 *  gradient goes back through the student's head. No more than logits_bytes of logits ever exist. Gradients are those
 *  of sum weight[r] loss[r]; a row without a result adds nothing to any of them.
 *
 *  Takes memory for the logits, and 4 MiB for pieces of weights that are not floats. For one
 *  BLAS with its settings and one logits_bytes the results are the same bits, whatever the context.
 *  @param rows      >= 0
 *  @param weight    [rows] as for trb_reverse_kl
 *  @param options   as for trb_reverse_kl
 *  @param how       sgemm and the limit
 *  @param loss      [rows] or NULL
 *  @param grad      NULL for none
 *  @param loss_rows [rows] or NULL
 *  @return as trb_reverse_kl; TRB_ENOMEM: nothing was written */
TRB_API trb_status trb_head_reverse_kl(trb_context *ctx, int64_t rows, const trb_head *student,
                                       const trb_head *teacher, const double *weight, const trb_loss_options *options,
                                       const trb_head_options *how, double *loss, const trb_head_grad *grad,
                                       trb_loss_row *loss_rows);

/** trb_solve and trb_sample from hidden states, likewise.
 *  @param teacher NULL if every budget is 0
 *  @param budget  [n_budget] as for trb_solve
 *  @param options as for trb_solve
 *  @param sampler as for trb_sample; not looked at without `draw`
 *  @param how     sgemm and the limit
 *  @param blend   [rows]
 *  @param draw    [rows] or NULL
 *  @return as trb_solve and trb_sample; TRB_ENOMEM: nothing was written */
TRB_API trb_status trb_head_solve(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher,
                                  const double *budget, int64_t n_budget, const trb_solve_options *options,
                                  const trb_sampler *sampler, const trb_head_options *how, trb_blend *blend,
                                  trb_draw *draw);

/* ---- Entropy --------------------------------------------------------------------------------------------- */

/** The entropy of each row's distribution, in nats.
 *  @param logits [rows, vocab]
 *  @param out    [rows]; NaN where the row holds no distribution
 *  @return TRB_EINVAL: view, out NULL or inside the logits' memory; TRB_EROWS */
TRB_API trb_status trb_entropy(trb_context *ctx, const trb_logits *logits, double *out);

/* ---- Models ---------------------------------------------------------------------------------------------- */

/** What a callback returns to go on. Any other value stops the call with TRB_ECALLBACK, 0 among them, because an
 *  exception lost in a foreign runtime reads as 0. */
enum { TRB_CONTINUE = 1 };

/** What a model is asked about one sequence: the next-token logits after each of its last `rows` tokens.
 *
 *  A cache may keep the first `known` tokens, which this model was shown for this sequence by earlier queries of the
 *  same library call, and must drop whatever it holds beyond them. `known` is 0 at the first query of a sequence in
 *  each library call: nothing carries over from an earlier call. A sequence that was among the queries before and is
 *  not now has ended: its cache may be freed. While the student proposes a block, in calls where `proposed` >= `rows`,
 *  a sequence may be missing that goes on later. */
typedef struct trb_query {
  const int64_t *tokens; /**< [length] the prompt and what follows it so far; readable during the callback */
  int64_t sequence;      /**< its number, in [0, sequences); ascending among the queries of one callback */
  int64_t length;        /**< >= 1 */
  int64_t known;         /**< in [0, length - rows] */
  int64_t rows;          /**< >= 1 */
  int64_t proposed;      /**< so many of its last tokens are proposals, which may be dropped again; 0 without blocks */
} trb_query;

/** Answers n queries: fills `out`, the rows of query 0 first, then those of query 1, and so on. `out` has as many rows
 *  as the queries want together, the vocabulary and dtype of the model, and stride vocab. It holds NaN when the
 *  callback gets it, so that rows which are not filled to their end are found out. Runs on the thread that called the
 *  library; may not use that call's context.
 *  @return TRB_CONTINUE to go on */
typedef int32_t (*trb_forward_fn)(const trb_query *queries, int64_t n, const trb_logits *out, void *user);

/** Takes the gradient of the objective with respect to the logits that forward just gave for these queries, and adds
 *  what follows from it to the gradient of the model's parameters, which is the caller's. `grad` has the rows of that
 *  answer; its data may be overwritten. Thread and context as for trb_forward_fn.
 *  @return TRB_CONTINUE to go on */
typedef int32_t (*trb_backward_fn)(const trb_query *queries, int64_t n, const trb_logits *grad, void *user);

/** Told between the steps of long work that `done` of `total` sequences are finished. Thread and context as for
 *  trb_forward_fn.
 *  @return TRB_CONTINUE to go on; anything else cancels the call */
typedef int32_t (*trb_progress_fn)(int64_t done, int64_t total, void *user);

/** A model. */
typedef struct trb_model {
  size_t size;              /**< sizeof(trb_model) */
  int64_t vocab;            /**< >= 1 */
  trb_forward_fn forward;
  trb_backward_fn backward; /**< of a student that trb_train_step trains; else it is not looked at */
  void *user;               /**< handed to both */
  int32_t dtype;            /**< of the logits that forward fills: TRB_F32, TRB_F16 or TRB_BF16 */
  float temperature;        /**< its distribution is the softmax of its logits divided by this; 0 means 1 */
} trb_model;

/** End-of-text tokens that mean the same though the tokenizers number them differently. In the rows of both models
 *  teacher[i] is merged into student[i] (trb_merge_tokens, pairs in order; not where a vocabulary ends before
 *  teacher[i]), and the gradient is split again. When student[i] is sampled, the sequence ends. arXiv 2605.31159. */
typedef struct trb_ends {
  const int64_t *student; /**< [n] ids in the common vocabulary */
  const int64_t *teacher; /**< [n] ids in one of the vocabularies, any id if a model is not given; teacher[i] !=
                               student[i] */
  int64_t n;
} trb_ends;

/* ---- Rollouts -------------------------------------------------------------------------------------------- */

/** Who samples: mu is what tokens are drawn from, p is the student, q the teacher, all on the common vocabulary. A
 *  model that mu does not need is not called. */
enum {
  TRB_BEHAVIOR_BUDGET = 0,  /**< the blend within `budget` (trb_solve); budget 0 is the student alone, vanilla
                                 on-policy distillation */
  TRB_BEHAVIOR_BETA = 1,    /**< the blend at weight `beta` (trb_blend_at); beta 0 is the student alone */
  TRB_BEHAVIOR_STUDENT = 2, /**< p^(1/temperature), normalized */
  TRB_BEHAVIOR_TEACHER = 3, /**< q^(1/temperature), normalized: offline distillation */
  TRB_BEHAVIOR_SKD = 4      /**< speculative knowledge distillation (arXiv 2410.11325): a token of the student that is
                                 not among the teacher's `top_k` is replaced by one of the teacher at `temperature`.
                                 With K that top-k: mu = 1_K p + (1 - p(K)) q^(1/temperature) */
};

/** Options of trb_rollout. What the chosen behavior does not use must be 0. */
typedef struct trb_rollout_options {
  size_t size;                    /**< sizeof(trb_rollout_options) */
  double budget;                  /**< BUDGET: nats per token, >= 0, finite or INFINITY */
  double beta;                    /**< BETA: in [0, 1] */
  double temperature;             /**< STUDENT, TEACHER, SKD: on top of the model's own, finite, > 0; 0 means 1 */
  int64_t top_k;                  /**< SKD: >= 1 */
  const trb_solve_options *solve; /**< BUDGET: NULL for defaults */
  const trb_sampler *sampler;     /**< seed, filters, purpose; here `stream` is [sequences], `index` NULL. NULL for
                                       defaults */
  const int64_t *stop;            /**< [n_stop] ids in the common vocabulary that end a sequence */
  int64_t n_stop;
  const trb_ends *ends;           /**< NULL for none */
  int64_t max_tokens;             /**< most sampled tokens of a sequence; 0: no limit of this kind */
  int64_t max_length;             /**< most tokens of a sequence with its prompt; 0: no limit of this kind. One of the
                                       two must be set, and leave every prompt room for a token */
  int64_t repeats;                /**< sequences per prompt: sequence i continues prompt i / repeats; 0 means 1 */
  int64_t batch;                  /**< most sequences per callback, the others wait until one ends; 0: all */
  int64_t block;                  /**< BUDGET, BETA: most tokens that the student proposes before the teacher is asked;
                                       0: none, mu is sampled from token by token */
  int64_t keep_bytes;             /**< teacher logits are kept for the loss as long as they fit in so many bytes; 0:
                                       none */
  trb_progress_fn progress;       /**< NULL, or called after every step */
  void *progress_user;
  int32_t behavior;               /**< TRB_BEHAVIOR_* */
  int32_t reserved;
} trb_rollout_options;

/** Why a sequence ended. */
enum {
  TRB_STOP_NONE = 0,    /**< it did not: a callback stopped the call */
  TRB_STOP_TOKEN = 1,   /**< its last token is a stop id or one of trb_ends */
  TRB_STOP_LENGTH = 2,  /**< max_tokens or max_length */
  TRB_STOP_STUDENT = 3, /**< the student's logits hold no distribution */
  TRB_STOP_TEACHER = 4, /**< the teacher's logits hold no distribution */
  TRB_STOP_GIVEN = 5    /**< its end is the caller's (trb_rollouts_new) */
};

/** Sequences, and what is known of each sampled token. Flat arrays that belong to the object, for reading only. The
 *  sampled tokens of sequence i are numbers offset[i] to offset[i + 1] - 1. What is not known is NaN.
 *
 *  The library makes this struct, so it may grow at the end. The object may outlive its context. */
typedef struct trb_rollouts {
  size_t size;                   /**< of the struct as the library made it */
  int64_t n;                     /**< sequences */
  int64_t n_tokens;              /**< sampled tokens of all sequences */
  const int64_t *text;           /**< whole sequences: prompt, then response. {text, text_offset, n} is a trb_texts */
  const int64_t *text_offset;    /**< [n + 1] */
  const int64_t *offset;         /**< [n + 1] into the arrays of n_tokens */
  const uint64_t *stream;        /**< [n] random stream */
  const int32_t *stop;           /**< [n] TRB_STOP_* */
  const int32_t *row;            /**< [n] TRB_ROW_OK, or what was wrong with the logits that ended it */
  const int64_t *token;          /**< [n_tokens] */
  const double *log_sampled;     /**< [n_tokens] log-probability under what was really sampled from, after the filters
                                      */
  const double *log_behavior;    /**< [n_tokens] log mu(token) */
  const double *log_student;     /**< [n_tokens] log p(token) */
  const double *log_teacher;     /**< [n_tokens] log q(token); -INFINITY where it is masked */
  const double *beta;            /**< [n_tokens] weight of the teacher: in the blend, for SKD 1 - p(K), for a model
                                      alone 0 or 1 */
  const double *kl_student;      /**< [n_tokens] KL(mu||p) */
  const double *kl_teacher;      /**< [n_tokens] KL(mu||q) */
  const double *reverse_kl;      /**< [n_tokens] KL(p||q) */
  const double *entropy_student; /**< [n_tokens] of p */
  const double *entropy_teacher; /**< [n_tokens] of q */
  const double *tv;              /**< [n_tokens] TV(mu,p), where the token or what it replaced was proposed */
  const int64_t *argmax_teacher; /**< [n_tokens] of q, of equal ones the lowest id, where one was proposed; else -1 */
  const int32_t *status;         /**< [n_tokens] as trb_solve or trb_blend_at gives it for BUDGET and BETA; else
                                      TRB_ROW_GIVEN */
  const int32_t *verdict;        /**< [n_tokens] TRB_VERDICT_ACCEPTED or _CORRECTED, or _DRAWN without blocks */
  int64_t proposed;              /**< tokens that the student proposed, with those that were dropped */
  double budget;                 /**< that was sampled at; NaN unless BUDGET */
  int64_t kept;                  /**< tokens whose teacher logits are kept */
  int64_t student_calls;         /**< of its forward callback, by trb_rollout and trb_score */
  int64_t teacher_calls;
} trb_rollouts;

/** Samples a response to every prompt.
 *
 *  All unfinished sequences advance by one token at a time; a finished one leaves the batch. The random number of a
 *  token is trb_sample's for stream[i] (NULL: the sequence's number) and, as index, the number of tokens before it with
 *  the prompt. A sequence therefore depends on its prompt, seed and stream alone, whatever else is in the batch; and if
 *  it is cut anywhere and continued with its stream, the same tokens follow.
 *
 *  With `block`, each sequence gets up to so many tokens in a step: the student proposes them one by one, the teacher
 *  answers all of them in one call, and trb_verify says which stand. What is sampled is distributed as without blocks,
 *  and is the same for blocks of any length; it is another sample than without. A block ends at a proposal that would
 *  end its sequence. Where mu is the student, at budget or beta 0, no teacher is called and `block` changes nothing.
 *
 *  Each sampled token costs one row of every model that mu needs, in blocks also what is dropped. A teacher that is not
 *  needed for mu can be asked afterwards in one pass, by trb_score or by trb_train_step; if given, it bounds the common
 *  vocabulary all the same.
 *
 *  All memory is taken before the first callback: the logits of one step, keep_bytes, and for every token that may be
 *  sampled about 130 bytes.
 *
 *  @param student may be NULL if mu does not need it
 *  @param teacher may be NULL if mu does not need it
 *  @param prompts each of at least one token, with ids in the vocabularies of the models that are given
 *  @param options NULL is TRB_EINVAL: a limit must be set
 *  @param out     receives the object, for trb_rollouts_free; NULL on TRB_EINVAL and TRB_ENOMEM
 *  @return TRB_EINVAL; TRB_ENOMEM; TRB_EROWS: sequences ended with TRB_STOP_STUDENT or _TEACHER; TRB_ECALLBACK:
 *          stopped, with all that was sampled until then in `out`. The context's text names the model, the sequence and
 *          the position */
TRB_API trb_status trb_rollout(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                               const trb_texts *prompts, const trb_rollout_options *options, trb_rollouts **out);

/** Makes the object of sequences that come from elsewhere: a data set, another engine's rollouts. Only tokens and, if
 *  given, log_sampled are known; trb_score finds out more.
 *  @param texts         prompts with responses, ids >= 0
 *  @param prompt_length [texts->n] in [1, tokens of the text]
 *  @param log_sampled   [tokens of all responses] log-probabilities of whoever sampled them, or NULL
 *  @param ends          NULL for none; a sampled token that is ends->teacher[i] counts as ends->student[i]
 *  @param out           as for trb_rollout
 *  @return TRB_EINVAL, TRB_ENOMEM */
TRB_API trb_status trb_rollouts_new(trb_context *ctx, const trb_texts *texts, const int64_t *prompt_length,
                                    const double *log_sampled, const trb_ends *ends, trb_rollouts **out);

/** Ends the object. NULL does nothing. */
TRB_API void trb_rollouts_free(trb_rollouts *rollouts);

/** Options of trb_score. */
typedef struct trb_score_options {
  size_t size;              /**< sizeof(trb_score_options) */
  int64_t batch_bytes;      /**< most bytes of logits at a time, though always one sequence; 0 means 256 MiB */
  int64_t keep_bytes;       /**< as for trb_rollout; counts what is kept already */
  trb_progress_fn progress; /**< NULL, or called after every query; a sequence counts once for each model */
  void *progress_user;
} trb_score_options;

/** Asks the models about sampled tokens that they have not seen, whole responses at a time, and fills in log_student
 *  and entropy_student, log_teacher and entropy_teacher; and keeps teacher logits that are not kept yet, if keep_bytes
 *  allows. What is known stays as it is.
 *  @param student NULL: not asked
 *  @param teacher NULL: not asked
 *  @param inout   its ids must be in the vocabularies of the models that are given
 *  @return TRB_EINVAL; TRB_ENOMEM; TRB_EROWS: some rows hold no distribution, their values stay NaN; TRB_ECALLBACK:
 *          what was answered until then is filled in */
TRB_API trb_status trb_score(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                             const trb_score_options *options, trb_rollouts *inout);

/** What a trainer logs of a batch of rollouts. Means are over the tokens whose value is known and finite; NaN if none.
 *  */
typedef struct trb_totals {
  size_t size;            /**< sizeof(trb_totals), set by the caller */
  int64_t sequences;
  int64_t tokens;
  int64_t stopped_token;  /**< sequences by TRB_STOP_ reason */
  int64_t stopped_length;
  int64_t stopped_row;    /**< by a row of either model */
  int64_t unfinished;
  int64_t shortest;       /**< response of the fewest tokens */
  int64_t longest;
  int64_t infinite;       /**< tokens with an infinite log-probability or KL: left out of that mean */
  double mean_length;     /**< tokens per response */
  double sequence_kl;     /**< mean over sequences of their sum of kl_student: by the chain rule an unbiased estimate of
                               KL(P_mu||P_p), if no filter was on. NaN if a term is not known */
  double sequence_bound;  /**< what it can be at most: budget times mean_length; NaN without a budget */
  double saturated;       /**< share of tokens at the budget, TRB_ROW_BLENDED */
  double beta;            /**< means over tokens, from here on */
  double log_behavior;
  double log_student;
  double log_teacher;
  double kl_student;
  double kl_teacher;
  double reverse_kl;
  double entropy_student;
  double entropy_teacher;
  double tv;              /**< how likely a proposal is corrected */
  int64_t proposed;       /**< tokens that the student proposed; what is neither accepted nor corrected was dropped */
  int64_t accepted;
  int64_t corrected;
} trb_totals;

/** Sums up rollouts.
 *  @return TRB_EINVAL: a NULL pointer, a size */
TRB_API trb_status trb_rollouts_totals(trb_context *ctx, const trb_rollouts *rollouts, trb_totals *out);

/* ---- Training -------------------------------------------------------------------------------------------- */

/** What trb_train_step descends. */
enum {
  TRB_OBJECTIVE_REVERSE_KL = 0, /**< trb_reverse_kl at every sampled token's prefix: on-policy distillation */
  TRB_OBJECTIVE_DIVERGENCE = 1, /**< trb_divergence there */
  TRB_OBJECTIVE_TOKEN = 2       /**< trb_token_terms of the sampled token; the advantage takes log_sampled where known
                                     */
};

/** How weights become those of the loss functions. A token counts if its weight is not 0. */
enum {
  TRB_NORM_TOKENS = 0,    /**< divided by the number of tokens that count: a mean over tokens */
  TRB_NORM_SEQUENCES = 1, /**< divided by the tokens that count in its sequence, and by the number of sequences that
                               have any: a mean over sequences of means over tokens */
  TRB_NORM_NONE = 2       /**< as they are */
};

/** Options of trb_train_step. Options of an objective that was not chosen must be NULL. */
typedef struct trb_train_options {
  size_t size;                              /**< sizeof(trb_train_options) */
  const trb_loss_options *reverse_kl;       /**< of TRB_OBJECTIVE_REVERSE_KL; NULL for defaults; `ids` is [n_tokens, k]
                                                 */
  const trb_divergence_options *divergence; /**< of TRB_OBJECTIVE_DIVERGENCE; NULL for defaults */
  const trb_term_options *token;            /**< of TRB_OBJECTIVE_TOKEN; NULL for defaults */
  const double *weight;                     /**< [n_tokens] finite; NULL for ones. A sequence without a token that
                                                 counts is not asked about */
  double scale;                             /**< multiplies all weights, finite; 0 means 1. 1/ranks, a loss scale */
  double bridge;                            /**< in (0, 1]; 0 means 1: the target is not q but the blend of p and q at
                                                 this weight, held constant (Veto); q where the supports do not meet.
                                                 Divergences only. What is said of the teacher is then said of the
                                                 target */
  int64_t batch_bytes;                      /**< most bytes of logits and gradients at a time, though always one
                                                 sequence; 0 means 256 MiB */
  trb_progress_fn progress;                 /**< NULL, or called after every micro-batch */
  void *progress_user;
  int32_t objective;                        /**< TRB_OBJECTIVE_* */
  int32_t norm;                             /**< TRB_NORM_* */
  int32_t grad_dtype;                       /**< of the gradient that backward gets */
  int32_t evaluate;                         /**< 1: no gradient; backward is not called */
  int32_t routed;                           /**< 1: the loss of a corrected token (TRB_VERDICT_CORRECTED) is, in place
                                                 of the objective, -log p(argmax q) with trb_rollouts.argmax_teacher
                                                 (arXiv 2609.36601). Weights and norm stay those of all tokens */
  int32_t reserved;
} trb_train_options;

/** What a training step says of itself. Means are over the tokens that count and have a result. */
typedef struct trb_train_report {
  size_t size;            /**< sizeof(trb_train_report), set by the caller */
  int64_t tokens;         /**< that count */
  int64_t bad;            /**< of them without a result: gradient 0, not in the sums below */
  int64_t clipped;        /**< terms that a clip changed */
  int64_t micro_batches;
  int64_t teacher_rows;   /**< that the teacher was asked for in this call; the others were kept */
  double objective;       /**< sum of weight * loss, weights as normalized and scaled: what the gradient belongs to */
  double loss;            /**< mean loss, unweighted */
  double entropy_student; /**< means of trb_loss_row, from here on; NaN for TRB_OBJECTIVE_TOKEN */
  double entropy_teacher;
  double mass_student;
  double mass_teacher;
  double agreement;       /**< share of tokens at which both models have the same argmax */
  int64_t routed;         /**< tokens whose loss was -log p(argmax q): in `loss`, not in the means below it */
  double routed_loss;     /**< mean over those alone */
} trb_train_report;

/** One step's loss and gradient on a batch of rollouts; the optimizer is the caller's.
 *
 *  Responses are taken in order, in micro-batches of whole sequences: the student's forward gives the logits before
 *  every sampled token (`known` 0, `rows` all of the response), the teacher's are those kept or asked for likewise, the
 *  loss is taken, and the student's backward gets the gradient. Weights are fixed beforehand, so neither the loss nor
 *  any row of the gradient depends on the micro-batches. Merged end tokens are split again: the gradient is with
 *  respect to the logits as the student gave them.
 *
 *  A row without a result has gradient 0 and is counted; its loss is NaN or INFINITY.
 *
 *  @param student trained through `backward`
 *  @param teacher NULL only for TRB_ESTIMATOR_NLL, which does not call it. Not called where its logits are kept; vocab,
 *                 dtype and temperature must be those that they were kept with
 *  @param rollouts ids in the vocabularies of both models
 *  @param options NULL for defaults
 *  @param loss    [n_tokens] or NULL; not weighted, 0 where weight is 0
 *  @param rows    [n_tokens] or NULL; must be NULL for TRB_OBJECTIVE_TOKEN. TRB_ROW_SKIPPED for a routed token
 *  @param out     the report, or NULL
 *  @return TRB_EINVAL; TRB_ENOMEM: nothing was called; TRB_EROWS: some rows have no result, all others were trained on;
 *          TRB_ECALLBACK: stopped, the model's gradient holds a part of the sum, and no output was written. The
 *          context's text names the model and the sequences */
TRB_API trb_status trb_train_step(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                                  const trb_rollouts *rollouts, const trb_train_options *options, double *loss,
                                  trb_loss_row *rows, trb_train_report *out);

/* ---- Diagnostics (arXiv 2605.31159) ---------------------------------------------------------------------- */

/** The score of each sequence: the mean of log q - log p over its sampled tokens. NaN if one is not known or there is
 *  none; -INFINITY if the teacher masks one, INFINITY if the student does.
 *  @param out [rollouts->n]
 *  @return TRB_EINVAL: a NULL pointer */
TRB_API trb_status trb_sequence_scores(trb_context *ctx, const trb_rollouts *rollouts, double *out);

/** How well a score tells two kinds apart: the probability that a random positive scores above a random negative, ties
 *  counting half (the area under the ROC curve).
 *  @param score    [n] not NaN
 *  @param positive [n] 0 or 1
 *  @param out      in [0, 1]; NaN if all are of one kind
 *  @return TRB_EINVAL: a NULL pointer with n > 0, n < 0, a NaN, another number in `positive`; TRB_ENOMEM */
TRB_API trb_status trb_auroc(trb_context *ctx, const double *score, const int32_t *positive, int64_t n, double *out);

/** Judges a whole sequence. Thread and context as for trb_forward_fn.
 *  @param tokens   [length], of which the first `prompt` are the prompt
 *  @param sequence its number
 *  @param out      receives its reward, finite, such as 1 for success and 0 for none
 *  @return TRB_CONTINUE to go on */
typedef int32_t (*trb_judge_fn)(const int64_t *tokens, int64_t length, int64_t prompt, int64_t sequence, double *out,
                                void *user);

/** What a prefix is worth. */
typedef struct trb_gain {
  size_t size;           /**< sizeof(trb_gain), set by the caller */
  int64_t pairs;
  int64_t continued_a;   /**< prefixes that had not ended at the cut */
  int64_t continued_b;
  double reward_a;       /**< mean rewards after the continuation */
  double reward_b;
  double gain;           /**< reward_a - reward_b */
  double standard_error; /**< of the gain, over pairs; NaN for fewer than two */
} trb_gain;

/** Continuation gain: cuts the responses of two batches after `cut` tokens, continues both in the same way, and
 *  compares what the judge says of the whole. Sequences i of both are a pair and should answer the same prompt, one
 *  sampled from mu and the other by the student; a response that ended before the cut is judged as it is.
 *  @param a, b    as many sequences each
 *  @param cut     >= 0
 *  @param options how to continue, such as by TRB_BEHAVIOR_TEACHER or by TRB_BEHAVIOR_STUDENT; sampler->stream
 *                 [sequences] serves both batches, `repeats` must be 0. The models see those sequences that go on,
 *                 numbered anew
 *  @return as trb_rollout; `out` is written on TRB_OK and TRB_EROWS */
TRB_API trb_status trb_continuation_gain(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                                         const trb_rollouts *a, const trb_rollouts *b, int64_t cut,
                                         const trb_rollout_options *options, trb_judge_fn judge, void *judge_user,
                                         trb_gain *out);

#ifdef __cplusplus
}
#endif
#endif
