//! What trb.h declares. Written by examples/declarations, not by hand.

#![allow(non_camel_case_types, clippy::all)]

use std::mem::size_of;
use std::os::raw::{c_char, c_void};

pub const VERSION: (u32, u32, u32) = (0, 1, 0);

pub const TRB_OK: i32 = 0;
pub const TRB_EINVAL: i32 = -1;
pub const TRB_ENOMEM: i32 = -2;
pub const TRB_EROWS: i32 = -3;
pub const TRB_ECALLBACK: i32 = -4;
pub const TRB_ECOMM: i32 = -5;
pub const TRB_ROW_BLENDED: i32 = 0;
pub const TRB_ROW_TEACHER: i32 = 1;
pub const TRB_ROW_STUDENT: i32 = 2;
pub const TRB_ROW_UNREACHABLE: i32 = 3;
pub const TRB_ROW_GIVEN: i32 = 4;
pub const TRB_ROW_OK: i32 = 5;
pub const TRB_ROW_SKIPPED: i32 = 6;
pub const TRB_ROW_EMPTY: i32 = -1;
pub const TRB_ROW_NOT_A_NUMBER: i32 = -2;
pub const TRB_ROW_INFINITE: i32 = -3;
pub const TRB_ROW_IMPOSSIBLE: i32 = -4;
pub const TRB_ROW_EXCESS: i32 = -5;
pub const TRB_ISA_AUTO: i32 = 0;
pub const TRB_ISA_SCALAR: i32 = 1;
pub const TRB_ISA_AVX2: i32 = 2;
pub const TRB_ISA_AVX512: i32 = 3;
pub const TRB_ISA_NEON: i32 = 4;
pub const TRB_F32: i32 = 0;
pub const TRB_F16: i32 = 1;
pub const TRB_BF16: i32 = 2;
pub const TRB_SCHEDULE_LINEAR: i32 = 0;
pub const TRB_SCHEDULE_CONSTANT: i32 = 1;
pub const TRB_SCHEDULE_COSINE: i32 = 2;
pub const TRB_SCHEDULE_PIECEWISE: i32 = 3;
pub const TRB_METHOD_NEWTON: i32 = 0;
pub const TRB_METHOD_BISECTION: i32 = 1;
pub const TRB_VERDICT_DRAWN: i32 = 0;
pub const TRB_VERDICT_ACCEPTED: i32 = 1;
pub const TRB_VERDICT_CORRECTED: i32 = 2;
pub const TRB_VERDICT_DROPPED: i32 = 3;
pub const TRB_FORM_FULL: i32 = 0;
pub const TRB_FORM_TRUNCATED: i32 = 1;
pub const TRB_FORM_RENORMALIZED: i32 = 2;
pub const TRB_FORM_TAIL_BUCKET: i32 = 3;
pub const TRB_FORM_GENERALIZED: i32 = 4;
pub const TRB_SUPPORT_ALL: i32 = 0;
pub const TRB_SUPPORT_STUDENT_TOP_K: i32 = 1;
pub const TRB_SUPPORT_TEACHER_TOP_K: i32 = 2;
pub const TRB_SUPPORT_IDS: i32 = 3;
pub const TRB_DIVERGENCE_FORWARD_KL: i32 = 0;
pub const TRB_DIVERGENCE_JSD: i32 = 1;
pub const TRB_ESTIMATOR_ADVANTAGE: i32 = 0;
pub const TRB_ESTIMATOR_K1: i32 = 1;
pub const TRB_ESTIMATOR_K2: i32 = 2;
pub const TRB_ESTIMATOR_K3: i32 = 3;
pub const TRB_ESTIMATOR_NLL: i32 = 4;
pub const TRB_CLIPPED_RATIO: i32 = 1;
pub const TRB_CLIPPED_ADVANTAGE: i32 = 2;
pub const TRB_CONTINUE: i32 = 1;
pub const TRB_BEHAVIOR_BUDGET: i32 = 0;
pub const TRB_BEHAVIOR_BETA: i32 = 1;
pub const TRB_BEHAVIOR_STUDENT: i32 = 2;
pub const TRB_BEHAVIOR_TEACHER: i32 = 3;
pub const TRB_BEHAVIOR_SKD: i32 = 4;
pub const TRB_STOP_NONE: i32 = 0;
pub const TRB_STOP_TOKEN: i32 = 1;
pub const TRB_STOP_LENGTH: i32 = 2;
pub const TRB_STOP_STUDENT: i32 = 3;
pub const TRB_STOP_TEACHER: i32 = 4;
pub const TRB_STOP_GIVEN: i32 = 5;
pub const TRB_OBJECTIVE_REVERSE_KL: i32 = 0;
pub const TRB_OBJECTIVE_DIVERGENCE: i32 = 1;
pub const TRB_OBJECTIVE_TOKEN: i32 = 2;
pub const TRB_NORM_TOKENS: i32 = 0;
pub const TRB_NORM_SEQUENCES: i32 = 1;
pub const TRB_NORM_NONE: i32 = 2;

#[repr(C)]
pub struct trb_context {
    _opaque: [u8; 0],
}

pub type trb_task_fn = Option<unsafe extern "C" fn(
    *mut c_void,
    i64,
)>;

pub type trb_parallel_for_fn = Option<unsafe extern "C" fn(
    i64,
    trb_task_fn,
    *mut c_void,
    *mut c_void,
)>;

pub type trb_alloc_fn = Option<unsafe extern "C" fn(
    usize,
    *mut c_void,
) -> *mut c_void>;

pub type trb_free_fn = Option<unsafe extern "C" fn(
    *mut c_void,
    *mut c_void,
)>;

pub type trb_sgemm_fn = Option<unsafe extern "C" fn(
    u32,
    u32,
    u32,
    i32,
    i32,
    i32,
    f32,
    *const f32,
    i32,
    *const f32,
    i32,
    f32,
    *mut f32,
    i32,
)>;

pub type trb_forward_fn = Option<unsafe extern "C" fn(
    *const trb_query,
    i64,
    *const trb_logits,
    *mut c_void,
) -> i32>;

pub type trb_backward_fn = Option<unsafe extern "C" fn(
    *const trb_query,
    i64,
    *const trb_logits,
    *mut c_void,
) -> i32>;

pub type trb_progress_fn = Option<unsafe extern "C" fn(
    i64,
    i64,
    *mut c_void,
) -> i32>;

pub type trb_judge_fn = Option<unsafe extern "C" fn(
    *const i64,
    i64,
    i64,
    i64,
    *mut f64,
    *mut c_void,
) -> i32>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_context_options {
    pub size: usize,
    pub threads: i64,
    pub parallel_for: trb_parallel_for_fn,
    pub parallel_user: *mut c_void,
    pub alloc: trb_alloc_fn,
    pub free: trb_free_fn,
    pub alloc_user: *mut c_void,
    pub isa: i32,
    pub reserved: i32,
    pub error: *mut c_char,
    pub error_bytes: i64,
}

impl Default for trb_context_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_logits {
    pub data: *mut c_void,
    pub rows: i64,
    pub vocab: i64,
    pub stride: i64,
    pub dtype: i32,
    pub temperature: f32,
}

impl Default for trb_logits {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_texts {
    pub tokens: *const i64,
    pub offset: *const i64,
    pub n: i64,
}

impl Default for trb_texts {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_schedule {
    pub size: usize,
    pub kind: i32,
    pub reserved: i32,
    pub initial: f64,
    pub steps: i64,
    pub at: *const i64,
    pub budgets: *const f64,
    pub points: i64,
}

impl Default for trb_schedule {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_solve_options {
    pub size: usize,
    pub tolerance: f64,
    pub method: i32,
    pub reserved: i32,
}

impl Default for trb_solve_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_blend {
    pub beta: f64,
    pub multiplier: f64,
    pub kl_student: f64,
    pub kl_teacher: f64,
    pub reverse_kl: f64,
    pub log_norm: f64,
    pub lse_student: f64,
    pub lse_teacher: f64,
    pub status: i32,
    pub passes: i32,
    pub support: i64,
    pub mass: [f32; 32],
}

impl Default for trb_blend {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_sampler {
    pub size: usize,
    pub seed: u64,
    pub stream: *const u64,
    pub index: *const i64,
    pub top_k: i64,
    pub top_p: f64,
    pub min_p: f64,
    pub greedy: i32,
    pub purpose: i32,
}

impl Default for trb_sampler {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_draw {
    pub token: i64,
    pub kept: i64,
    pub log_sampled: f64,
    pub log_behavior: f64,
    pub log_student: f64,
    pub log_teacher: f64,
    pub status: i32,
    pub reserved: i32,
}

impl Default for trb_draw {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_verdict {
    pub draw: trb_draw,
    pub acceptance: f64,
    pub tv: f64,
    pub argmax_teacher: i64,
    pub verdict: i32,
    pub reserved: i32,
}

impl Default for trb_verdict {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_verify_options {
    pub size: usize,
    pub solve: *const trb_solve_options,
    pub sampler: *const trb_sampler,
    pub behavior: i32,
    pub reserved: i32,
}

impl Default for trb_verify_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_loss_options {
    pub size: usize,
    pub form: i32,
    pub support: i32,
    pub k: i64,
    pub ids: *const i64,
}

impl Default for trb_loss_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_loss_row {
    pub entropy_student: f64,
    pub entropy_teacher: f64,
    pub mass_student: f64,
    pub mass_teacher: f64,
    pub support: i64,
    pub overlap: i64,
    pub argmax_student: i64,
    pub argmax_teacher: i64,
    pub status: i32,
    pub reserved: i32,
}

impl Default for trb_loss_row {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_divergence_options {
    pub size: usize,
    pub b: f64,
    pub kind: i32,
    pub reserved: i32,
}

impl Default for trb_divergence_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_term_options {
    pub size: usize,
    pub ratio_low: f64,
    pub ratio_high: f64,
    pub advantage_limit: f64,
    pub estimator: i32,
    pub reserved: i32,
}

impl Default for trb_term_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_term {
    pub value: f64,
    pub coefficient: f64,
    pub log_student: f64,
    pub log_teacher: f64,
    pub ratio: f64,
    pub clipped: i32,
    pub status: i32,
}

impl Default for trb_term {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_sparse {
    pub ids: *const i64,
    pub log_q: *const f32,
    pub offset: *const i64,
    pub k: i64,
    pub least_rest: f64,
}

impl Default for trb_sparse {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_sparse_blend {
    pub blend: trb_blend,
    pub log_rest_student: f64,
    pub log_rest_teacher: f64,
    pub max_student: f64,
    pub log2_norm: f64,
    pub log2_z: f64,
    pub log2_excess: f64,
}

impl Default for trb_sparse_blend {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_head {
    pub size: usize,
    pub hidden: *const f32,
    pub hidden_stride: i64,
    pub weight: *const c_void,
    pub weight_stride: i64,
    pub bias: *const f32,
    pub vocab: i64,
    pub width: i64,
    pub dtype: i32,
    pub scale: f32,
    pub soft_cap: f32,
    pub temperature: f32,
}

impl Default for trb_head {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_head_options {
    pub size: usize,
    pub sgemm: trb_sgemm_fn,
    pub logits_bytes: i64,
}

impl Default for trb_head_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_head_grad {
    pub size: usize,
    pub hidden: *mut f32,
    pub hidden_stride: i64,
    pub weight: *mut f32,
    pub weight_stride: i64,
    pub bias: *mut f32,
}

impl Default for trb_head_grad {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_query {
    pub tokens: *const i64,
    pub sequence: i64,
    pub length: i64,
    pub known: i64,
    pub rows: i64,
    pub proposed: i64,
}

impl Default for trb_query {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_model {
    pub size: usize,
    pub vocab: i64,
    pub forward: trb_forward_fn,
    pub backward: trb_backward_fn,
    pub user: *mut c_void,
    pub dtype: i32,
    pub temperature: f32,
}

impl Default for trb_model {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_ends {
    pub student: *const i64,
    pub teacher: *const i64,
    pub n: i64,
}

impl Default for trb_ends {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_rollout_options {
    pub size: usize,
    pub budget: f64,
    pub beta: f64,
    pub temperature: f64,
    pub top_k: i64,
    pub solve: *const trb_solve_options,
    pub sampler: *const trb_sampler,
    pub stop: *const i64,
    pub n_stop: i64,
    pub ends: *const trb_ends,
    pub max_tokens: i64,
    pub max_length: i64,
    pub repeats: i64,
    pub batch: i64,
    pub block: i64,
    pub keep_bytes: i64,
    pub progress: trb_progress_fn,
    pub progress_user: *mut c_void,
    pub behavior: i32,
    pub reserved: i32,
}

impl Default for trb_rollout_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_rollouts {
    pub size: usize,
    pub n: i64,
    pub n_tokens: i64,
    pub text: *const i64,
    pub text_offset: *const i64,
    pub offset: *const i64,
    pub stream: *const u64,
    pub stop: *const i32,
    pub row: *const i32,
    pub token: *const i64,
    pub log_sampled: *const f64,
    pub log_behavior: *const f64,
    pub log_student: *const f64,
    pub log_teacher: *const f64,
    pub beta: *const f64,
    pub kl_student: *const f64,
    pub kl_teacher: *const f64,
    pub reverse_kl: *const f64,
    pub entropy_student: *const f64,
    pub entropy_teacher: *const f64,
    pub tv: *const f64,
    pub argmax_teacher: *const i64,
    pub status: *const i32,
    pub verdict: *const i32,
    pub proposed: i64,
    pub budget: f64,
    pub kept: i64,
    pub student_calls: i64,
    pub teacher_calls: i64,
}

impl Default for trb_rollouts {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_score_options {
    pub size: usize,
    pub batch_bytes: i64,
    pub keep_bytes: i64,
    pub progress: trb_progress_fn,
    pub progress_user: *mut c_void,
}

impl Default for trb_score_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_totals {
    pub size: usize,
    pub sequences: i64,
    pub tokens: i64,
    pub stopped_token: i64,
    pub stopped_length: i64,
    pub stopped_row: i64,
    pub unfinished: i64,
    pub shortest: i64,
    pub longest: i64,
    pub infinite: i64,
    pub mean_length: f64,
    pub sequence_kl: f64,
    pub sequence_bound: f64,
    pub saturated: f64,
    pub beta: f64,
    pub log_behavior: f64,
    pub log_student: f64,
    pub log_teacher: f64,
    pub kl_student: f64,
    pub kl_teacher: f64,
    pub reverse_kl: f64,
    pub entropy_student: f64,
    pub entropy_teacher: f64,
    pub tv: f64,
    pub proposed: i64,
    pub accepted: i64,
    pub corrected: i64,
}

impl Default for trb_totals {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trb_train_options {
    pub size: usize,
    pub reverse_kl: *const trb_loss_options,
    pub divergence: *const trb_divergence_options,
    pub token: *const trb_term_options,
    pub weight: *const f64,
    pub scale: f64,
    pub bridge: f64,
    pub batch_bytes: i64,
    pub progress: trb_progress_fn,
    pub progress_user: *mut c_void,
    pub objective: i32,
    pub norm: i32,
    pub grad_dtype: i32,
    pub evaluate: i32,
    pub routed: i32,
    pub reserved: i32,
}

impl Default for trb_train_options {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_train_report {
    pub size: usize,
    pub tokens: i64,
    pub bad: i64,
    pub clipped: i64,
    pub micro_batches: i64,
    pub teacher_rows: i64,
    pub objective: f64,
    pub loss: f64,
    pub entropy_student: f64,
    pub entropy_teacher: f64,
    pub mass_student: f64,
    pub mass_teacher: f64,
    pub agreement: f64,
    pub routed: i64,
    pub routed_loss: f64,
}

impl Default for trb_train_report {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct trb_gain {
    pub size: usize,
    pub pairs: i64,
    pub continued_a: i64,
    pub continued_b: i64,
    pub reward_a: f64,
    pub reward_b: f64,
    pub gain: f64,
    pub standard_error: f64,
}

impl Default for trb_gain {
    fn default() -> Self {
        // SAFETY: numbers, pointers and optional functions may all be zero.
        unsafe { std::mem::zeroed() }
    }
}

/// Name and size of each struct, and whether it starts with its size and so may grow at its end.
pub const STRUCTS: &[(&str, usize, bool)] = &[
    ("trb_context_options", size_of::<trb_context_options>(), true),
    ("trb_logits", size_of::<trb_logits>(), false),
    ("trb_texts", size_of::<trb_texts>(), false),
    ("trb_schedule", size_of::<trb_schedule>(), true),
    ("trb_solve_options", size_of::<trb_solve_options>(), true),
    ("trb_blend", size_of::<trb_blend>(), false),
    ("trb_sampler", size_of::<trb_sampler>(), true),
    ("trb_draw", size_of::<trb_draw>(), false),
    ("trb_verdict", size_of::<trb_verdict>(), false),
    ("trb_verify_options", size_of::<trb_verify_options>(), true),
    ("trb_loss_options", size_of::<trb_loss_options>(), true),
    ("trb_loss_row", size_of::<trb_loss_row>(), false),
    ("trb_divergence_options", size_of::<trb_divergence_options>(), true),
    ("trb_term_options", size_of::<trb_term_options>(), true),
    ("trb_term", size_of::<trb_term>(), false),
    ("trb_sparse", size_of::<trb_sparse>(), false),
    ("trb_sparse_blend", size_of::<trb_sparse_blend>(), false),
    ("trb_head", size_of::<trb_head>(), true),
    ("trb_head_options", size_of::<trb_head_options>(), true),
    ("trb_head_grad", size_of::<trb_head_grad>(), true),
    ("trb_query", size_of::<trb_query>(), false),
    ("trb_model", size_of::<trb_model>(), true),
    ("trb_ends", size_of::<trb_ends>(), false),
    ("trb_rollout_options", size_of::<trb_rollout_options>(), true),
    ("trb_rollouts", size_of::<trb_rollouts>(), true),
    ("trb_score_options", size_of::<trb_score_options>(), true),
    ("trb_totals", size_of::<trb_totals>(), true),
    ("trb_train_options", size_of::<trb_train_options>(), true),
    ("trb_train_report", size_of::<trb_train_report>(), true),
    ("trb_gain", size_of::<trb_gain>(), true),
];

#[link(name = "trb")]
extern "C" {
    pub fn trb_strerror(status: i32) -> *const c_char;
    pub fn trb_row_strerror(row_status: i32) -> *const c_char;
    pub fn trb_version() -> u32;
    pub fn trb_constant(name: *const c_char, value: *mut i64) -> i32;
    pub fn trb_constant_at(index: i64, name: *mut *const c_char, value: *mut i64) -> i32;
    pub fn trb_context_new(options: *const trb_context_options, out: *mut *mut trb_context) -> i32;
    pub fn trb_context_free(ctx: *mut trb_context);
    pub fn trb_context_error(ctx: *const trb_context) -> *const c_char;
    pub fn trb_context_isa(ctx: *const trb_context) -> i32;
    pub fn trb_mask_tokens(
        ctx: *mut trb_context,
        inout: *const trb_logits,
        ids: *const i64,
        n: i64,
    ) -> i32;
    pub fn trb_merge_tokens(
        ctx: *mut trb_context,
        inout: *const trb_logits,
        from: *const i64,
        to: *const i64,
        n: i64,
    ) -> i32;
    pub fn trb_schedule_at(
        ctx: *mut trb_context,
        schedule: *const trb_schedule,
        k: i64,
        out: *mut f64,
    ) -> i32;
    pub fn trb_solve(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        budget: *const f64,
        n_budget: i64,
        options: *const trb_solve_options,
        out: *mut trb_blend,
    ) -> i32;
    pub fn trb_blend_at(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        beta: *const f64,
        n_beta: i64,
        out: *mut trb_blend,
    ) -> i32;
    pub fn trb_write_blend(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        blend: *const trb_blend,
        out: *const trb_logits,
    ) -> i32;
    pub fn trb_sample(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        blend: *const trb_blend,
        sampler: *const trb_sampler,
        out: *mut trb_draw,
    ) -> i32;
    pub fn trb_verify(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        proposals: *const trb_texts,
        budget: *const f64,
        n_budget: i64,
        options: *const trb_verify_options,
        blend: *mut trb_blend,
        out: *mut trb_verdict,
    ) -> i32;
    pub fn trb_reverse_kl(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        weight: *const f64,
        options: *const trb_loss_options,
        loss: *mut f64,
        grad: *const trb_logits,
        rows: *mut trb_loss_row,
    ) -> i32;
    pub fn trb_divergence(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        weight: *const f64,
        options: *const trb_divergence_options,
        loss: *mut f64,
        grad: *const trb_logits,
        rows: *mut trb_loss_row,
    ) -> i32;
    pub fn trb_token_terms(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_logits,
        token: *const i64,
        log_behavior: *const f64,
        weight: *const f64,
        options: *const trb_term_options,
        out: *mut trb_term,
        grad: *const trb_logits,
    ) -> i32;
    pub fn trb_solve_sparse(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_sparse,
        budget: *const f64,
        n_budget: i64,
        options: *const trb_solve_options,
        out: *mut trb_sparse_blend,
    ) -> i32;
    pub fn trb_sample_sparse(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_sparse,
        blend: *const trb_sparse_blend,
        sampler: *const trb_sampler,
        out: *mut trb_draw,
    ) -> i32;
    pub fn trb_reverse_kl_sparse(
        ctx: *mut trb_context,
        student: *const trb_logits,
        teacher: *const trb_sparse,
        weight: *const f64,
        options: *const trb_loss_options,
        loss: *mut f64,
        grad: *const trb_logits,
        rows: *mut trb_loss_row,
    ) -> i32;
    pub fn trb_head_reverse_kl(
        ctx: *mut trb_context,
        rows: i64,
        student: *const trb_head,
        teacher: *const trb_head,
        weight: *const f64,
        options: *const trb_loss_options,
        how: *const trb_head_options,
        loss: *mut f64,
        grad: *const trb_head_grad,
        loss_rows: *mut trb_loss_row,
    ) -> i32;
    pub fn trb_head_solve(
        ctx: *mut trb_context,
        rows: i64,
        student: *const trb_head,
        teacher: *const trb_head,
        budget: *const f64,
        n_budget: i64,
        options: *const trb_solve_options,
        sampler: *const trb_sampler,
        how: *const trb_head_options,
        blend: *mut trb_blend,
        draw: *mut trb_draw,
    ) -> i32;
    pub fn trb_entropy(ctx: *mut trb_context, logits: *const trb_logits, out: *mut f64) -> i32;
    pub fn trb_rollout(
        ctx: *mut trb_context,
        student: *const trb_model,
        teacher: *const trb_model,
        prompts: *const trb_texts,
        options: *const trb_rollout_options,
        out: *mut *mut trb_rollouts,
    ) -> i32;
    pub fn trb_rollouts_new(
        ctx: *mut trb_context,
        texts: *const trb_texts,
        prompt_length: *const i64,
        log_sampled: *const f64,
        ends: *const trb_ends,
        out: *mut *mut trb_rollouts,
    ) -> i32;
    pub fn trb_rollouts_free(rollouts: *mut trb_rollouts);
    pub fn trb_score(
        ctx: *mut trb_context,
        student: *const trb_model,
        teacher: *const trb_model,
        options: *const trb_score_options,
        inout: *mut trb_rollouts,
    ) -> i32;
    pub fn trb_rollouts_totals(
        ctx: *mut trb_context,
        rollouts: *const trb_rollouts,
        out: *mut trb_totals,
    ) -> i32;
    pub fn trb_train_step(
        ctx: *mut trb_context,
        student: *const trb_model,
        teacher: *const trb_model,
        rollouts: *const trb_rollouts,
        options: *const trb_train_options,
        loss: *mut f64,
        rows: *mut trb_loss_row,
        out: *mut trb_train_report,
    ) -> i32;
    pub fn trb_sequence_scores(
        ctx: *mut trb_context,
        rollouts: *const trb_rollouts,
        out: *mut f64,
    ) -> i32;
    pub fn trb_auroc(
        ctx: *mut trb_context,
        score: *const f64,
        positive: *const i32,
        n: i64,
        out: *mut f64,
    ) -> i32;
    pub fn trb_continuation_gain(
        ctx: *mut trb_context,
        student: *const trb_model,
        teacher: *const trb_model,
        a: *const trb_rollouts,
        b: *const trb_rollouts,
        cut: i64,
        options: *const trb_rollout_options,
        judge: trb_judge_fn,
        judge_user: *mut c_void,
        out: *mut trb_gain,
    ) -> i32;
}
