package trb;

import static trb.Declarations.*;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The functions of the library, with threads and an instruction set for them. The package's comment says what holds for
 * all of them.
 */
public final class Context implements AutoCloseable {
    static final Cleaner CLEANER = Cleaner.create();

    private static final int TEXT_BYTES = 400;

    private final Pointer handle;
    private final Cleaner.Cleanable memory;
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile boolean closed;

    /** One thread, the best instruction set of this machine. */
    public Context() {
        this(new ContextOptions());
    }

    public Context(ContextOptions options) {
        Library.check();
        try (Memory text = new Memory(TEXT_BYTES); Memory out = new Memory(Long.BYTES)) {
            text.clear();
            var raw = new trb_context_options();
            raw.threads = options.threads;
            raw.isa = options.isa.number();
            raw.error = text;
            raw.error_bytes = TEXT_BYTES;
            raw.write();
            int status = trb_context_new(raw.getPointer(), out);
            if (status != TRB_OK) {
                throw error(status, text.getString(0, "UTF-8"), null);
            }
            Pointer made = out.getPointer(0);
            handle = made;
            memory = CLEANER.register(this, () -> trb_context_free(made));
        }
    }

    /** Ends the context and its threads. A second time does nothing. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        begin();
        closed = true;
        end();
        memory.clean();
    }

    /** For the functions of Declarations, as long as this object is in use. */
    public Pointer pointer() {
        if (closed) {
            throw new IllegalStateException("the context is closed");
        }
        return handle;
    }

    /** Whose kernels run. */
    public ContextOptions.Isa isa() {
        try (Call call = new Call(this)) {
            return Numbered.of(ContextOptions.Isa.values(), trb_context_isa(call.handle), ContextOptions.Isa.AUTO);
        }
    }

    // ---- Logits ----------------------------------------------------------------------------------------------------

    /** Masks tokens in every row, in place. */
    public void maskTokens(Logits inout, long... ids) {
        try (Call call = new Call(this)) {
            Pointer view = call.output("inout", Objects.requireNonNull(inout));
            finish(call, trb_mask_tokens(call.handle, view, call.longs("ids", ids, ids.length), ids.length), null);
        }
    }

    /** Moves the probability of each token of `from` to that of `to`, in every row, in place. */
    public void mergeTokens(Logits inout, long[] from, long[] to) {
        try (Call call = new Call(this)) {
            Pointer view = call.output("inout", Objects.requireNonNull(inout));
            Pointer sources = call.longs("from", from, from.length);
            Pointer targets = call.longs("to", to, from.length);
            finish(call, trb_merge_tokens(call.handle, view, sources, targets, from.length), null);
        }
    }

    /** The entropy of each row, in nats. */
    public double[] entropy(Logits logits) {
        try (Call call = new Call(this)) {
            Memory out = call.bytes((long) logits.rows() * Double.BYTES);
            int status = trb_entropy(call.handle, call.input(logits), out);
            return finish(call, status, out.getDoubleArray(0, logits.rows()));
        }
    }

    /** The budget of step k. */
    public double scheduleAt(Schedule schedule, long k) {
        try (Call call = new Call(this)) {
            Memory out = call.bytes(Double.BYTES);
            finish(call, trb_schedule_at(call.handle, call.keep(schedule.raw(call)), k, out), null);
            return out.getDouble(0);
        }
    }

    // ---- The blend -------------------------------------------------------------------------------------------------

    /** The behaviors closest to the teacher within one budget for all rows. */
    public List<Blend> solve(Logits student, Logits teacher, double budget) {
        return solve(student, teacher, new double[] {budget}, null);
    }

    /** Likewise with one budget for each row, or one for all. The teacher may be null if all are 0. */
    public List<Blend> solve(Logits student, Logits teacher, double[] budget, SolveOptions options) {
        try (Call call = new Call(this)) {
            var out = new Records<>(Blend.LAYOUT, student.rows());
            Pointer budgets = call.doubles("budget", budget, budget.length);
            Pointer chosen = options == null ? null : call.keep(options.raw());
            int status = trb_solve(call.handle, call.input(student), call.input(teacher), budgets, budget.length,
                    chosen, out.memory());
            return finish(call, status, out);
        }
    }

    /** The same records for weights of the teacher, one for each row or one for all. */
    public List<Blend> blendAt(Logits student, Logits teacher, double... beta) {
        try (Call call = new Call(this)) {
            var out = new Records<>(Blend.LAYOUT, student.rows());
            Pointer betas = call.doubles("beta", beta, beta.length);
            int status = trb_blend_at(call.handle, call.input(student), call.input(teacher), betas, beta.length,
                    out.memory());
            return finish(call, status, out);
        }
    }

    /** Writes log mu to `out`, which may be the student's or the teacher's own memory, and returns it. */
    public Logits writeBlend(Logits student, Logits teacher, List<Blend> blends, Logits out) {
        try (Call call = new Call(this)) {
            Pointer given = call.records("blends", Blend.LAYOUT, blends, student.rows());
            int status = trb_write_blend(call.handle, call.input(student), call.input(teacher), given,
                    call.output("out", out));
            return finish(call, status, out);
        }
    }

    /** Draws one token per row from mu. */
    public List<Draw> sample(Logits student, Logits teacher, List<Blend> blends, Sampler sampler) {
        try (Call call = new Call(this)) {
            int rows = student.rows();
            Pointer given = call.records("blends", Blend.LAYOUT, blends, rows);
            var out = new Records<>(Draw.LAYOUT, rows);
            Pointer how = sampler == null ? null : call.keep(sampler.raw(call, rows, rows));
            int status = trb_sample(call.handle, call.input(student), call.input(teacher), given, how, out.memory());
            return finish(call, status, out);
        }
    }

    /** Turns blocks of tokens that the student proposed into tokens distributed as mu: speculative sampling. */
    public Verified verify(Logits student, Logits teacher, List<long[]> proposals, double[] budget,
            VerifyOptions options) {
        try (Call call = new Call(this)) {
            int rows = student.rows();
            var out = new Verified(new Records<>(Verdict.LAYOUT, rows), new Records<>(Blend.LAYOUT, rows));
            Pointer blocks = call.texts("proposals", proposals);
            Pointer budgets = call.doubles("budget", budget, budget.length);
            Pointer chosen = options == null ? null : call.keep(options.raw(call, rows));
            int status = trb_verify(call.handle, call.input(student), call.input(teacher), blocks, budgets,
                    budget.length, chosen, memory(out.blends()), memory(out.verdicts()));
            return finish(call, status, out);
        }
    }

    // ---- Losses ----------------------------------------------------------------------------------------------------

    /** The reverse KL of every row. */
    public Losses reverseKl(Logits student, Logits teacher) {
        return reverseKl(student, teacher, null, null, null);
    }

    /**
     * The reverse KL of every row and its exact gradient.
     *
     * @param weight  one per row; null: ones
     * @param options null: the full form
     * @param grad    null, or receives the gradient; may be the student's or the teacher's own memory
     */
    public Losses reverseKl(Logits student, Logits teacher, double[] weight, LossOptions options, Logits grad) {
        try (Call call = new Call(this)) {
            Pointer chosen = options == null ? null : call.keep(options.raw(call, student.rows()));
            Pointer p = call.input(student);
            Pointer q = call.input(teacher);
            return losses(call, student.rows(), weight, grad, (w, loss, g, rows) ->
                    trb_reverse_kl(call.handle, p, q, w, chosen, loss, g, rows));
        }
    }

    /** Forward KL or Jensen-Shannon divergence, likewise. */
    public Losses divergence(Logits student, Logits teacher, double[] weight, DivergenceOptions options, Logits grad) {
        try (Call call = new Call(this)) {
            Pointer chosen = options == null ? null : call.keep(options.raw());
            Pointer p = call.input(student);
            Pointer q = call.input(teacher);
            return losses(call, student.rows(), weight, grad, (w, loss, g, rows) ->
                    trb_divergence(call.handle, p, q, w, chosen, loss, g, rows));
        }
    }

    /**
     * An estimate of the reverse KL from one token per row, and its gradient.
     *
     * @param teacher     may be null for Estimator.NLL
     * @param logBehavior log-probabilities under what sampled the tokens; null: the student itself
     * @param weight      one per row; null: ones
     * @param options     null: the advantage without clips
     * @param grad        null, or receives the gradient
     */
    public Terms tokenTerms(Logits student, Logits teacher, long[] token, double[] logBehavior, double[] weight,
            TermOptions options, Logits grad) {
        try (Call call = new Call(this)) {
            int rows = student.rows();
            var out = new Records<>(Term.LAYOUT, rows);
            Pointer tokens = call.longs("token", token, rows);
            Pointer behavior = call.doubles("logBehavior", logBehavior, rows);
            Pointer weights = call.doubles("weight", weight, rows);
            Pointer chosen = options == null ? null : call.keep(options.raw());
            int status = trb_token_terms(call.handle, call.input(student), call.input(teacher), tokens, behavior,
                    weights, chosen, out.memory(), call.output("grad", grad));
            return finish(call, status, new Terms(out, grad));
        }
    }

    // ---- A teacher known in part -----------------------------------------------------------------------------------

    /** As {@link #solve}. */
    public List<SparseBlend> solveSparse(Logits student, Sparse teacher, double[] budget, SolveOptions options) {
        try (Call call = new Call(this)) {
            var out = new Records<>(SparseBlend.LAYOUT, student.rows());
            Pointer lists = call.keep(teacher.raw(call, student.rows()));
            Pointer budgets = call.doubles("budget", budget, budget.length);
            Pointer chosen = options == null ? null : call.keep(options.raw());
            int status = trb_solve_sparse(call.handle, call.input(student), lists, budgets, budget.length, chosen,
                    out.memory());
            return finish(call, status, out);
        }
    }

    /** As {@link #sample}. */
    public List<Draw> sampleSparse(Logits student, Sparse teacher, List<SparseBlend> blends, Sampler sampler) {
        try (Call call = new Call(this)) {
            int rows = student.rows();
            Pointer given = call.records("blends", SparseBlend.LAYOUT, blends, rows);
            var out = new Records<>(Draw.LAYOUT, rows);
            Pointer lists = call.keep(teacher.raw(call, rows));
            Pointer how = sampler == null ? null : call.keep(sampler.raw(call, rows, rows));
            int status = trb_sample_sparse(call.handle, call.input(student), lists, given, how, out.memory());
            return finish(call, status, out);
        }
    }

    /** As {@link #reverseKl}, on the list: of the options, the form alone. */
    public Losses reverseKlSparse(Logits student, Sparse teacher, double[] weight, LossOptions options, Logits grad) {
        try (Call call = new Call(this)) {
            Pointer chosen = options == null ? null : call.keep(options.raw(call, student.rows()));
            Pointer lists = call.keep(teacher.raw(call, student.rows()));
            Pointer p = call.input(student);
            return losses(call, student.rows(), weight, grad, (w, loss, g, rows) ->
                    trb_reverse_kl_sparse(call.handle, p, lists, w, chosen, loss, g, rows));
        }
    }

    // ---- Models ----------------------------------------------------------------------------------------------------

    /** Samples a response to every prompt. A model that mu does not need may be null. */
    public Rollouts rollout(Model student, Model teacher, List<long[]> prompts, RolloutOptions options) {
        try (Call call = new Call(this); Callbacks callbacks = new Callbacks()) {
            Memory out = call.bytes(Long.BYTES);
            int status = trb_rollout(call.handle, callbacks.of(call, student), callbacks.of(call, teacher),
                    call.texts("prompts", prompts), call.keep(options.raw(call, callbacks, prompts.size())), out);
            return finish(call, status, made(out), callbacks);
        }
    }

    /**
     * Rollouts of sequences that come from elsewhere.
     *
     * @param texts        prompts with responses
     * @param promptLength one per text
     * @param logSampled   log-probabilities of all responses' tokens under what sampled them; null: not known
     * @param ends         null: none
     */
    public Rollouts rollouts(List<long[]> texts, long[] promptLength, double[] logSampled, Ends ends) {
        try (Call call = new Call(this)) {
            Memory out = call.bytes(Long.BYTES);
            Pointer prompts = call.longs("promptLength", promptLength, texts.size());
            long sampled = 0;
            for (int i = 0; i < texts.size(); i++) {
                sampled += Math.max(texts.get(i).length - promptLength[i], 0);
            }
            Pointer logs = call.doubles("logSampled", logSampled, sampled);
            Pointer same = ends == null ? null : call.keep(ends.raw(call));
            int status = trb_rollouts_new(call.handle, call.texts("texts", texts), prompts, logs, same, out);
            return finish(call, status, made(out));
        }
    }

    /** Asks the models, each of which may be null, about sampled tokens that they have not seen. */
    public void score(Model student, Model teacher, ScoreOptions options, Rollouts inout) {
        try (Call call = new Call(this); Callbacks callbacks = new Callbacks()) {
            Pointer chosen = options == null ? null : call.keep(options.raw(callbacks));
            Pointer p = callbacks.of(call, student);
            Pointer q = callbacks.of(call, teacher);
            Pointer rollouts = inout.acquireAlone();
            int status;
            try {
                status = trb_score(call.handle, p, q, chosen, rollouts);
            } finally {
                inout.release();
            }
            finish(call, status, inout, callbacks);
        }
    }

    /** What a trainer logs of a batch of rollouts. */
    public Totals totals(Rollouts rollouts) {
        try (Call call = new Call(this)) {
            var raw = new trb_totals();
            Pointer out = call.keep(raw);
            finish(call, reading(rollouts, of -> trb_rollouts_totals(call.handle, of, out)), null);
            raw.read();
            return Totals.of(raw);
        }
    }

    /**
     * One step's loss and gradient; the optimizer is the caller's.
     *
     * @param teacher may be null for Estimator.NLL
     * @param options null: the reverse KL
     */
    public TrainStep trainStep(Model student, Model teacher, Rollouts rollouts, TrainOptions options) {
        try (Call call = new Call(this); Callbacks callbacks = new Callbacks()) {
            int n = rollouts.tokens();
            var chosen = options == null ? new TrainOptions() : options;
            boolean records = chosen.objective != TrainOptions.Objective.TOKEN;
            var rows = new Records<>(LossRow.LAYOUT, records ? n : 0);
            Memory loss = call.bytes((long) n * Double.BYTES);
            var report = new trb_train_report();
            Pointer p = callbacks.of(call, student);
            Pointer q = callbacks.of(call, teacher);
            Pointer raw = call.keep(chosen.raw(call, callbacks, n));
            Pointer out = call.keep(report);
            int status = reading(rollouts, of ->
                    trb_train_step(call.handle, p, q, of, raw, loss, records ? rows.memory() : null, out));
            if (status == TRB_ECALLBACK) {
                throw callbacks.stopped(text(call, status), null);
            }
            report.read();
            return finish(call, status, new TrainStep(TrainReport.of(report), loss.getDoubleArray(0, n), rows));
        }
    }

    /** The mean of log q - log p over the sampled tokens of each sequence. */
    public double[] sequenceScores(Rollouts rollouts) {
        try (Call call = new Call(this)) {
            int n = rollouts.size();
            Memory out = call.bytes((long) n * Double.BYTES);
            int status = reading(rollouts, of -> trb_sequence_scores(call.handle, of, out));
            return finish(call, status, out.getDoubleArray(0, n));
        }
    }

    /** The probability that a random positive scores above a random negative. */
    public double auroc(double[] score, boolean[] positive) {
        try (Call call = new Call(this)) {
            Call.checkLength("positive", positive.length, score.length);
            Memory kinds = call.bytes((long) positive.length * Integer.BYTES);
            for (int i = 0; i < positive.length; i++) {
                kinds.setInt((long) i * Integer.BYTES, positive[i] ? 1 : 0);
            }
            Memory out = call.bytes(Double.BYTES);
            Pointer scores = call.doubles("score", score, score.length);
            finish(call, trb_auroc(call.handle, scores, kinds, score.length, out), null);
            return out.getDouble(0);
        }
    }

    // ---- What calls have in common ---------------------------------------------------------------------------------

    Pointer begin() {
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException("the context serves another call, perhaps that of this callback");
        }
        if (closed) {
            busy.set(false);
            throw new IllegalStateException("the context is closed");
        }
        return handle;
    }

    void end() {
        busy.set(false);
    }

    private interface LossFunction {
        int run(Pointer weight, Pointer loss, Pointer grad, Pointer rows);
    }

    private interface Reader {
        int run(Pointer rollouts);
    }

    private static Losses losses(Call call, int n, double[] weight, Logits grad, LossFunction function) {
        Memory loss = call.bytes((long) n * Double.BYTES);
        var rows = new Records<>(LossRow.LAYOUT, n);
        int status = function.run(call.doubles("weight", weight, n), loss, call.output("grad", grad), rows.memory());
        return finish(call, status, new Losses(loss.getDoubleArray(0, n), grad, rows));
    }

    private static int reading(Rollouts rollouts, Reader reader) {
        Pointer of = rollouts.acquire();
        try {
            return reader.run(of);
        } finally {
            rollouts.release();
        }
    }

    private static Rollouts made(Memory out) {
        Pointer at = out.getPointer(0);
        return at == null ? null : new Rollouts(at);
    }

    private static <T> Pointer memory(List<T> records) {
        return ((Records<T>) records).memory();
    }

    private static <T> T finish(Call call, int status, T result) {
        if (status != TRB_OK) {
            throw error(status, text(call, status), result);
        }
        return result;
    }

    private static Rollouts finish(Call call, int status, Rollouts result, Callbacks callbacks) {
        if (status == TRB_ECALLBACK) {
            throw callbacks.stopped(text(call, status), result);
        }
        return finish(call, status, result);
    }

    private static String text(Call call, int status) {
        String said = trb_context_error(call.handle);
        return said.isEmpty() ? trb_strerror(status) : said;
    }

    private static TrbException error(int status, String text, Object result) {
        return switch (status) {
            case TRB_EINVAL -> new InvalidArgumentException(text);
            case TRB_ENOMEM -> new NoMemoryException(text);
            case TRB_EROWS -> new BadRowsException(text, result);
            default -> new TrbException(status, text, null);
        };
    }
}
