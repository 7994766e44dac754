"""What trb.h declares. Written by examples/declarations, not by hand."""

from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint,
                    c_uint32, c_uint64, c_void_p)

VERSION = (0, 1, 0)

TRB_OK = 0
TRB_EINVAL = -1
TRB_ENOMEM = -2
TRB_EROWS = -3
TRB_ECALLBACK = -4
TRB_ECOMM = -5
TRB_ROW_BLENDED = 0
TRB_ROW_TEACHER = 1
TRB_ROW_STUDENT = 2
TRB_ROW_UNREACHABLE = 3
TRB_ROW_GIVEN = 4
TRB_ROW_OK = 5
TRB_ROW_SKIPPED = 6
TRB_ROW_EMPTY = -1
TRB_ROW_NOT_A_NUMBER = -2
TRB_ROW_INFINITE = -3
TRB_ROW_IMPOSSIBLE = -4
TRB_ROW_EXCESS = -5
TRB_ISA_AUTO = 0
TRB_ISA_SCALAR = 1
TRB_ISA_AVX2 = 2
TRB_ISA_AVX512 = 3
TRB_ISA_NEON = 4
TRB_F32 = 0
TRB_F16 = 1
TRB_BF16 = 2
TRB_SCHEDULE_LINEAR = 0
TRB_SCHEDULE_CONSTANT = 1
TRB_SCHEDULE_COSINE = 2
TRB_SCHEDULE_PIECEWISE = 3
TRB_METHOD_NEWTON = 0
TRB_METHOD_BISECTION = 1
TRB_VERDICT_DRAWN = 0
TRB_VERDICT_ACCEPTED = 1
TRB_VERDICT_CORRECTED = 2
TRB_VERDICT_DROPPED = 3
TRB_FORM_FULL = 0
TRB_FORM_TRUNCATED = 1
TRB_FORM_RENORMALIZED = 2
TRB_FORM_TAIL_BUCKET = 3
TRB_FORM_GENERALIZED = 4
TRB_SUPPORT_ALL = 0
TRB_SUPPORT_STUDENT_TOP_K = 1
TRB_SUPPORT_TEACHER_TOP_K = 2
TRB_SUPPORT_IDS = 3
TRB_DIVERGENCE_FORWARD_KL = 0
TRB_DIVERGENCE_JSD = 1
TRB_ESTIMATOR_ADVANTAGE = 0
TRB_ESTIMATOR_K1 = 1
TRB_ESTIMATOR_K2 = 2
TRB_ESTIMATOR_K3 = 3
TRB_ESTIMATOR_NLL = 4
TRB_CLIPPED_RATIO = 1
TRB_CLIPPED_ADVANTAGE = 2
TRB_CONTINUE = 1
TRB_BEHAVIOR_BUDGET = 0
TRB_BEHAVIOR_BETA = 1
TRB_BEHAVIOR_STUDENT = 2
TRB_BEHAVIOR_TEACHER = 3
TRB_BEHAVIOR_SKD = 4
TRB_STOP_NONE = 0
TRB_STOP_TOKEN = 1
TRB_STOP_LENGTH = 2
TRB_STOP_STUDENT = 3
TRB_STOP_TEACHER = 4
TRB_STOP_GIVEN = 5
TRB_OBJECTIVE_REVERSE_KL = 0
TRB_OBJECTIVE_DIVERGENCE = 1
TRB_OBJECTIVE_TOKEN = 2
TRB_NORM_TOKENS = 0
TRB_NORM_SEQUENCES = 1
TRB_NORM_NONE = 2


class trb_context_options(Structure):
    pass


class trb_logits(Structure):
    pass


class trb_texts(Structure):
    pass


class trb_schedule(Structure):
    pass


class trb_solve_options(Structure):
    pass


class trb_blend(Structure):
    pass


class trb_sampler(Structure):
    pass


class trb_draw(Structure):
    pass


class trb_verdict(Structure):
    pass


class trb_verify_options(Structure):
    pass


class trb_loss_options(Structure):
    pass


class trb_loss_row(Structure):
    pass


class trb_divergence_options(Structure):
    pass


class trb_term_options(Structure):
    pass


class trb_term(Structure):
    pass


class trb_sparse(Structure):
    pass


class trb_sparse_blend(Structure):
    pass


class trb_head(Structure):
    pass


class trb_head_options(Structure):
    pass


class trb_head_grad(Structure):
    pass


class trb_query(Structure):
    pass


class trb_model(Structure):
    pass


class trb_ends(Structure):
    pass


class trb_rollout_options(Structure):
    pass


class trb_rollouts(Structure):
    pass


class trb_score_options(Structure):
    pass


class trb_totals(Structure):
    pass


class trb_train_options(Structure):
    pass


class trb_train_report(Structure):
    pass


class trb_gain(Structure):
    pass


trb_task_fn = CFUNCTYPE(None, c_void_p, c_int64)
trb_parallel_for_fn = CFUNCTYPE(None, c_int64, trb_task_fn, c_void_p, c_void_p)
trb_alloc_fn = CFUNCTYPE(c_void_p, c_size_t, c_void_p)
trb_free_fn = CFUNCTYPE(None, c_void_p, c_void_p)
trb_sgemm_fn = CFUNCTYPE(None, c_uint, c_uint, c_uint, c_int32, c_int32, c_int32, c_float, c_void_p, c_int32, c_void_p, c_int32, c_float, c_void_p, c_int32)
trb_forward_fn = CFUNCTYPE(c_int32, POINTER(trb_query), c_int64, POINTER(trb_logits), c_void_p)
trb_backward_fn = CFUNCTYPE(c_int32, POINTER(trb_query), c_int64, POINTER(trb_logits), c_void_p)
trb_progress_fn = CFUNCTYPE(c_int32, c_int64, c_int64, c_void_p)
trb_judge_fn = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p)

trb_context_options._fields_ = [
    ("size", c_size_t),
    ("threads", c_int64),
    ("parallel_for", trb_parallel_for_fn),
    ("parallel_user", c_void_p),
    ("alloc", trb_alloc_fn),
    ("free", trb_free_fn),
    ("alloc_user", c_void_p),
    ("isa", c_int32),
    ("reserved", c_int32),
    ("error", c_void_p),
    ("error_bytes", c_int64),
]

trb_logits._fields_ = [
    ("data", c_void_p),
    ("rows", c_int64),
    ("vocab", c_int64),
    ("stride", c_int64),
    ("dtype", c_int32),
    ("temperature", c_float),
]

trb_texts._fields_ = [
    ("tokens", c_void_p),
    ("offset", c_void_p),
    ("n", c_int64),
]

trb_schedule._fields_ = [
    ("size", c_size_t),
    ("kind", c_int32),
    ("reserved", c_int32),
    ("initial", c_double),
    ("steps", c_int64),
    ("at", c_void_p),
    ("budgets", c_void_p),
    ("points", c_int64),
]

trb_solve_options._fields_ = [
    ("size", c_size_t),
    ("tolerance", c_double),
    ("method", c_int32),
    ("reserved", c_int32),
]

trb_blend._fields_ = [
    ("beta", c_double),
    ("multiplier", c_double),
    ("kl_student", c_double),
    ("kl_teacher", c_double),
    ("reverse_kl", c_double),
    ("log_norm", c_double),
    ("lse_student", c_double),
    ("lse_teacher", c_double),
    ("status", c_int32),
    ("passes", c_int32),
    ("support", c_int64),
    ("mass", c_float * 32),
]

trb_sampler._fields_ = [
    ("size", c_size_t),
    ("seed", c_uint64),
    ("stream", c_void_p),
    ("index", c_void_p),
    ("top_k", c_int64),
    ("top_p", c_double),
    ("min_p", c_double),
    ("greedy", c_int32),
    ("purpose", c_int32),
]

trb_draw._fields_ = [
    ("token", c_int64),
    ("kept", c_int64),
    ("log_sampled", c_double),
    ("log_behavior", c_double),
    ("log_student", c_double),
    ("log_teacher", c_double),
    ("status", c_int32),
    ("reserved", c_int32),
]

trb_verdict._fields_ = [
    ("draw", trb_draw),
    ("acceptance", c_double),
    ("tv", c_double),
    ("argmax_teacher", c_int64),
    ("verdict", c_int32),
    ("reserved", c_int32),
]

trb_verify_options._fields_ = [
    ("size", c_size_t),
    ("solve", POINTER(trb_solve_options)),
    ("sampler", POINTER(trb_sampler)),
    ("behavior", c_int32),
    ("reserved", c_int32),
]

trb_loss_options._fields_ = [
    ("size", c_size_t),
    ("form", c_int32),
    ("support", c_int32),
    ("k", c_int64),
    ("ids", c_void_p),
]

trb_loss_row._fields_ = [
    ("entropy_student", c_double),
    ("entropy_teacher", c_double),
    ("mass_student", c_double),
    ("mass_teacher", c_double),
    ("support", c_int64),
    ("overlap", c_int64),
    ("argmax_student", c_int64),
    ("argmax_teacher", c_int64),
    ("status", c_int32),
    ("reserved", c_int32),
]

trb_divergence_options._fields_ = [
    ("size", c_size_t),
    ("b", c_double),
    ("kind", c_int32),
    ("reserved", c_int32),
]

trb_term_options._fields_ = [
    ("size", c_size_t),
    ("ratio_low", c_double),
    ("ratio_high", c_double),
    ("advantage_limit", c_double),
    ("estimator", c_int32),
    ("reserved", c_int32),
]

trb_term._fields_ = [
    ("value", c_double),
    ("coefficient", c_double),
    ("log_student", c_double),
    ("log_teacher", c_double),
    ("ratio", c_double),
    ("clipped", c_int32),
    ("status", c_int32),
]

trb_sparse._fields_ = [
    ("ids", c_void_p),
    ("log_q", c_void_p),
    ("offset", c_void_p),
    ("k", c_int64),
    ("least_rest", c_double),
]

trb_sparse_blend._fields_ = [
    ("blend", trb_blend),
    ("log_rest_student", c_double),
    ("log_rest_teacher", c_double),
    ("max_student", c_double),
    ("log2_norm", c_double),
    ("log2_z", c_double),
    ("log2_excess", c_double),
]

trb_head._fields_ = [
    ("size", c_size_t),
    ("hidden", c_void_p),
    ("hidden_stride", c_int64),
    ("weight", c_void_p),
    ("weight_stride", c_int64),
    ("bias", c_void_p),
    ("vocab", c_int64),
    ("width", c_int64),
    ("dtype", c_int32),
    ("scale", c_float),
    ("soft_cap", c_float),
    ("temperature", c_float),
]

trb_head_options._fields_ = [
    ("size", c_size_t),
    ("sgemm", trb_sgemm_fn),
    ("logits_bytes", c_int64),
]

trb_head_grad._fields_ = [
    ("size", c_size_t),
    ("hidden", c_void_p),
    ("hidden_stride", c_int64),
    ("weight", c_void_p),
    ("weight_stride", c_int64),
    ("bias", c_void_p),
]

trb_query._fields_ = [
    ("tokens", c_void_p),
    ("sequence", c_int64),
    ("length", c_int64),
    ("known", c_int64),
    ("rows", c_int64),
    ("proposed", c_int64),
]

trb_model._fields_ = [
    ("size", c_size_t),
    ("vocab", c_int64),
    ("forward", trb_forward_fn),
    ("backward", trb_backward_fn),
    ("user", c_void_p),
    ("dtype", c_int32),
    ("temperature", c_float),
]

trb_ends._fields_ = [
    ("student", c_void_p),
    ("teacher", c_void_p),
    ("n", c_int64),
]

trb_rollout_options._fields_ = [
    ("size", c_size_t),
    ("budget", c_double),
    ("beta", c_double),
    ("temperature", c_double),
    ("top_k", c_int64),
    ("solve", POINTER(trb_solve_options)),
    ("sampler", POINTER(trb_sampler)),
    ("stop", c_void_p),
    ("n_stop", c_int64),
    ("ends", POINTER(trb_ends)),
    ("max_tokens", c_int64),
    ("max_length", c_int64),
    ("repeats", c_int64),
    ("batch", c_int64),
    ("block", c_int64),
    ("keep_bytes", c_int64),
    ("progress", trb_progress_fn),
    ("progress_user", c_void_p),
    ("behavior", c_int32),
    ("reserved", c_int32),
]

trb_rollouts._fields_ = [
    ("size", c_size_t),
    ("n", c_int64),
    ("n_tokens", c_int64),
    ("text", c_void_p),
    ("text_offset", c_void_p),
    ("offset", c_void_p),
    ("stream", c_void_p),
    ("stop", c_void_p),
    ("row", c_void_p),
    ("token", c_void_p),
    ("log_sampled", c_void_p),
    ("log_behavior", c_void_p),
    ("log_student", c_void_p),
    ("log_teacher", c_void_p),
    ("beta", c_void_p),
    ("kl_student", c_void_p),
    ("kl_teacher", c_void_p),
    ("reverse_kl", c_void_p),
    ("entropy_student", c_void_p),
    ("entropy_teacher", c_void_p),
    ("tv", c_void_p),
    ("argmax_teacher", c_void_p),
    ("status", c_void_p),
    ("verdict", c_void_p),
    ("proposed", c_int64),
    ("budget", c_double),
    ("kept", c_int64),
    ("student_calls", c_int64),
    ("teacher_calls", c_int64),
]

trb_score_options._fields_ = [
    ("size", c_size_t),
    ("batch_bytes", c_int64),
    ("keep_bytes", c_int64),
    ("progress", trb_progress_fn),
    ("progress_user", c_void_p),
]

trb_totals._fields_ = [
    ("size", c_size_t),
    ("sequences", c_int64),
    ("tokens", c_int64),
    ("stopped_token", c_int64),
    ("stopped_length", c_int64),
    ("stopped_row", c_int64),
    ("unfinished", c_int64),
    ("shortest", c_int64),
    ("longest", c_int64),
    ("infinite", c_int64),
    ("mean_length", c_double),
    ("sequence_kl", c_double),
    ("sequence_bound", c_double),
    ("saturated", c_double),
    ("beta", c_double),
    ("log_behavior", c_double),
    ("log_student", c_double),
    ("log_teacher", c_double),
    ("kl_student", c_double),
    ("kl_teacher", c_double),
    ("reverse_kl", c_double),
    ("entropy_student", c_double),
    ("entropy_teacher", c_double),
    ("tv", c_double),
    ("proposed", c_int64),
    ("accepted", c_int64),
    ("corrected", c_int64),
]

trb_train_options._fields_ = [
    ("size", c_size_t),
    ("reverse_kl", POINTER(trb_loss_options)),
    ("divergence", POINTER(trb_divergence_options)),
    ("token", POINTER(trb_term_options)),
    ("weight", c_void_p),
    ("scale", c_double),
    ("bridge", c_double),
    ("batch_bytes", c_int64),
    ("progress", trb_progress_fn),
    ("progress_user", c_void_p),
    ("objective", c_int32),
    ("norm", c_int32),
    ("grad_dtype", c_int32),
    ("evaluate", c_int32),
    ("routed", c_int32),
    ("reserved", c_int32),
]

trb_train_report._fields_ = [
    ("size", c_size_t),
    ("tokens", c_int64),
    ("bad", c_int64),
    ("clipped", c_int64),
    ("micro_batches", c_int64),
    ("teacher_rows", c_int64),
    ("objective", c_double),
    ("loss", c_double),
    ("entropy_student", c_double),
    ("entropy_teacher", c_double),
    ("mass_student", c_double),
    ("mass_teacher", c_double),
    ("agreement", c_double),
    ("routed", c_int64),
    ("routed_loss", c_double),
]

trb_gain._fields_ = [
    ("size", c_size_t),
    ("pairs", c_int64),
    ("continued_a", c_int64),
    ("continued_b", c_int64),
    ("reward_a", c_double),
    ("reward_b", c_double),
    ("gain", c_double),
    ("standard_error", c_double),
]

STRUCTS = [
    trb_context_options,
    trb_logits,
    trb_texts,
    trb_schedule,
    trb_solve_options,
    trb_blend,
    trb_sampler,
    trb_draw,
    trb_verdict,
    trb_verify_options,
    trb_loss_options,
    trb_loss_row,
    trb_divergence_options,
    trb_term_options,
    trb_term,
    trb_sparse,
    trb_sparse_blend,
    trb_head,
    trb_head_options,
    trb_head_grad,
    trb_query,
    trb_model,
    trb_ends,
    trb_rollout_options,
    trb_rollouts,
    trb_score_options,
    trb_totals,
    trb_train_options,
    trb_train_report,
    trb_gain,
]

FUNCTIONS = {
    "trb_strerror": (c_char_p, [c_int32]),
    "trb_row_strerror": (c_char_p, [c_int32]),
    "trb_version": (c_uint32, []),
    "trb_constant": (c_int32, [c_void_p, c_void_p]),
    "trb_constant_at": (c_int32, [c_int64, c_void_p, c_void_p]),
    "trb_context_new": (c_int32, [c_void_p, c_void_p]),
    "trb_context_free": (None, [c_void_p]),
    "trb_context_error": (c_char_p, [c_void_p]),
    "trb_context_isa": (c_int32, [c_void_p]),
    "trb_mask_tokens": (c_int32, [c_void_p, c_void_p, c_void_p, c_int64]),
    "trb_merge_tokens": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_int64]),
    "trb_schedule_at": (c_int32, [c_void_p, c_void_p, c_int64, c_void_p]),
    "trb_solve": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_void_p]),
    "trb_blend_at": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p]),
    "trb_write_blend": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_sample": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_verify": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p]),
    "trb_reverse_kl": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_divergence": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_token_terms": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_solve_sparse": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_void_p]),
    "trb_sample_sparse": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_reverse_kl_sparse": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_head_reverse_kl": (c_int32, [c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_head_solve": (c_int32, [c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_entropy": (c_int32, [c_void_p, c_void_p, c_void_p]),
    "trb_rollout": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_rollouts_new": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_rollouts_free": (None, [c_void_p]),
    "trb_score": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_rollouts_totals": (c_int32, [c_void_p, c_void_p, c_void_p]),
    "trb_train_step": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "trb_sequence_scores": (c_int32, [c_void_p, c_void_p, c_void_p]),
    "trb_auroc": (c_int32, [c_void_p, c_void_p, c_void_p, c_int64, c_void_p]),
    "trb_continuation_gain": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_void_p, trb_judge_fn, c_void_p, c_void_p]),
}
