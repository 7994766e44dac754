package trb;

/** Options of {@link Context#trainStep}. */
public final class TrainOptions {
    /** What a step descends. */
    public enum Objective implements Numbered {
        REVERSE_KL(Declarations.TRB_OBJECTIVE_REVERSE_KL),
        DIVERGENCE(Declarations.TRB_OBJECTIVE_DIVERGENCE),
        TOKEN(Declarations.TRB_OBJECTIVE_TOKEN);

        private final int number;

        Objective(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    /** How weights become those of the loss. */
    public enum Norm implements Numbered {
        TOKENS(Declarations.TRB_NORM_TOKENS),
        SEQUENCES(Declarations.TRB_NORM_SEQUENCES),
        NONE(Declarations.TRB_NORM_NONE);

        private final int number;

        Norm(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Objective objective = Objective.REVERSE_KL;
    /** Of Objective.REVERSE_KL alone, with ids of [tokens, k]; null: defaults. */
    public LossOptions reverseKl;
    /** Of Objective.DIVERGENCE alone; null: defaults. */
    public DivergenceOptions divergence;
    /** Of Objective.TOKEN alone; null: defaults. */
    public TermOptions token;
    /** One per token; null: ones. */
    public double[] weight;
    public Norm norm = Norm.TOKENS;
    /** Multiplies all weights; 0 means 1. */
    public double scale;
    /** Divergences: the target is the blend at this weight of the teacher; 0: the teacher itself. */
    public double bridge;
    /** Of the gradient that backward gets. */
    public Dtype gradDtype = Dtype.F32;
    /** No gradient: backward is not called. */
    public boolean evaluate;
    /** The loss of a corrected token is -log p of the teacher's most probable one. */
    public boolean routed;
    /** Most bytes of logits and gradients at a time; 0 means 256 MiB. */
    public long batchBytes;
    /** Null, or called after every micro-batch. */
    public Progress progress;

    Declarations.trb_train_options raw(Call call, Callbacks callbacks, long tokens) {
        var raw = new Declarations.trb_train_options();
        raw.objective = objective.number();
        raw.reverse_kl = reverseKl == null ? null : call.keep(reverseKl.raw(call, tokens));
        raw.divergence = divergence == null ? null : call.keep(divergence.raw());
        raw.token = token == null ? null : call.keep(token.raw());
        raw.weight = call.doubles("weight", weight, tokens);
        raw.norm = norm.number();
        raw.scale = scale;
        raw.bridge = bridge;
        raw.grad_dtype = gradDtype.number();
        raw.evaluate = evaluate ? 1 : 0;
        raw.routed = routed ? 1 : 0;
        raw.batch_bytes = batchBytes;
        raw.progress = callbacks.of(progress);
        raw.progress_user = callbacks.user(progress);
        return raw;
    }
}
