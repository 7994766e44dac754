-- What trb.h declares. Written by examples/declarations, not by hand.
local ffi = require "ffi"

ffi.cdef [[
typedef int32_t trb_status;
typedef struct trb_context trb_context;
typedef struct trb_context_options trb_context_options;
typedef struct trb_logits trb_logits;
typedef struct trb_texts trb_texts;
typedef struct trb_schedule trb_schedule;
typedef struct trb_solve_options trb_solve_options;
typedef struct trb_blend trb_blend;
typedef struct trb_sampler trb_sampler;
typedef struct trb_draw trb_draw;
typedef struct trb_verdict trb_verdict;
typedef struct trb_verify_options trb_verify_options;
typedef struct trb_loss_options trb_loss_options;
typedef struct trb_loss_row trb_loss_row;
typedef struct trb_divergence_options trb_divergence_options;
typedef struct trb_term_options trb_term_options;
typedef struct trb_term trb_term;
typedef struct trb_sparse trb_sparse;
typedef struct trb_sparse_blend trb_sparse_blend;
typedef struct trb_head trb_head;
typedef struct trb_head_options trb_head_options;
typedef struct trb_head_grad trb_head_grad;
typedef struct trb_query trb_query;
typedef struct trb_model trb_model;
typedef struct trb_ends trb_ends;
typedef struct trb_rollout_options trb_rollout_options;
typedef struct trb_rollouts trb_rollouts;
typedef struct trb_score_options trb_score_options;
typedef struct trb_totals trb_totals;
typedef struct trb_train_options trb_train_options;
typedef struct trb_train_report trb_train_report;
typedef struct trb_gain trb_gain;
typedef void (*trb_task_fn)(void *task, int64_t index);
typedef void (*trb_parallel_for_fn)(int64_t n, trb_task_fn fn, void *task, void *user);
typedef void *(*trb_alloc_fn)(size_t bytes, void *user);
typedef void (*trb_free_fn)(void *memory, void *user);
typedef void (*trb_sgemm_fn)(unsigned order, unsigned transpose_a, unsigned transpose_b, int32_t m, int32_t n, int32_t k, float alpha, const float *a, int32_t lda, const float *b, int32_t ldb, float beta, float *c, int32_t ldc);
typedef int32_t (*trb_forward_fn)(const trb_query *queries, int64_t n, const trb_logits *out, void *user);
typedef int32_t (*trb_backward_fn)(const trb_query *queries, int64_t n, const trb_logits *grad, void *user);
typedef int32_t (*trb_progress_fn)(int64_t done, int64_t total, void *user);
typedef int32_t (*trb_judge_fn)(const int64_t *tokens, int64_t length, int64_t prompt, int64_t sequence, double *out, void *user);
struct trb_context_options {
  size_t size;
  int64_t threads;
  trb_parallel_for_fn parallel_for;
  void *parallel_user;
  trb_alloc_fn alloc;
  trb_free_fn free;
  void *alloc_user;
  int32_t isa;
  int32_t reserved;
  char *error;
  int64_t error_bytes;
};
struct trb_logits {
  void *data;
  int64_t rows;
  int64_t vocab;
  int64_t stride;
  int32_t dtype;
  float temperature;
};
struct trb_texts {
  const int64_t *tokens;
  const int64_t *offset;
  int64_t n;
};
struct trb_schedule {
  size_t size;
  int32_t kind;
  int32_t reserved;
  double initial;
  int64_t steps;
  const int64_t *at;
  const double *budgets;
  int64_t points;
};
struct trb_solve_options {
  size_t size;
  double tolerance;
  int32_t method;
  int32_t reserved;
};
struct trb_blend {
  double beta;
  double multiplier;
  double kl_student;
  double kl_teacher;
  double reverse_kl;
  double log_norm;
  double lse_student;
  double lse_teacher;
  int32_t status;
  int32_t passes;
  int64_t support;
  float mass[32];
};
struct trb_sampler {
  size_t size;
  uint64_t seed;
  const uint64_t *stream;
  const int64_t *index;
  int64_t top_k;
  double top_p;
  double min_p;
  int32_t greedy;
  int32_t purpose;
};
struct trb_draw {
  int64_t token;
  int64_t kept;
  double log_sampled;
  double log_behavior;
  double log_student;
  double log_teacher;
  int32_t status;
  int32_t reserved;
};
struct trb_verdict {
  trb_draw draw;
  double acceptance;
  double tv;
  int64_t argmax_teacher;
  int32_t verdict;
  int32_t reserved;
};
struct trb_verify_options {
  size_t size;
  const trb_solve_options *solve;
  const trb_sampler *sampler;
  int32_t behavior;
  int32_t reserved;
};
struct trb_loss_options {
  size_t size;
  int32_t form;
  int32_t support;
  int64_t k;
  const int64_t *ids;
};
struct trb_loss_row {
  double entropy_student;
  double entropy_teacher;
  double mass_student;
  double mass_teacher;
  int64_t support;
  int64_t overlap;
  int64_t argmax_student;
  int64_t argmax_teacher;
  int32_t status;
  int32_t reserved;
};
struct trb_divergence_options {
  size_t size;
  double b;
  int32_t kind;
  int32_t reserved;
};
struct trb_term_options {
  size_t size;
  double ratio_low;
  double ratio_high;
  double advantage_limit;
  int32_t estimator;
  int32_t reserved;
};
struct trb_term {
  double value;
  double coefficient;
  double log_student;
  double log_teacher;
  double ratio;
  int32_t clipped;
  int32_t status;
};
struct trb_sparse {
  const int64_t *ids;
  const float *log_q;
  const int64_t *offset;
  int64_t k;
  double least_rest;
};
struct trb_sparse_blend {
  trb_blend blend;
  double log_rest_student;
  double log_rest_teacher;
  double max_student;
  double log2_norm;
  double log2_z;
  double log2_excess;
};
struct trb_head {
  size_t size;
  const float *hidden;
  int64_t hidden_stride;
  const void *weight;
  int64_t weight_stride;
  const float *bias;
  int64_t vocab;
  int64_t width;
  int32_t dtype;
  float scale;
  float soft_cap;
  float temperature;
};
struct trb_head_options {
  size_t size;
  trb_sgemm_fn sgemm;
  int64_t logits_bytes;
};
struct trb_head_grad {
  size_t size;
  float *hidden;
  int64_t hidden_stride;
  float *weight;
  int64_t weight_stride;
  float *bias;
};
struct trb_query {
  const int64_t *tokens;
  int64_t sequence;
  int64_t length;
  int64_t known;
  int64_t rows;
  int64_t proposed;
};
struct trb_model {
  size_t size;
  int64_t vocab;
  trb_forward_fn forward;
  trb_backward_fn backward;
  void *user;
  int32_t dtype;
  float temperature;
};
struct trb_ends {
  const int64_t *student;
  const int64_t *teacher;
  int64_t n;
};
struct trb_rollout_options {
  size_t size;
  double budget;
  double beta;
  double temperature;
  int64_t top_k;
  const trb_solve_options *solve;
  const trb_sampler *sampler;
  const int64_t *stop;
  int64_t n_stop;
  const trb_ends *ends;
  int64_t max_tokens;
  int64_t max_length;
  int64_t repeats;
  int64_t batch;
  int64_t block;
  int64_t keep_bytes;
  trb_progress_fn progress;
  void *progress_user;
  int32_t behavior;
  int32_t reserved;
};
struct trb_rollouts {
  size_t size;
  int64_t n;
  int64_t n_tokens;
  const int64_t *text;
  const int64_t *text_offset;
  const int64_t *offset;
  const uint64_t *stream;
  const int32_t *stop;
  const int32_t *row;
  const int64_t *token;
  const double *log_sampled;
  const double *log_behavior;
  const double *log_student;
  const double *log_teacher;
  const double *beta;
  const double *kl_student;
  const double *kl_teacher;
  const double *reverse_kl;
  const double *entropy_student;
  const double *entropy_teacher;
  const double *tv;
  const int64_t *argmax_teacher;
  const int32_t *status;
  const int32_t *verdict;
  int64_t proposed;
  double budget;
  int64_t kept;
  int64_t student_calls;
  int64_t teacher_calls;
};
struct trb_score_options {
  size_t size;
  int64_t batch_bytes;
  int64_t keep_bytes;
  trb_progress_fn progress;
  void *progress_user;
};
struct trb_totals {
  size_t size;
  int64_t sequences;
  int64_t tokens;
  int64_t stopped_token;
  int64_t stopped_length;
  int64_t stopped_row;
  int64_t unfinished;
  int64_t shortest;
  int64_t longest;
  int64_t infinite;
  double mean_length;
  double sequence_kl;
  double sequence_bound;
  double saturated;
  double beta;
  double log_behavior;
  double log_student;
  double log_teacher;
  double kl_student;
  double kl_teacher;
  double reverse_kl;
  double entropy_student;
  double entropy_teacher;
  double tv;
  int64_t proposed;
  int64_t accepted;
  int64_t corrected;
};
struct trb_train_options {
  size_t size;
  const trb_loss_options *reverse_kl;
  const trb_divergence_options *divergence;
  const trb_term_options *token;
  const double *weight;
  double scale;
  double bridge;
  int64_t batch_bytes;
  trb_progress_fn progress;
  void *progress_user;
  int32_t objective;
  int32_t norm;
  int32_t grad_dtype;
  int32_t evaluate;
  int32_t routed;
  int32_t reserved;
};
struct trb_train_report {
  size_t size;
  int64_t tokens;
  int64_t bad;
  int64_t clipped;
  int64_t micro_batches;
  int64_t teacher_rows;
  double objective;
  double loss;
  double entropy_student;
  double entropy_teacher;
  double mass_student;
  double mass_teacher;
  double agreement;
  int64_t routed;
  double routed_loss;
};
struct trb_gain {
  size_t size;
  int64_t pairs;
  int64_t continued_a;
  int64_t continued_b;
  double reward_a;
  double reward_b;
  double gain;
  double standard_error;
};
const char *trb_strerror(trb_status status);
const char *trb_row_strerror(int32_t row_status);
uint32_t trb_version(void);
trb_status trb_constant(const char *name, int64_t *value);
trb_status trb_constant_at(int64_t index, const char **name, int64_t *value);
trb_status trb_context_new(const trb_context_options *options, trb_context **out);
void trb_context_free(trb_context *ctx);
const char *trb_context_error(const trb_context *ctx);
int32_t trb_context_isa(const trb_context *ctx);
trb_status trb_mask_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *ids, int64_t n);
trb_status trb_merge_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *from, const int64_t *to, int64_t n);
trb_status trb_schedule_at(trb_context *ctx, const trb_schedule *schedule, int64_t k, double *out);
trb_status trb_solve(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *budget, int64_t n_budget, const trb_solve_options *options, trb_blend *out);
trb_status trb_blend_at(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *beta, int64_t n_beta, trb_blend *out);
trb_status trb_write_blend(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_blend *blend, const trb_logits *out);
trb_status trb_sample(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_blend *blend, const trb_sampler *sampler, trb_draw *out);
trb_status trb_verify(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_texts *proposals, const double *budget, int64_t n_budget, const trb_verify_options *options, trb_blend *blend, trb_verdict *out);
trb_status trb_reverse_kl(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *weight, const trb_loss_options *options, double *loss, const trb_logits *grad, trb_loss_row *rows);
trb_status trb_divergence(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *weight, const trb_divergence_options *options, double *loss, const trb_logits *grad, trb_loss_row *rows);
trb_status trb_token_terms(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const int64_t *token, const double *log_behavior, const double *weight, const trb_term_options *options, trb_term *out, const trb_logits *grad);
trb_status trb_solve_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher, const double *budget, int64_t n_budget, const trb_solve_options *options, trb_sparse_blend *out);
trb_status trb_sample_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher, const trb_sparse_blend *blend, const trb_sampler *sampler, trb_draw *out);
trb_status trb_reverse_kl_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher, const double *weight, const trb_loss_options *options, double *loss, const trb_logits *grad, trb_loss_row *rows);
trb_status trb_head_reverse_kl(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher, const double *weight, const trb_loss_options *options, const trb_head_options *how, double *loss, const trb_head_grad *grad, trb_loss_row *loss_rows);
trb_status trb_head_solve(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher, const double *budget, int64_t n_budget, const trb_solve_options *options, const trb_sampler *sampler, const trb_head_options *how, trb_blend *blend, trb_draw *draw);
trb_status trb_entropy(trb_context *ctx, const trb_logits *logits, double *out);
trb_status trb_rollout(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_texts *prompts, const trb_rollout_options *options, trb_rollouts **out);
trb_status trb_rollouts_new(trb_context *ctx, const trb_texts *texts, const int64_t *prompt_length, const double *log_sampled, const trb_ends *ends, trb_rollouts **out);
void trb_rollouts_free(trb_rollouts *rollouts);
trb_status trb_score(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_score_options *options, trb_rollouts *inout);
trb_status trb_rollouts_totals(trb_context *ctx, const trb_rollouts *rollouts, trb_totals *out);
trb_status trb_train_step(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_rollouts *rollouts, const trb_train_options *options, double *loss, trb_loss_row *rows, trb_train_report *out);
trb_status trb_sequence_scores(trb_context *ctx, const trb_rollouts *rollouts, double *out);
trb_status trb_auroc(trb_context *ctx, const double *score, const int32_t *positive, int64_t n, double *out);
trb_status trb_continuation_gain(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_rollouts *a, const trb_rollouts *b, int64_t cut, const trb_rollout_options *options, trb_judge_fn judge, void *judge_user, trb_gain *out);
]]

local declarations = {}

declarations.version = { 0, 1, 0 }

declarations.constants = {
  TRB_OK = 0,
  TRB_EINVAL = -1,
  TRB_ENOMEM = -2,
  TRB_EROWS = -3,
  TRB_ECALLBACK = -4,
  TRB_ECOMM = -5,
  TRB_ROW_BLENDED = 0,
  TRB_ROW_TEACHER = 1,
  TRB_ROW_STUDENT = 2,
  TRB_ROW_UNREACHABLE = 3,
  TRB_ROW_GIVEN = 4,
  TRB_ROW_OK = 5,
  TRB_ROW_SKIPPED = 6,
  TRB_ROW_EMPTY = -1,
  TRB_ROW_NOT_A_NUMBER = -2,
  TRB_ROW_INFINITE = -3,
  TRB_ROW_IMPOSSIBLE = -4,
  TRB_ROW_EXCESS = -5,
  TRB_ISA_AUTO = 0,
  TRB_ISA_SCALAR = 1,
  TRB_ISA_AVX2 = 2,
  TRB_ISA_AVX512 = 3,
  TRB_ISA_NEON = 4,
  TRB_F32 = 0,
  TRB_F16 = 1,
  TRB_BF16 = 2,
  TRB_SCHEDULE_LINEAR = 0,
  TRB_SCHEDULE_CONSTANT = 1,
  TRB_SCHEDULE_COSINE = 2,
  TRB_SCHEDULE_PIECEWISE = 3,
  TRB_METHOD_NEWTON = 0,
  TRB_METHOD_BISECTION = 1,
  TRB_VERDICT_DRAWN = 0,
  TRB_VERDICT_ACCEPTED = 1,
  TRB_VERDICT_CORRECTED = 2,
  TRB_VERDICT_DROPPED = 3,
  TRB_FORM_FULL = 0,
  TRB_FORM_TRUNCATED = 1,
  TRB_FORM_RENORMALIZED = 2,
  TRB_FORM_TAIL_BUCKET = 3,
  TRB_FORM_GENERALIZED = 4,
  TRB_SUPPORT_ALL = 0,
  TRB_SUPPORT_STUDENT_TOP_K = 1,
  TRB_SUPPORT_TEACHER_TOP_K = 2,
  TRB_SUPPORT_IDS = 3,
  TRB_DIVERGENCE_FORWARD_KL = 0,
  TRB_DIVERGENCE_JSD = 1,
  TRB_ESTIMATOR_ADVANTAGE = 0,
  TRB_ESTIMATOR_K1 = 1,
  TRB_ESTIMATOR_K2 = 2,
  TRB_ESTIMATOR_K3 = 3,
  TRB_ESTIMATOR_NLL = 4,
  TRB_CLIPPED_RATIO = 1,
  TRB_CLIPPED_ADVANTAGE = 2,
  TRB_CONTINUE = 1,
  TRB_BEHAVIOR_BUDGET = 0,
  TRB_BEHAVIOR_BETA = 1,
  TRB_BEHAVIOR_STUDENT = 2,
  TRB_BEHAVIOR_TEACHER = 3,
  TRB_BEHAVIOR_SKD = 4,
  TRB_STOP_NONE = 0,
  TRB_STOP_TOKEN = 1,
  TRB_STOP_LENGTH = 2,
  TRB_STOP_STUDENT = 3,
  TRB_STOP_TEACHER = 4,
  TRB_STOP_GIVEN = 5,
  TRB_OBJECTIVE_REVERSE_KL = 0,
  TRB_OBJECTIVE_DIVERGENCE = 1,
  TRB_OBJECTIVE_TOKEN = 2,
  TRB_NORM_TOKENS = 0,
  TRB_NORM_SEQUENCES = 1,
  TRB_NORM_NONE = 2,
}

declarations.structs = {
  "trb_context_options",
  "trb_logits",
  "trb_texts",
  "trb_schedule",
  "trb_solve_options",
  "trb_blend",
  "trb_sampler",
  "trb_draw",
  "trb_verdict",
  "trb_verify_options",
  "trb_loss_options",
  "trb_loss_row",
  "trb_divergence_options",
  "trb_term_options",
  "trb_term",
  "trb_sparse",
  "trb_sparse_blend",
  "trb_head",
  "trb_head_options",
  "trb_head_grad",
  "trb_query",
  "trb_model",
  "trb_ends",
  "trb_rollout_options",
  "trb_rollouts",
  "trb_score_options",
  "trb_totals",
  "trb_train_options",
  "trb_train_report",
  "trb_gain",
}

-- Structs of numbers alone: their fields, with the length of an array or the type of a struct.
declarations.records = {
  trb_solve_options = {
    { "tolerance" },
    { "method" },
  },
  trb_blend = {
    { "beta" },
    { "multiplier" },
    { "kl_student" },
    { "kl_teacher" },
    { "reverse_kl" },
    { "log_norm" },
    { "lse_student" },
    { "lse_teacher" },
    { "status" },
    { "passes" },
    { "support" },
    { "mass", 32 },
  },
  trb_draw = {
    { "token" },
    { "kept" },
    { "log_sampled" },
    { "log_behavior" },
    { "log_student" },
    { "log_teacher" },
    { "status" },
  },
  trb_verdict = {
    { "draw", "trb_draw" },
    { "acceptance" },
    { "tv" },
    { "argmax_teacher" },
    { "verdict" },
  },
  trb_loss_row = {
    { "entropy_student" },
    { "entropy_teacher" },
    { "mass_student" },
    { "mass_teacher" },
    { "support" },
    { "overlap" },
    { "argmax_student" },
    { "argmax_teacher" },
    { "status" },
  },
  trb_divergence_options = {
    { "b" },
    { "kind" },
  },
  trb_term_options = {
    { "ratio_low" },
    { "ratio_high" },
    { "advantage_limit" },
    { "estimator" },
  },
  trb_term = {
    { "value" },
    { "coefficient" },
    { "log_student" },
    { "log_teacher" },
    { "ratio" },
    { "clipped" },
    { "status" },
  },
  trb_sparse_blend = {
    { "blend", "trb_blend" },
    { "log_rest_student" },
    { "log_rest_teacher" },
    { "max_student" },
    { "log2_norm" },
    { "log2_z" },
    { "log2_excess" },
  },
  trb_totals = {
    { "sequences" },
    { "tokens" },
    { "stopped_token" },
    { "stopped_length" },
    { "stopped_row" },
    { "unfinished" },
    { "shortest" },
    { "longest" },
    { "infinite" },
    { "mean_length" },
    { "sequence_kl" },
    { "sequence_bound" },
    { "saturated" },
    { "beta" },
    { "log_behavior" },
    { "log_student" },
    { "log_teacher" },
    { "kl_student" },
    { "kl_teacher" },
    { "reverse_kl" },
    { "entropy_student" },
    { "entropy_teacher" },
    { "tv" },
    { "proposed" },
    { "accepted" },
    { "corrected" },
  },
  trb_train_report = {
    { "tokens" },
    { "bad" },
    { "clipped" },
    { "micro_batches" },
    { "teacher_rows" },
    { "objective" },
    { "loss" },
    { "entropy_student" },
    { "entropy_teacher" },
    { "mass_student" },
    { "mass_teacher" },
    { "agreement" },
    { "routed" },
    { "routed_loss" },
  },
  trb_gain = {
    { "pairs" },
    { "continued_a" },
    { "continued_b" },
    { "reward_a" },
    { "reward_b" },
    { "gain" },
    { "standard_error" },
  },
}

return declarations
