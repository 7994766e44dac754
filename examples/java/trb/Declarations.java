package trb;

import com.sun.jna.Callback;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import java.util.List;

/** What trb.h declares. Written by examples/declarations, not by hand. */
public final class Declarations {
    public static final int TRB_VERSION_MAJOR = 0;
    public static final int TRB_VERSION_MINOR = 1;
    public static final int TRB_VERSION_PATCH = 0;

    public static final int TRB_OK = 0;
    public static final int TRB_EINVAL = -1;
    public static final int TRB_ENOMEM = -2;
    public static final int TRB_EROWS = -3;
    public static final int TRB_ECALLBACK = -4;
    public static final int TRB_ECOMM = -5;
    public static final int TRB_ROW_BLENDED = 0;
    public static final int TRB_ROW_TEACHER = 1;
    public static final int TRB_ROW_STUDENT = 2;
    public static final int TRB_ROW_UNREACHABLE = 3;
    public static final int TRB_ROW_GIVEN = 4;
    public static final int TRB_ROW_OK = 5;
    public static final int TRB_ROW_SKIPPED = 6;
    public static final int TRB_ROW_EMPTY = -1;
    public static final int TRB_ROW_NOT_A_NUMBER = -2;
    public static final int TRB_ROW_INFINITE = -3;
    public static final int TRB_ROW_IMPOSSIBLE = -4;
    public static final int TRB_ROW_EXCESS = -5;
    public static final int TRB_ISA_AUTO = 0;
    public static final int TRB_ISA_SCALAR = 1;
    public static final int TRB_ISA_AVX2 = 2;
    public static final int TRB_ISA_AVX512 = 3;
    public static final int TRB_ISA_NEON = 4;
    public static final int TRB_F32 = 0;
    public static final int TRB_F16 = 1;
    public static final int TRB_BF16 = 2;
    public static final int TRB_SCHEDULE_LINEAR = 0;
    public static final int TRB_SCHEDULE_CONSTANT = 1;
    public static final int TRB_SCHEDULE_COSINE = 2;
    public static final int TRB_SCHEDULE_PIECEWISE = 3;
    public static final int TRB_METHOD_NEWTON = 0;
    public static final int TRB_METHOD_BISECTION = 1;
    public static final int TRB_VERDICT_DRAWN = 0;
    public static final int TRB_VERDICT_ACCEPTED = 1;
    public static final int TRB_VERDICT_CORRECTED = 2;
    public static final int TRB_VERDICT_DROPPED = 3;
    public static final int TRB_FORM_FULL = 0;
    public static final int TRB_FORM_TRUNCATED = 1;
    public static final int TRB_FORM_RENORMALIZED = 2;
    public static final int TRB_FORM_TAIL_BUCKET = 3;
    public static final int TRB_FORM_GENERALIZED = 4;
    public static final int TRB_SUPPORT_ALL = 0;
    public static final int TRB_SUPPORT_STUDENT_TOP_K = 1;
    public static final int TRB_SUPPORT_TEACHER_TOP_K = 2;
    public static final int TRB_SUPPORT_IDS = 3;
    public static final int TRB_DIVERGENCE_FORWARD_KL = 0;
    public static final int TRB_DIVERGENCE_JSD = 1;
    public static final int TRB_ESTIMATOR_ADVANTAGE = 0;
    public static final int TRB_ESTIMATOR_K1 = 1;
    public static final int TRB_ESTIMATOR_K2 = 2;
    public static final int TRB_ESTIMATOR_K3 = 3;
    public static final int TRB_ESTIMATOR_NLL = 4;
    public static final int TRB_CLIPPED_RATIO = 1;
    public static final int TRB_CLIPPED_ADVANTAGE = 2;
    public static final int TRB_CONTINUE = 1;
    public static final int TRB_BEHAVIOR_BUDGET = 0;
    public static final int TRB_BEHAVIOR_BETA = 1;
    public static final int TRB_BEHAVIOR_STUDENT = 2;
    public static final int TRB_BEHAVIOR_TEACHER = 3;
    public static final int TRB_BEHAVIOR_SKD = 4;
    public static final int TRB_STOP_NONE = 0;
    public static final int TRB_STOP_TOKEN = 1;
    public static final int TRB_STOP_LENGTH = 2;
    public static final int TRB_STOP_STUDENT = 3;
    public static final int TRB_STOP_TEACHER = 4;
    public static final int TRB_STOP_GIVEN = 5;
    public static final int TRB_OBJECTIVE_REVERSE_KL = 0;
    public static final int TRB_OBJECTIVE_DIVERGENCE = 1;
    public static final int TRB_OBJECTIVE_TOKEN = 2;
    public static final int TRB_NORM_TOKENS = 0;
    public static final int TRB_NORM_SEQUENCES = 1;
    public static final int TRB_NORM_NONE = 2;

    public interface trb_task_fn extends Callback {
        void callback(Pointer task, long index);
    }

    public interface trb_parallel_for_fn extends Callback {
        void callback(long n, trb_task_fn fn, Pointer task, Pointer user);
    }

    public interface trb_alloc_fn extends Callback {
        Pointer callback(long bytes, Pointer user);
    }

    public interface trb_free_fn extends Callback {
        void callback(Pointer memory, Pointer user);
    }

    public interface trb_sgemm_fn extends Callback {
        void callback(
                int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, Pointer a, int lda,
                Pointer b, int ldb, float beta, Pointer c, int ldc);
    }

    public interface trb_forward_fn extends Callback {
        int callback(Pointer queries, long n, Pointer out, Pointer user);
    }

    public interface trb_backward_fn extends Callback {
        int callback(Pointer queries, long n, Pointer grad, Pointer user);
    }

    public interface trb_progress_fn extends Callback {
        int callback(long done, long total, Pointer user);
    }

    public interface trb_judge_fn extends Callback {
        int callback(Pointer tokens, long length, long prompt, long sequence, Pointer out, Pointer user);
    }

    @FieldOrder({
            "size", "threads", "parallel_for", "parallel_user", "alloc", "free", "alloc_user", "isa", "reserved",
            "error", "error_bytes"})
    public static class trb_context_options extends Structure {
        public long size;
        public long threads;
        public trb_parallel_for_fn parallel_for;
        public Pointer parallel_user;
        public trb_alloc_fn alloc;
        public trb_free_fn free;
        public Pointer alloc_user;
        public int isa;
        public int reserved;
        public Pointer error;
        public long error_bytes;

        public trb_context_options() { size = size(); }

        public trb_context_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"data", "rows", "vocab", "stride", "dtype", "temperature"})
    public static class trb_logits extends Structure {
        public Pointer data;
        public long rows;
        public long vocab;
        public long stride;
        public int dtype;
        public float temperature;

        public trb_logits() {}

        public trb_logits(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"tokens", "offset", "n"})
    public static class trb_texts extends Structure {
        public Pointer tokens;
        public Pointer offset;
        public long n;

        public trb_texts() {}

        public trb_texts(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "kind", "reserved", "initial", "steps", "at", "budgets", "points"})
    public static class trb_schedule extends Structure {
        public long size;
        public int kind;
        public int reserved;
        public double initial;
        public long steps;
        public Pointer at;
        public Pointer budgets;
        public long points;

        public trb_schedule() { size = size(); }

        public trb_schedule(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "tolerance", "method", "reserved"})
    public static class trb_solve_options extends Structure {
        public long size;
        public double tolerance;
        public int method;
        public int reserved;

        public trb_solve_options() { size = size(); }

        public trb_solve_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "beta", "multiplier", "kl_student", "kl_teacher", "reverse_kl", "log_norm", "lse_student", "lse_teacher",
            "status", "passes", "support", "mass"})
    public static class trb_blend extends Structure {
        public double beta;
        public double multiplier;
        public double kl_student;
        public double kl_teacher;
        public double reverse_kl;
        public double log_norm;
        public double lse_student;
        public double lse_teacher;
        public int status;
        public int passes;
        public long support;
        public float[] mass = new float[32];

        public trb_blend() {}

        public trb_blend(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "seed", "stream", "index", "top_k", "top_p", "min_p", "greedy", "purpose"})
    public static class trb_sampler extends Structure {
        public long size;
        public long seed;
        public Pointer stream;
        public Pointer index;
        public long top_k;
        public double top_p;
        public double min_p;
        public int greedy;
        public int purpose;

        public trb_sampler() { size = size(); }

        public trb_sampler(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"token", "kept", "log_sampled", "log_behavior", "log_student", "log_teacher", "status", "reserved"})
    public static class trb_draw extends Structure {
        public long token;
        public long kept;
        public double log_sampled;
        public double log_behavior;
        public double log_student;
        public double log_teacher;
        public int status;
        public int reserved;

        public trb_draw() {}

        public trb_draw(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"draw", "acceptance", "tv", "argmax_teacher", "verdict", "reserved"})
    public static class trb_verdict extends Structure {
        public trb_draw draw;
        public double acceptance;
        public double tv;
        public long argmax_teacher;
        public int verdict;
        public int reserved;

        public trb_verdict() {}

        public trb_verdict(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "solve", "sampler", "behavior", "reserved"})
    public static class trb_verify_options extends Structure {
        public long size;
        public Pointer solve;
        public Pointer sampler;
        public int behavior;
        public int reserved;

        public trb_verify_options() { size = size(); }

        public trb_verify_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "form", "support", "k", "ids"})
    public static class trb_loss_options extends Structure {
        public long size;
        public int form;
        public int support;
        public long k;
        public Pointer ids;

        public trb_loss_options() { size = size(); }

        public trb_loss_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "entropy_student", "entropy_teacher", "mass_student", "mass_teacher", "support", "overlap",
            "argmax_student", "argmax_teacher", "status", "reserved"})
    public static class trb_loss_row extends Structure {
        public double entropy_student;
        public double entropy_teacher;
        public double mass_student;
        public double mass_teacher;
        public long support;
        public long overlap;
        public long argmax_student;
        public long argmax_teacher;
        public int status;
        public int reserved;

        public trb_loss_row() {}

        public trb_loss_row(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "b", "kind", "reserved"})
    public static class trb_divergence_options extends Structure {
        public long size;
        public double b;
        public int kind;
        public int reserved;

        public trb_divergence_options() { size = size(); }

        public trb_divergence_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "ratio_low", "ratio_high", "advantage_limit", "estimator", "reserved"})
    public static class trb_term_options extends Structure {
        public long size;
        public double ratio_low;
        public double ratio_high;
        public double advantage_limit;
        public int estimator;
        public int reserved;

        public trb_term_options() { size = size(); }

        public trb_term_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"value", "coefficient", "log_student", "log_teacher", "ratio", "clipped", "status"})
    public static class trb_term extends Structure {
        public double value;
        public double coefficient;
        public double log_student;
        public double log_teacher;
        public double ratio;
        public int clipped;
        public int status;

        public trb_term() {}

        public trb_term(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"ids", "log_q", "offset", "k", "least_rest"})
    public static class trb_sparse extends Structure {
        public Pointer ids;
        public Pointer log_q;
        public Pointer offset;
        public long k;
        public double least_rest;

        public trb_sparse() {}

        public trb_sparse(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"blend", "log_rest_student", "log_rest_teacher", "max_student", "log2_norm", "log2_z", "log2_excess"})
    public static class trb_sparse_blend extends Structure {
        public trb_blend blend;
        public double log_rest_student;
        public double log_rest_teacher;
        public double max_student;
        public double log2_norm;
        public double log2_z;
        public double log2_excess;

        public trb_sparse_blend() {}

        public trb_sparse_blend(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "hidden", "hidden_stride", "weight", "weight_stride", "bias", "vocab", "width", "dtype", "scale",
            "soft_cap", "temperature"})
    public static class trb_head extends Structure {
        public long size;
        public Pointer hidden;
        public long hidden_stride;
        public Pointer weight;
        public long weight_stride;
        public Pointer bias;
        public long vocab;
        public long width;
        public int dtype;
        public float scale;
        public float soft_cap;
        public float temperature;

        public trb_head() { size = size(); }

        public trb_head(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "sgemm", "logits_bytes"})
    public static class trb_head_options extends Structure {
        public long size;
        public trb_sgemm_fn sgemm;
        public long logits_bytes;

        public trb_head_options() { size = size(); }

        public trb_head_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "hidden", "hidden_stride", "weight", "weight_stride", "bias"})
    public static class trb_head_grad extends Structure {
        public long size;
        public Pointer hidden;
        public long hidden_stride;
        public Pointer weight;
        public long weight_stride;
        public Pointer bias;

        public trb_head_grad() { size = size(); }

        public trb_head_grad(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"tokens", "sequence", "length", "known", "rows", "proposed"})
    public static class trb_query extends Structure {
        public Pointer tokens;
        public long sequence;
        public long length;
        public long known;
        public long rows;
        public long proposed;

        public trb_query() {}

        public trb_query(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "vocab", "forward", "backward", "user", "dtype", "temperature"})
    public static class trb_model extends Structure {
        public long size;
        public long vocab;
        public trb_forward_fn forward;
        public trb_backward_fn backward;
        public Pointer user;
        public int dtype;
        public float temperature;

        public trb_model() { size = size(); }

        public trb_model(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"student", "teacher", "n"})
    public static class trb_ends extends Structure {
        public Pointer student;
        public Pointer teacher;
        public long n;

        public trb_ends() {}

        public trb_ends(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "budget", "beta", "temperature", "top_k", "solve", "sampler", "stop", "n_stop", "ends",
            "max_tokens", "max_length", "repeats", "batch", "block", "keep_bytes", "progress", "progress_user",
            "behavior", "reserved"})
    public static class trb_rollout_options extends Structure {
        public long size;
        public double budget;
        public double beta;
        public double temperature;
        public long top_k;
        public Pointer solve;
        public Pointer sampler;
        public Pointer stop;
        public long n_stop;
        public Pointer ends;
        public long max_tokens;
        public long max_length;
        public long repeats;
        public long batch;
        public long block;
        public long keep_bytes;
        public trb_progress_fn progress;
        public Pointer progress_user;
        public int behavior;
        public int reserved;

        public trb_rollout_options() { size = size(); }

        public trb_rollout_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "n", "n_tokens", "text", "text_offset", "offset", "stream", "stop", "row", "token", "log_sampled",
            "log_behavior", "log_student", "log_teacher", "beta", "kl_student", "kl_teacher", "reverse_kl",
            "entropy_student", "entropy_teacher", "tv", "argmax_teacher", "status", "verdict", "proposed", "budget",
            "kept", "student_calls", "teacher_calls"})
    public static class trb_rollouts extends Structure {
        public long size;
        public long n;
        public long n_tokens;
        public Pointer text;
        public Pointer text_offset;
        public Pointer offset;
        public Pointer stream;
        public Pointer stop;
        public Pointer row;
        public Pointer token;
        public Pointer log_sampled;
        public Pointer log_behavior;
        public Pointer log_student;
        public Pointer log_teacher;
        public Pointer beta;
        public Pointer kl_student;
        public Pointer kl_teacher;
        public Pointer reverse_kl;
        public Pointer entropy_student;
        public Pointer entropy_teacher;
        public Pointer tv;
        public Pointer argmax_teacher;
        public Pointer status;
        public Pointer verdict;
        public long proposed;
        public double budget;
        public long kept;
        public long student_calls;
        public long teacher_calls;

        public trb_rollouts() { size = size(); }

        public trb_rollouts(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "batch_bytes", "keep_bytes", "progress", "progress_user"})
    public static class trb_score_options extends Structure {
        public long size;
        public long batch_bytes;
        public long keep_bytes;
        public trb_progress_fn progress;
        public Pointer progress_user;

        public trb_score_options() { size = size(); }

        public trb_score_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "sequences", "tokens", "stopped_token", "stopped_length", "stopped_row", "unfinished", "shortest",
            "longest", "infinite", "mean_length", "sequence_kl", "sequence_bound", "saturated", "beta",
            "log_behavior", "log_student", "log_teacher", "kl_student", "kl_teacher", "reverse_kl", "entropy_student",
            "entropy_teacher", "tv", "proposed", "accepted", "corrected"})
    public static class trb_totals extends Structure {
        public long size;
        public long sequences;
        public long tokens;
        public long stopped_token;
        public long stopped_length;
        public long stopped_row;
        public long unfinished;
        public long shortest;
        public long longest;
        public long infinite;
        public double mean_length;
        public double sequence_kl;
        public double sequence_bound;
        public double saturated;
        public double beta;
        public double log_behavior;
        public double log_student;
        public double log_teacher;
        public double kl_student;
        public double kl_teacher;
        public double reverse_kl;
        public double entropy_student;
        public double entropy_teacher;
        public double tv;
        public long proposed;
        public long accepted;
        public long corrected;

        public trb_totals() { size = size(); }

        public trb_totals(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "reverse_kl", "divergence", "token", "weight", "scale", "bridge", "batch_bytes", "progress",
            "progress_user", "objective", "norm", "grad_dtype", "evaluate", "routed", "reserved"})
    public static class trb_train_options extends Structure {
        public long size;
        public Pointer reverse_kl;
        public Pointer divergence;
        public Pointer token;
        public Pointer weight;
        public double scale;
        public double bridge;
        public long batch_bytes;
        public trb_progress_fn progress;
        public Pointer progress_user;
        public int objective;
        public int norm;
        public int grad_dtype;
        public int evaluate;
        public int routed;
        public int reserved;

        public trb_train_options() { size = size(); }

        public trb_train_options(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({
            "size", "tokens", "bad", "clipped", "micro_batches", "teacher_rows", "objective", "loss",
            "entropy_student", "entropy_teacher", "mass_student", "mass_teacher", "agreement", "routed", "routed_loss"})
    public static class trb_train_report extends Structure {
        public long size;
        public long tokens;
        public long bad;
        public long clipped;
        public long micro_batches;
        public long teacher_rows;
        public double objective;
        public double loss;
        public double entropy_student;
        public double entropy_teacher;
        public double mass_student;
        public double mass_teacher;
        public double agreement;
        public long routed;
        public double routed_loss;

        public trb_train_report() { size = size(); }

        public trb_train_report(Pointer at) {
            super(at);
        }
    }

    @FieldOrder({"size", "pairs", "continued_a", "continued_b", "reward_a", "reward_b", "gain", "standard_error"})
    public static class trb_gain extends Structure {
        public long size;
        public long pairs;
        public long continued_a;
        public long continued_b;
        public double reward_a;
        public double reward_b;
        public double gain;
        public double standard_error;

        public trb_gain() { size = size(); }

        public trb_gain(Pointer at) {
            super(at);
        }
    }

    /** All structs. Those that begin with `size` may be larger in the library. */
    public static final List<Class<? extends Structure>> STRUCTS = List.of(
            trb_context_options.class,
            trb_logits.class,
            trb_texts.class,
            trb_schedule.class,
            trb_solve_options.class,
            trb_blend.class,
            trb_sampler.class,
            trb_draw.class,
            trb_verdict.class,
            trb_verify_options.class,
            trb_loss_options.class,
            trb_loss_row.class,
            trb_divergence_options.class,
            trb_term_options.class,
            trb_term.class,
            trb_sparse.class,
            trb_sparse_blend.class,
            trb_head.class,
            trb_head_options.class,
            trb_head_grad.class,
            trb_query.class,
            trb_model.class,
            trb_ends.class,
            trb_rollout_options.class,
            trb_rollouts.class,
            trb_score_options.class,
            trb_totals.class,
            trb_train_options.class,
            trb_train_report.class,
            trb_gain.class);

    public static native String trb_strerror(int status);

    public static native String trb_row_strerror(int row_status);

    public static native int trb_version();

    public static native int trb_constant(String name, Pointer value);

    public static native int trb_constant_at(long index, Pointer name, Pointer value);

    public static native int trb_context_new(Pointer options, Pointer out);

    public static native void trb_context_free(Pointer ctx);

    public static native String trb_context_error(Pointer ctx);

    public static native int trb_context_isa(Pointer ctx);

    public static native int trb_mask_tokens(Pointer ctx, Pointer inout, Pointer ids, long n);

    public static native int trb_merge_tokens(Pointer ctx, Pointer inout, Pointer from, Pointer to, long n);

    public static native int trb_schedule_at(Pointer ctx, Pointer schedule, long k, Pointer out);

    public static native int trb_solve(
            Pointer ctx, Pointer student, Pointer teacher, Pointer budget, long n_budget, Pointer options, Pointer out);

    public static native int trb_blend_at(
            Pointer ctx, Pointer student, Pointer teacher, Pointer beta, long n_beta, Pointer out);

    public static native int trb_write_blend(Pointer ctx, Pointer student, Pointer teacher, Pointer blend, Pointer out);

    public static native int trb_sample(
            Pointer ctx, Pointer student, Pointer teacher, Pointer blend, Pointer sampler, Pointer out);

    public static native int trb_verify(
            Pointer ctx, Pointer student, Pointer teacher, Pointer proposals, Pointer budget, long n_budget,
            Pointer options, Pointer blend, Pointer out);

    public static native int trb_reverse_kl(
            Pointer ctx, Pointer student, Pointer teacher, Pointer weight, Pointer options, Pointer loss,
            Pointer grad, Pointer rows);

    public static native int trb_divergence(
            Pointer ctx, Pointer student, Pointer teacher, Pointer weight, Pointer options, Pointer loss,
            Pointer grad, Pointer rows);

    public static native int trb_token_terms(
            Pointer ctx, Pointer student, Pointer teacher, Pointer token, Pointer log_behavior, Pointer weight,
            Pointer options, Pointer out, Pointer grad);

    public static native int trb_solve_sparse(
            Pointer ctx, Pointer student, Pointer teacher, Pointer budget, long n_budget, Pointer options, Pointer out);

    public static native int trb_sample_sparse(
            Pointer ctx, Pointer student, Pointer teacher, Pointer blend, Pointer sampler, Pointer out);

    public static native int trb_reverse_kl_sparse(
            Pointer ctx, Pointer student, Pointer teacher, Pointer weight, Pointer options, Pointer loss,
            Pointer grad, Pointer rows);

    public static native int trb_head_reverse_kl(
            Pointer ctx, long rows, Pointer student, Pointer teacher, Pointer weight, Pointer options, Pointer how,
            Pointer loss, Pointer grad, Pointer loss_rows);

    public static native int trb_head_solve(
            Pointer ctx, long rows, Pointer student, Pointer teacher, Pointer budget, long n_budget, Pointer options,
            Pointer sampler, Pointer how, Pointer blend, Pointer draw);

    public static native int trb_entropy(Pointer ctx, Pointer logits, Pointer out);

    public static native int trb_rollout(
            Pointer ctx, Pointer student, Pointer teacher, Pointer prompts, Pointer options, Pointer out);

    public static native int trb_rollouts_new(
            Pointer ctx, Pointer texts, Pointer prompt_length, Pointer log_sampled, Pointer ends, Pointer out);

    public static native void trb_rollouts_free(Pointer rollouts);

    public static native int trb_score(Pointer ctx, Pointer student, Pointer teacher, Pointer options, Pointer inout);

    public static native int trb_rollouts_totals(Pointer ctx, Pointer rollouts, Pointer out);

    public static native int trb_train_step(
            Pointer ctx, Pointer student, Pointer teacher, Pointer rollouts, Pointer options, Pointer loss,
            Pointer rows, Pointer out);

    public static native int trb_sequence_scores(Pointer ctx, Pointer rollouts, Pointer out);

    public static native int trb_auroc(Pointer ctx, Pointer score, Pointer positive, long n, Pointer out);

    public static native int trb_continuation_gain(
            Pointer ctx, Pointer student, Pointer teacher, Pointer a, Pointer b, long cut, Pointer options,
            trb_judge_fn judge, Pointer judge_user, Pointer out);

    static {
        Library.register(Declarations.class);
    }

    private Declarations() {}
}
