package trb;

/**
 * Options of {@link Context#rollout}. What the behavior does not use must be 0. One of maxTokens and maxLength must be
 * set.
 */
public final class RolloutOptions {
    /** Who samples. */
    public enum Behavior implements Numbered {
        /** The blend within `budget`. */
        BUDGET(Declarations.TRB_BEHAVIOR_BUDGET),
        /** The blend at weight `beta`. */
        BETA(Declarations.TRB_BEHAVIOR_BETA),
        /** The student at `temperature`. */
        STUDENT(Declarations.TRB_BEHAVIOR_STUDENT),
        /** The teacher at `temperature`. */
        TEACHER(Declarations.TRB_BEHAVIOR_TEACHER),
        /** A student's token that is not in the teacher's top k is replaced by one of the teacher. */
        SKD(Declarations.TRB_BEHAVIOR_SKD);

        private final int number;

        Behavior(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Behavior behavior = Behavior.BUDGET;
    /** BUDGET: nats per token. */
    public double budget;
    /** BETA: weight of the teacher. */
    public double beta;
    /** STUDENT, TEACHER, SKD: on top of the model's own; 0 means 1. */
    public double temperature;
    /** SKD. */
    public long topK;
    /** BUDGET; null: defaults. */
    public SolveOptions solve;
    /** `stream` has one for each sequence. Null: defaults. */
    public Sampler sampler;
    /** Ids that end a sequence; null: none. */
    public long[] stop;
    /** Null: none. */
    public Ends ends;
    /** Most sampled tokens of a sequence; 0: no such limit. */
    public long maxTokens;
    /** Most tokens of a sequence with its prompt; 0: no such limit. */
    public long maxLength;
    /** Sequences per prompt; 0 means 1. */
    public int repeats;
    /** Most sequences per callback; 0: all. */
    public long batch;
    /** Most tokens that the student proposes before the teacher is asked; 0: none. */
    public long block;
    /** Teacher logits are kept for the loss as long as they fit; 0: none. */
    public long keepBytes;
    /** Null, or called after every step. */
    public Progress progress;

    Declarations.trb_rollout_options raw(Call call, Callbacks callbacks, int prompts) {
        var raw = new Declarations.trb_rollout_options();
        raw.behavior = behavior.number();
        raw.budget = budget;
        raw.beta = beta;
        raw.temperature = temperature;
        raw.top_k = topK;
        raw.solve = solve == null ? null : call.keep(solve.raw());
        long sequences = (long) prompts * Math.max(repeats, 1);
        raw.sampler = sampler == null ? null : call.keep(sampler.raw(call, sequences, 0));
        raw.n_stop = stop == null ? 0 : stop.length;
        raw.stop = call.longs("stop", stop, raw.n_stop);
        raw.ends = ends == null ? null : call.keep(ends.raw(call));
        raw.max_tokens = maxTokens;
        raw.max_length = maxLength;
        raw.repeats = repeats;
        raw.batch = batch;
        raw.block = block;
        raw.keep_bytes = keepBytes;
        raw.progress = callbacks.of(progress);
        raw.progress_user = callbacks.user(progress);
        return raw;
    }
}
