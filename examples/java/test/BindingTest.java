import static java.lang.Double.NEGATIVE_INFINITY;
import static java.lang.Double.POSITIVE_INFINITY;

import com.sun.jna.Memory;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import trb.*;

/** What the binding hands over and what comes back, against the mathematics in doubles. */
public final class BindingTest {
    private static final int ROWS = 5;
    private static final int VOCAB = 40;
    private static final double BUDGET = 0.05;
    private static final List<long[]> PROMPTS = List.of(new long[] {0}, new long[] {1, 2}, new long[] {3});

    private final float[][] s = Reference.random(1, ROWS, VOCAB);
    private final float[][] t = Reference.random(2, ROWS, VOCAB);
    private final Logits student = matrix(s);
    private final Logits teacher = matrix(t);
    private final TableModel pupil = new TableModel(11, VOCAB);
    private final TableModel master = new TableModel(12, VOCAB);
    private final Context ctx = threads(2);

    // ---- The blend -------------------------------------------------------------------------------------------------

    void solveMeetsItsBudget() {
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        equal(blends.size(), ROWS);
        for (int r = 0; r < ROWS; r++) {
            Blend b = blends.get(r);
            double[] mu = Reference.blended(s[r], t[r], b.beta());
            equal(b.status(), RowStatus.BLENDED);
            near(b.klStudent(), Reference.kl(mu, p(r)), 1e-5);
            near(b.klStudent(), BUDGET, 1e-4);
            near(b.klTeacher(), Reference.kl(mu, q(r)), 1e-5);
            near(b.reverseKl(), Reference.kl(p(r), q(r)), 1e-5);
            near(b.multiplier(), (1 - b.beta()) / b.beta(), 1e-9);
            near(b.lseStudent(), s[r][0] - p(r)[0], 1e-5);
            near(b.logNorm(), (1 - b.beta()) * s[r][0] + b.beta() * t[r][0] - mu[0], 1e-5);
            equal(b.support(), (long) VOCAB);
            near(b.mass()[0], 1, 1e-5);
        }
    }

    void aBudgetForEachRowOptionsAndNoTeacher() {
        var options = new SolveOptions();
        options.method = SolveOptions.Method.BISECTION;
        options.tolerance = 0.4;
        List<Blend> blends = ctx.solve(student, teacher, new double[] {0, 0.01, 0.1, 1, POSITIVE_INFINITY}, options);
        equal(blends.get(0).status(), RowStatus.STUDENT);
        equal(blends.get(4).status(), RowStatus.TEACHER);
        equal(blends.get(4).beta(), 1.0);
        equal(blends.get(1).klStudent() < 0.01 * (1 - 1e-4), true); // the tolerance was heard
        equal(ctx.solve(student, null, 0).get(3).beta(), 0.0);
    }

    void blendAtIsTheBlendAtThatWeight() {
        List<Blend> blends = ctx.blendAt(student, teacher, 0, 0.25, 0.5, 0.75, 1);
        for (int r = 0; r < ROWS; r++) {
            equal(blends.get(r).beta(), r / 4.0);
            near(blends.get(r).klStudent(), Reference.kl(Reference.blended(s[r], t[r], r / 4.0), p(r)), 1e-5);
        }
    }

    void writeBlendIsADistributionAlsoInPlace() {
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        Logits out = ctx.writeBlend(student, teacher, blends, Logits.allocate(ROWS, VOCAB));
        Logits own = matrix(s);
        ctx.writeBlend(own, teacher, blends, own);
        for (int r = 0; r < ROWS; r++) {
            double[] mu = Reference.blended(s[r], t[r], blends.get(r).beta());
            for (int v = 0; v < VOCAB; v++) {
                near(out.get(r)[v], mu[v], 1e-5);
            }
            equal(Arrays.equals(out.get(r), own.get(r)), true);
        }
    }

    void sampleRepeatsItselfAndKnowsItsProbabilities() {
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        Sampler how = sampler(7);
        how.stream = new long[] {5, 4, 3, 2, 1};
        how.index = new long[] {1, 2, 3, 4, 5};
        List<Draw> draws = ctx.sample(student, teacher, blends, how);
        equal(ctx.sample(student, teacher, blends, how), draws);
        for (int r = 0; r < ROWS; r++) {
            Draw d = draws.get(r);
            near(d.logBehavior(), Reference.blended(s[r], t[r], blends.get(r).beta())[(int) d.token()], 1e-5);
            near(d.logStudent(), p(r)[(int) d.token()], 1e-5);
            near(d.logTeacher(), q(r)[(int) d.token()], 1e-5);
            equal(d.logSampled(), d.logBehavior());
        }
        how.topK = 3;
        equal(ctx.sample(student, teacher, blends, how).get(0).kept(), 3L);
        how.greedy = true;
        equal(ctx.sample(student, teacher, blends, how).get(0).logSampled(), 0.0);
    }

    void theSameBitsForAnySplitOfABatchAndAnyThreads() {
        List<Blend> whole = ctx.solve(student, teacher, BUDGET);
        Sampler one = sampler(7);
        List<Draw> draws = ctx.sample(student, teacher, whole, one);
        try (var alone = threads(1)) {
            for (int r = 0; r < ROWS; r++) {
                Logits a = Logits.copyOf(s[r], 1, VOCAB);
                Logits b = Logits.copyOf(t[r], 1, VOCAB);
                equal(alone.solve(a, b, BUDGET).get(0), whole.get(r));
                one.stream = new long[] {r};
                equal(alone.sample(a, b, List.of(whole.get(r)), one).get(0), draws.get(r)); // a list of our own
            }
        }
    }

    void streamsKeepAllOfTheir64Bits() {
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        var seen = new HashSet<List<Long>>();
        for (int high = 0; high < 8; high++) {
            Sampler how = sampler(0);
            how.stream = new long[] {0, 1, 2, 3, (long) high << 61};
            seen.add(ctx.sample(student, teacher, blends, how).stream().map(Draw::token).toList());
        }
        equal(seen.size() > 1, true);
    }

    void verifyAcceptsCorrectsOrDropsAndDrawsALoneMinusOne() {
        List<Draw> draws = ctx.sample(student, null, ctx.solve(student, null, 0), sampler(3));
        long[] block = {draws.get(0).token(), draws.get(1).token(), draws.get(2).token(), -1};
        var options = new VerifyOptions();
        options.sampler = sampler(3);
        Verified found = ctx.verify(student, teacher, List.of(block, new long[] {-1}), new double[] {0.5}, options);
        boolean over = false;
        for (int r = 0; r < 3; r++) {
            Verdict v = found.verdicts().get(r);
            if (over) {
                equal(v.verdict(), Verdict.Kind.DROPPED);
                continue;
            }
            double[] mu = Reference.blended(s[r], t[r], found.blends().get(r).beta());
            int y = (int) block[r];
            near(v.acceptance(), Math.min(1, Math.exp(mu[y] - p(r)[y])), 1e-5);
            double tv = 0;
            for (int i = 0; i < VOCAB; i++) {
                tv += Math.max(Math.exp(mu[i]) - Math.exp(p(r)[i]), 0);
            }
            near(v.tv(), tv, 1e-5);
            over = v.verdict() == Verdict.Kind.CORRECTED;
            equal(v.draw().token() == y, !over);
        }
        equal(found.verdicts().get(4).verdict(), Verdict.Kind.DRAWN);
        for (int seed = 0; seed < 8; seed++) {
            options.sampler = sampler(seed);
            found = ctx.verify(student, teacher, List.of(new long[] {-1}, new long[] {-1}, new long[] {-1},
                    new long[] {-1}, new long[] {-1}), new double[] {0.5}, options);
            equal(found.verdicts().get(4).draw(), ctx.sample(student, teacher, found.blends(), sampler(seed)).get(4));
        }
        options.byBeta = true;
        equal(ctx.verify(student, teacher, List.of(block, new long[] {-1}), new double[] {0.5}, options).blends().get(4)
                .beta(), 0.5);
        says(InvalidArgumentException.class, "proposals", () ->
                ctx.verify(student, teacher, List.of(block), new double[] {0.5}, null));
    }

    void schedule() {
        near(ctx.scheduleAt(Schedule.linear(0.1, 40), 10), 0.075, 1e-12);
        near(ctx.scheduleAt(Schedule.cosine(0.1, 40), 10), 0.05 * (1 + Math.cos(Math.PI / 4)), 1e-12);
        near(ctx.scheduleAt(Schedule.piecewise(new long[] {0, 10}, new double[] {1, 0}), 5), 0.5, 1e-12);
        says(InvalidArgumentException.class, "schedule.budgets: expected 2 elements, got 1", () ->
                ctx.scheduleAt(Schedule.piecewise(new long[] {0, 10}, new double[] {1}), 5));
    }

    // ---- Logits ----------------------------------------------------------------------------------------------------

    void aViewWithAStrideAndATemperatureBorrows() {
        FloatBuffer wide = direct(4 * (1 + 2 * 6)).asFloatBuffer();
        float[][] lists = {{0.5f, -1, 2, 1}, {1, 0, -3, 0.25f}};
        for (int r = 0; r < 2; r++) {
            wide.put(1 + r * 6, lists[r]);
        }
        Logits view = Logits.of(wide.position(1), 2, 4).stride(6).temperature(0.5f);
        for (int r = 0; r < 2; r++) {
            float[] x = lists[r];
            near(ctx.entropy(view)[r], Reference.entropy(Reference.logSoftmax(2 * x[0], 2 * x[1], 2 * x[2], 2 * x[3])),
                    1e-6);
        }
        wide.put(1 + 6, Float.NaN); // the memory is the caller's own
        says(BadRowsException.class, "", () -> ctx.entropy(view));
        view.set(1, 1, 2, 3, 4);
        equal(wide.get(1 + 6 + 3), 4f);
        equal(view.floats().get(6), 1f);
    }

    void halvesOfBothKinds() {
        double expected = Reference.entropy(Reference.logSoftmax(1, 2, 4));
        Logits halves = Logits.allocate(Dtype.F16, 1, 3);
        halves.setBits(0, (short) 0x3c00, (short) 0x4000, (short) 0x4400);
        near(ctx.entropy(halves)[0], expected, 1e-6);
        ShortBuffer brain = direct(6).asShortBuffer().put(new short[] {0x3f80, 0x4000, 0x4080}).flip();
        near(ctx.entropy(Logits.of(brain, Dtype.BF16, 1, 3))[0], expected, 1e-6);
        equal(Arrays.toString(Logits.of(brain, Dtype.BF16, 1, 3).getBits(0)), "[16256, 16384, 16512]");
        Logits grad = Logits.allocate(Dtype.BF16, 1, 3);
        ctx.reverseKl(halves, Logits.of(brain, Dtype.BF16, 1, 3), null, null, grad);
        equal(grad.bits().get(0), (short) 0); // equal distributions
        says(IllegalStateException.class, "expected F32, got BF16", () -> grad.get(0));
        says(InvalidArgumentException.class, "expected F16 or BF16", () -> Logits.of(brain, Dtype.F32, 1, 1));
    }

    void memoryOfJnaUntilItIsClosed() {
        var memory = new Memory(4 * VOCAB);
        memory.write(0, s[0], 0, VOCAB);
        Logits view = Logits.of(memory, Dtype.F32, 1, VOCAB);
        near(ctx.entropy(view)[0], Reference.entropy(p(0)), 1e-6);
        memory.close();
        says(IllegalStateException.class, "their memory is gone", () -> ctx.entropy(view));
    }

    void memoryThatDoesNotDoIsRefused() {
        says(InvalidArgumentException.class, "got one on the heap", () -> Logits.of(FloatBuffer.allocate(4), 1, 4));
        says(InvalidArgumentException.class, "native byte order", () ->
                Logits.of(ByteBuffer.allocateDirect(16).order(ByteOrder.BIG_ENDIAN), Dtype.F32, 1, 4));
        FloatBuffer eleven = direct(44).asFloatBuffer();
        says(InvalidArgumentException.class, "3 rows of 4 with stride 4, got 11", () -> Logits.of(eleven, 3, 4));
        says(InvalidArgumentException.class, "2 rows of 4 with stride 8, got 11", () ->
                Logits.of(eleven, 2, 4).stride(8));
        says(InvalidArgumentException.class, "got 11", () -> Logits.of(eleven, 2, 4).stride(Long.MAX_VALUE));
        says(InvalidArgumentException.class, "stride: expected at least 4", () -> Logits.of(eleven, 2, 4).stride(3));
        says(InvalidArgumentException.class, "vocab: expected at least 1", () -> Logits.of(eleven, 2, 0));
        says(InvalidArgumentException.class, "aligned", () ->
                ctx.entropy(Logits.of(direct(17).position(1).slice().order(ByteOrder.nativeOrder()), Dtype.F32, 1, 4)));
        Logits fixed = Logits.of(eleven.asReadOnlyBuffer(), 1, 4);
        says(InvalidArgumentException.class, "read-only", () -> ctx.maskTokens(fixed, 1));
        near(ctx.entropy(fixed)[0], Math.log(4), 1e-12);
        says(IndexOutOfBoundsException.class, "", () -> fixed.get(1));
        equal(ctx.entropy(Logits.allocate(0, 4)).length, 0);
    }

    void noRowsHaveNoLists() {
        Logits none = Logits.allocate(0, VOCAB);
        var options = new LossOptions();
        options.form = LossOptions.Form.TRUNCATED;
        options.support = LossOptions.Support.IDS;
        options.k = 2;
        options.ids = new long[0];
        equal(ctx.reverseKl(none, none, null, options, null).loss().length, 0);
        equal(ctx.solveSparse(none, new Sparse(options.ids, new float[0], 2), new double[] {1}, null).size(), 0);
    }

    void theVirtualMachineCountsWhatItIsToCollect() {
        long before = directBytes();
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        Logits more = Logits.allocate(1000, 1000);
        equal(directBytes() - before >= ROWS * 208 + 4_000_000, true);
        equal(blends.size() + more.rows(), ROWS + 1000);
        FloatBuffer kept = Logits.copyOf(s[0], 1, VOCAB).floats();
        System.gc();
        equal(kept.get(3), s[0][3]);
    }

    void tokensAreMaskedAndMergedInPlace() {
        Logits logits = matrix(s);
        ctx.maskTokens(logits, 0, 3);
        equal((double) logits.get(1)[3], NEGATIVE_INFINITY);
        ctx.mergeTokens(logits, new long[] {5}, new long[] {6});
        near(logits.get(0)[6], Math.log(Math.exp(s[0][5]) + Math.exp(s[0][6])), 1e-5);
    }

    // ---- Losses ----------------------------------------------------------------------------------------------------

    void reverseKlAndItsGradient() {
        double[] weight = {0.5, -2, 0, 1, 1};
        Logits grad = Logits.allocate(ROWS, VOCAB);
        Losses found = ctx.reverseKl(student, teacher, weight, null, grad);
        for (int r = 0; r < ROWS; r++) {
            near(found.loss()[r], r == 2 ? 0 : Reference.kl(p(r), q(r)), 1e-5);
            double[] expected = Reference.reverseKlGradient(s[r], t[r]);
            for (int v = 0; v < VOCAB; v++) {
                near(found.grad().get(r)[v], weight[r] * expected[v], 1e-4);
            }
        }
        near(found.rows().get(1).entropyTeacher(), Reference.entropy(q(1)), 1e-5);
        equal(found.rows().get(2).status(), RowStatus.SKIPPED);
        near(ctx.reverseKl(student, teacher).loss()[2], Reference.kl(p(2), q(2)), 1e-5);
    }

    void reverseKlOnListedTokens() {
        var options = new LossOptions();
        options.form = LossOptions.Form.TAIL_BUCKET;
        options.support = LossOptions.Support.IDS;
        options.k = 2;
        options.ids = new long[] {1, 2, 3, -1, 5, 6, 7, 8, 9, 9};
        Losses found = ctx.reverseKl(student, teacher, null, options, null);
        double inP = Math.exp(p(0)[1]) + Math.exp(p(0)[2]);
        double inQ = Math.exp(q(0)[1]) + Math.exp(q(0)[2]);
        near(found.loss()[0], Math.exp(p(0)[1]) * (p(0)[1] - q(0)[1]) + Math.exp(p(0)[2]) * (p(0)[2] - q(0)[2])
                + (1 - inP) * Math.log((1 - inP) / (1 - inQ)), 1e-5);
        near(found.rows().get(0).massStudent(), inP, 1e-5);
        equal(found.rows().get(1).support(), 1L);
        options.k = 3;
        says(InvalidArgumentException.class, "ids: expected 5 lists of 3, got 10", () ->
                ctx.reverseKl(student, teacher, null, options, null));
    }

    void divergenceAndItsGradient() {
        Logits grad = Logits.allocate(ROWS, VOCAB);
        Losses forward = ctx.divergence(student, teacher, null, null, grad);
        var options = new DivergenceOptions();
        options.kind = DivergenceOptions.Kind.JSD;
        options.b = 0.3;
        Losses jsd = ctx.divergence(student, teacher, null, options, null);
        for (int r = 0; r < ROWS; r++) {
            near(forward.loss()[r], Reference.kl(q(r), p(r)), 1e-5);
            near(grad.get(r)[4], Math.exp(p(r)[4]) - Math.exp(q(r)[4]), 1e-4);
            var mixed = new double[VOCAB];
            for (int v = 0; v < VOCAB; v++) {
                mixed[v] = Math.log(0.3 * Math.exp(q(r)[v]) + 0.7 * Math.exp(p(r)[v]));
            }
            near(jsd.loss()[r], 0.3 * Reference.kl(q(r), mixed) + 0.7 * Reference.kl(p(r), mixed), 1e-5);
        }
    }

    void tokenTermsAndTheirGradient() {
        var options = new TermOptions();
        options.estimator = TermOptions.Estimator.K2;
        Logits grad = Logits.allocate(ROWS, VOCAB);
        long[] tokens = {0, 1, 2, 3, 4};
        Terms found = ctx.tokenTerms(student, teacher, tokens, null, new double[] {2, 2, 2, 2, 2}, options, grad);
        for (int r = 0; r < ROWS; r++) {
            double u = q(r)[r] - p(r)[r];
            near(found.terms().get(r).value(), u * u / 2, 1e-5);
            near(grad.get(r)[r], -2 * u * (1 - Math.exp(p(r)[r])), 1e-4);
        }
        options.estimator = TermOptions.Estimator.NLL;
        near(ctx.tokenTerms(student, null, tokens, null, null, options, null).terms().get(3).value(), -p(3)[3], 1e-5);
        double[] behavior = {-1, -1, -1, -1, -1};
        Term term = ctx.tokenTerms(student, teacher, tokens, behavior, null, null, null).terms().get(0);
        near(term.ratio(), Math.exp(p(0)[0] + 1), 1e-5);
    }

    void aTeacherKnownInPart() {
        var lists = new Sparse(new long[] {0, 1, 2, 3, 4}, new float[5], new long[] {0, 2, 3, 4, 5, 5});
        var full = new float[ROWS][VOCAB]; // the teacher that the lists stand for
        for (int r = 0; r < ROWS; r++) {
            int begin = (int) lists.offset[r];
            int end = (int) lists.offset[r + 1];
            double listed = 0;
            double mass = 0;
            for (int i = begin; i < end; i++) {
                lists.logQ[i] = (float) q(r)[i];
                listed += Math.exp(lists.logQ[i]);
                mass += Math.exp(p(r)[i]);
            }
            for (int v = 0; v < VOCAB; v++) {
                boolean known = begin <= v && v < end;
                full[r][v] = known ? lists.logQ[v] : (float) (p(r)[v] + Math.log((1 - listed) / (1 - mass)));
            }
        }
        List<SparseBlend> blends = ctx.solveSparse(student, lists, new double[] {0.01}, null);
        List<Draw> draws = ctx.sampleSparse(student, lists, new ArrayList<>(blends), sampler(1));
        equal(draws, ctx.sampleSparse(student, lists, blends, sampler(1)));
        Losses losses = ctx.reverseKlSparse(student, lists, null, null, null);
        for (int r = 0; r < ROWS; r++) {
            double[] mu = Reference.blended(s[r], full[r], blends.get(r).blend().beta());
            near(blends.get(r).blend().klStudent(), Reference.kl(mu, p(r)), 1e-4);
            near(draws.get(r).logBehavior(), mu[(int) draws.get(r).token()], 1e-5);
            near(losses.loss()[r], Reference.kl(p(r), Reference.logSoftmax(full[r])), 1e-4);
        }
        lists.offset[5] = 6;
        says(InvalidArgumentException.class, "teacher.offset[5]: expected a number in [0, 5], got 6", () ->
                ctx.solveSparse(student, lists, new double[] {0.01}, null));
    }

    // ---- Errors ----------------------------------------------------------------------------------------------------

    void anErrorCarriesTheLibrarysText() {
        var why = says(InvalidArgumentException.class, "budget[0]: expected a number in [0, inf], got -1", () ->
                ctx.solve(student, teacher, -1));
        equal(why.status(), Declarations.TRB_EINVAL);
        says(InvalidArgumentException.class, "threads", () -> threads(-1));
        says(InvalidArgumentException.class, "budget", () -> ctx.solve(student, teacher, new double[0], null));
        says(InvalidArgumentException.class, "5", () -> ctx.solve(student, Logits.allocate(4, VOCAB), 1));
        says(InvalidArgumentException.class, "teacher", () -> ctx.reverseKl(student, null));
    }

    void aListThatIsTooShortIsRefusedBeforeTheCall() {
        List<Blend> blends = ctx.solve(student, teacher, BUDGET);
        says(InvalidArgumentException.class, "blends: expected 5 elements, got 4", () ->
                ctx.sample(student, teacher, blends.subList(1, 5), null));
        Sampler how = sampler(1);
        how.stream = new long[4];
        says(InvalidArgumentException.class, "sampler.stream: expected 5 elements, got 4", () ->
                ctx.sample(student, teacher, blends, how));
        says(InvalidArgumentException.class, "weight: expected 5 elements, got 1", () ->
                ctx.reverseKl(student, teacher, new double[1], null, null));
        says(InvalidArgumentException.class, "token: expected 5 elements, got 6", () ->
                ctx.tokenTerms(student, teacher, new long[6], null, null, null, null));
        says(InvalidArgumentException.class, "data: expected 6 elements, got 5", () ->
                Logits.copyOf(new float[5], 2, 3));
        equal(ctx.solve(student, teacher, BUDGET), blends); // the context goes on
    }

    void aBadRowLeavesTheOthersTheirResults() {
        Logits bad = matrix(s);
        bad.floats().put(VOCAB + 2, Float.NaN);
        BadRowsException why = says(BadRowsException.class, "row", () -> ctx.solve(bad, teacher, BUDGET));
        equal(why.list(Blend.class).get(1).status(), RowStatus.NOT_A_NUMBER);
        equal(RowStatus.NOT_A_NUMBER.isBad() && RowStatus.NOT_A_NUMBER.text().contains("NaN"), true);
        equal(why.list(Blend.class).get(0), ctx.solve(student, teacher, BUDGET).get(0));
        says(ClassCastException.class, "a list of Draw", () -> why.list(Draw.class));
        Logits grad = Logits.allocate(ROWS, VOCAB);
        Losses losses = says(BadRowsException.class, "", () -> ctx.reverseKl(bad, teacher, null, null, grad))
                .result(Losses.class);
        near(losses.loss()[0], Reference.kl(p(0), q(0)), 1e-5);
        equal(losses.loss()[1], Double.NaN);
        equal(grad.get(1)[0], 0f);
    }

    void aContextThatWasClosed() {
        var brief = threads(1);
        equal(brief.isa() != ContextOptions.Isa.AUTO, true);
        equal(Declarations.trb_context_isa(brief.pointer()), brief.isa().number());
        brief.close();
        brief.close();
        says(IllegalStateException.class, "the context is closed", () -> brief.entropy(student));
        says(IllegalStateException.class, "the context is closed", brief::pointer);
    }

    // ---- Models ----------------------------------------------------------------------------------------------------

    void aRollout() {
        var told = new long[1];
        RolloutOptions options = options();
        options.progress = (done, total) -> {
            equal(total, 6L);
            told[0] = done;
            return true;
        };
        try (Rollouts rollouts = ctx.rollout(pupil, master, PROMPTS, options)) {
            equal(told[0], 6L);
            equal(rollouts.size(), 6);
            int at = 0;
            for (int i = 0; i < 6; i++) {
                long[] text = rollouts.text(i);
                int prompt = PROMPTS.get(i / 2).length;
                equal(rollouts.offset()[i], (long) at);
                equal(Arrays.equals(rollouts.response(i), Arrays.copyOfRange(text, prompt, text.length)), true);
                boolean stopped = text[text.length - 1] == 9;
                equal(rollouts.stop().get(i), stopped ? Rollouts.Stop.TOKEN : Rollouts.Stop.LENGTH);
                for (int k = prompt; k < text.length; k++, at++) {
                    float[] student = pupil.logits[(int) text[k - 1]];
                    float[] teacher = master.logits[(int) text[k - 1]];
                    double[] mu = Reference.blended(student, teacher, rollouts.beta()[at]);
                    near(rollouts.logStudent()[at], Reference.logSoftmax(student)[(int) text[k]], 1e-5);
                    near(rollouts.logTeacher()[at], Reference.logSoftmax(teacher)[(int) text[k]], 1e-5);
                    near(rollouts.logBehavior()[at], mu[(int) text[k]], 1e-5);
                    equal(rollouts.klStudent()[at] <= 0.1 * (1 + 1e-6), true);
                    equal(rollouts.status().get(at), RowStatus.BLENDED);
                    equal(rollouts.token()[at], text[k]);
                }
            }
            equal(at, rollouts.tokens());
            equal(rollouts.studentCalls(), (long) pupil.calls);
            Totals totals = ctx.totals(rollouts);
            equal(totals.tokens(), (long) at);
            equal(totals.stoppedToken() + totals.stoppedLength(), 6L);
            near(totals.beta(), Arrays.stream(rollouts.beta()).average().orElseThrow(), 1e-9);
            says(IndexOutOfBoundsException.class, "", () -> rollouts.response(6));
        }
    }

    void theSameTokensInAnyBatchWithBlocksAndOnAnyThreads() {
        try (var one = threads(1)) {
            RolloutOptions options = options();
            options.block = 2;
            List<long[]> blocks = one.rollout(pupil, master, PROMPTS, options).texts();
            options.block = 4;
            options.batch = 2;
            same(ctx.rollout(pupil, master, PROMPTS, options).texts(), blocks);
            options.sampler.stream = new long[] {4, 5};
            same(ctx.rollout(pupil, master, PROMPTS.subList(2, 3), options).texts(), blocks.subList(4, 6));
            options.sampler.stream = new long[] {4};
            says(InvalidArgumentException.class, "sampler.stream: expected 2 elements, got 1", () ->
                    ctx.rollout(pupil, master, PROMPTS.subList(2, 3), options));
        }
    }

    void whatACallbackThrowsComesOut() {
        var own = new RuntimeException("ours");
        var error = new StackOverflowError("ours");
        var checked = new IOException("ours");
        equal(says(RuntimeException.class, "ours", () -> ctx.rollout(failing(own), master, PROMPTS, options())), own);
        equal(StoppedException.in(own).orElseThrow().getMessage().contains("student"), true);
        equal(says(Error.class, "ours", () -> ctx.rollout(pupil, failing(error), PROMPTS, options())), error);
        equal(says(StoppedException.class, "student", () -> ctx.rollout(failing(checked), master, PROMPTS, options()))
                .getCause(), checked);
        RolloutOptions options = options();
        options.progress = (done, total) -> {
            throw own;
        };
        equal(says(RuntimeException.class, "ours", () -> ctx.rollout(pupil, master, PROMPTS, options)), own);
        equal(StoppedException.in(own).orElseThrow().rollouts().orElseThrow().response(0).length, 1);
        Rollouts rollouts = ctx.rollout(pupil, master, PROMPTS, options());
        equal(says(RuntimeException.class, "ours", () -> ctx.trainStep(failing(own), master, rollouts, null)), own);
        equal(says(RuntimeException.class, "ours", () -> ctx.score(null, failing(own), null, given())), own);
        var untrained = new Model() {
            @Override
            public int vocab() {
                return VOCAB;
            }

            @Override
            public void forward(List<Query> queries, Logits out) throws Exception {
                pupil.forward(queries, out);
            }
        };
        says(UnsupportedOperationException.class, "backward", () -> ctx.trainStep(untrained, master, rollouts, null));
    }

    void aCallbackStopsTheCallWithWhatThereIs() {
        RolloutOptions options = options();
        var steps = new int[1];
        options.progress = (done, total) -> ++steps[0] < 3;
        var why = says(StoppedException.class, "", () -> ctx.rollout(pupil, master, PROMPTS, options));
        equal(why.status(), Declarations.TRB_ECALLBACK);
        equal(why.rollouts().orElseThrow().response(0).length, 3);
        equal(why.rollouts().orElseThrow().stop().get(0), Rollouts.Stop.NONE);
    }

    void aCallbackMayUseAnotherContextNotItsOwn() throws Exception {
        var kept = new ArrayList<Logits>();
        try (var other = threads(1)) {
            for (Context used : List.of(ctx, other)) {
                var model = new TableModel(11, VOCAB) {
                    @Override
                    public void forward(List<Query> queries, Logits out) throws Exception {
                        super.forward(queries, out);
                        if (out.rows() > 1) {
                            says(InvalidArgumentException.class, "stride", () -> out.stride(VOCAB + 1));
                        }
                        used.maskTokens(out, 7);
                        kept.add(out);
                    }
                };
                if (used == ctx) {
                    says(IllegalStateException.class, "serves another call", () ->
                            ctx.rollout(model, master, PROMPTS, options()));
                } else {
                    long[] tokens = ctx.rollout(model, master, PROMPTS, options()).token();
                    equal(Arrays.stream(tokens).anyMatch(token -> token == 7), false);
                }
            }
        }
        says(IllegalStateException.class, "their memory is gone", () -> kept.get(0).get(0));
    }

    void aModelOfHalvesWithATemperature() {
        var halves = new TableModel(11, VOCAB) {
            @Override
            public Dtype dtype() {
                return Dtype.BF16;
            }

            @Override
            public float temperature() {
                return 2;
            }

            @Override
            public void forward(List<Query> queries, Logits out) {
                for (int row = 0; row < out.rows(); row++) {
                    var bits = new short[VOCAB];
                    bits[1] = 0x4000; // 2, and over the temperature 1
                    out.setBits(row, bits);
                }
            }
        };
        RolloutOptions options = options();
        options.behavior = RolloutOptions.Behavior.STUDENT;
        options.budget = 0;
        options.temperature = 0.5;
        Rollouts rollouts = ctx.rollout(halves, null, PROMPTS, options);
        for (int i = 0; i < rollouts.tokens(); i++) {
            int one = rollouts.token()[i] == 1 ? 1 : 0;
            near(rollouts.logStudent()[i], one - Math.log(VOCAB - 1 + Math.E), 1e-6);
            near(rollouts.logBehavior()[i], 2 * one - Math.log(VOCAB - 1 + Math.exp(2)), 1e-6);
        }
    }

    void aModelWhoseLogitsAreNoNumbersEndsItsSequences() {
        var silent = new TableModel(11, VOCAB) {
            @Override
            public void forward(List<Query> queries, Logits out) {}
        };
        Rollouts found = says(BadRowsException.class, "", () -> ctx.rollout(silent, master, PROMPTS, options()))
                .result(Rollouts.class);
        equal(found.stop().get(0), Rollouts.Stop.STUDENT);
        equal(found.row().get(0), RowStatus.NOT_A_NUMBER);
        equal(found.tokens(), 0);
    }

    void trainStepGivesTheGradientOfTheMeanReverseKl() {
        RolloutOptions sampled = options();
        sampled.keepBytes = 1 << 20;
        Rollouts rollouts = ctx.rollout(pupil, master, PROMPTS, sampled);
        int n = rollouts.tokens();
        var expected = new double[VOCAB][VOCAB];
        double mean = 0;
        for (int i = 0, at = 0; i < rollouts.size(); i++) {
            long[] text = rollouts.text(i);
            for (int k = PROMPTS.get(i / 2).length - 1; k < text.length - 1; k++, at++) {
                int last = (int) text[k];
                double[] row = Reference.reverseKlGradient(pupil.logits[last], master.logits[last]);
                for (int v = 0; v < VOCAB; v++) {
                    expected[last][v] += row[v] / n;
                }
                mean += Reference.kl(Reference.logSoftmax(pupil.logits[last]),
                        Reference.logSoftmax(master.logits[last])) / n;
            }
        }
        TrainStep step = ctx.trainStep(pupil, master, rollouts, null);
        near(step.report().objective(), mean, 1e-5);
        near(Arrays.stream(step.loss()).average().orElseThrow(), mean, 1e-5);
        equal(step.rows().get(n - 1).status(), RowStatus.OK);
        equal(step.report().teacherRows(), 0L); // they were kept
        for (int token = 0; token < VOCAB; token++) {
            for (int v = 0; v < VOCAB; v++) {
                near(pupil.gradient[token][v], expected[token][v], 1e-4);
            }
        }
    }

    void trainStepOfATokenWithWeights() {
        Rollouts rollouts = ctx.rollout(pupil, master, PROMPTS, options());
        var options = new TrainOptions();
        options.objective = TrainOptions.Objective.TOKEN;
        options.token = new TermOptions();
        options.token.estimator = TermOptions.Estimator.K1;
        options.weight = new double[rollouts.tokens()];
        options.weight[0] = 3;
        options.weight[1] = 1;
        options.norm = TrainOptions.Norm.NONE;
        options.evaluate = true;
        TrainStep step = ctx.trainStep(pupil, master, rollouts, options);
        near(step.report().objective(), 3 * (rollouts.logStudent()[0] - rollouts.logTeacher()[0])
                + rollouts.logStudent()[1] - rollouts.logTeacher()[1], 1e-5);
        equal(Arrays.stream(pupil.gradient).flatMapToDouble(Arrays::stream).allMatch(g -> g == 0), true);
        equal(step.rows().size(), 0);
        options.weight = new double[1];
        says(InvalidArgumentException.class, "weight: expected", () -> ctx.trainStep(pupil, master, rollouts, options));
    }

    void scoreOfSequencesFromElsewhere() {
        Rollouts rollouts = given();
        equal(rollouts.logStudent()[0], Double.NaN);
        equal(rollouts.logSampled()[2], -0.75);
        ctx.score(pupil, master, null, rollouts);
        double[] logP = rollouts.logStudent();
        double[] logQ = rollouts.logTeacher();
        near(logP[1], Reference.logSoftmax(pupil.logits[4])[2], 1e-5);
        near(rollouts.entropyTeacher()[1], Reference.entropy(Reference.logSoftmax(master.logits[4])), 1e-5);
        near(ctx.sequenceScores(rollouts)[0], (logQ[0] - logP[0] + logQ[1] - logP[1]) / 2, 1e-9);
        equal(rollouts.stop().get(0), Rollouts.Stop.GIVEN);
        equal(rollouts.teacherCalls(), 1L);
        near(ctx.auroc(new double[] {1, 2, 3}, new boolean[] {false, true, true}), 1, 1e-12);
        says(InvalidArgumentException.class, "logSampled: expected 3 elements, got 1", () ->
                ctx.rollouts(rollouts.texts(), new long[] {1, 1}, new double[1], null));
    }

    void endsOfTwoTokenizersAreOne() {
        RolloutOptions options = options();
        options.stop = null;
        options.ends = new Ends(new long[] {4}, new long[] {5});
        options.repeats = 64;
        Rollouts rollouts = ctx.rollout(pupil, master, PROMPTS, options);
        equal(Arrays.stream(rollouts.token()).anyMatch(token -> token == 5), false);
        int ended = 0;
        for (int i = 0; i < rollouts.size(); i++) {
            long[] text = rollouts.text(i);
            if (text[text.length - 1] == 4) {
                double[] log = Reference.logSoftmax(pupil.logits[(int) text[text.length - 2]]);
                int last = (int) rollouts.offset()[i + 1] - 1;
                near(rollouts.logStudent()[last], Math.log(Math.exp(log[4]) + Math.exp(log[5])), 1e-5);
                equal(rollouts.stop().get(i), Rollouts.Stop.TOKEN);
                ended++;
            }
        }
        equal(ended > 0, true);
    }

    void rolloutsThatServeACallMayBeReadNotClosed() {
        Rollouts rollouts = given();
        try (var other = threads(1)) {
            var options = new TrainOptions();
            options.evaluate = true;
            options.progress = (done, total) -> Arrays.equals(rollouts.response(0), new long[] {4, 2});
            ctx.trainStep(pupil, master, rollouts, options);
            for (Runnable act : List.<Runnable>of(rollouts::close, () -> other.score(pupil, null, null, rollouts))) {
                options.progress = (done, total) -> {
                    act.run();
                    return true;
                };
                says(IllegalStateException.class, "the rollouts serve a call", () ->
                        ctx.trainStep(pupil, master, rollouts, options));
            }
        }
        rollouts.close();
        says(IllegalStateException.class, "the rollouts are closed", rollouts::token);
        says(IllegalStateException.class, "the rollouts are closed", () -> ctx.totals(rollouts));
    }

    void rolloutsOutliveTheirContextAndMemoryIsFoundAlive() {
        Rollouts first;
        try (var brief = threads(1)) {
            first = brief.rollout(pupil, master, PROMPTS, options());
        }
        var collecting = new TableModel(11, VOCAB) {
            @Override
            public void forward(List<Query> queries, Logits out) throws Exception {
                System.gc();
                super.forward(queries, out);
            }
        };
        for (int i = 0; i < 3; i++) {
            same(new Context().rollout(collecting, master, PROMPTS, options()).texts(), first.texts());
        }
    }

    void aContextIsRefusedToAnotherThreadDuringACall() throws Exception {
        var seen = new ArrayList<Throwable>();
        RolloutOptions options = options();
        options.progress = (done, total) -> {
            var thread = new Thread(() -> ctx.entropy(student));
            thread.setUncaughtExceptionHandler((of, thrown) -> seen.add(thrown));
            thread.start();
            thread.join();
            return false;
        };
        says(StoppedException.class, "", () -> ctx.rollout(pupil, master, PROMPTS, options));
        equal(seen.get(0).getClass(), IllegalStateException.class);
        var later = new Thread(() -> seen.add(0, ctx.entropy(student).length == ROWS ? null : new Error()));
        later.start();
        later.join();
        equal(seen.get(0), null);
    }

    // ---- What tests have in common ---------------------------------------------------------------------------------

    private interface Act {
        void run() throws Exception;
    }

    private static Logits matrix(float[][] lists) {
        Logits made = Logits.allocate(lists.length, lists[0].length);
        for (int r = 0; r < lists.length; r++) {
            made.set(r, lists[r]);
        }
        return made;
    }

    private static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    private static long directBytes() {
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct")).findFirst().orElseThrow().getMemoryUsed();
    }

    private static Context threads(int threads) {
        var options = new ContextOptions();
        options.threads = threads;
        return new Context(options);
    }

    private static Sampler sampler(long seed) {
        var made = new Sampler();
        made.seed = seed;
        return made;
    }

    private static RolloutOptions options() {
        var made = new RolloutOptions();
        made.budget = 0.1;
        made.maxTokens = 8;
        made.stop = new long[] {9};
        made.repeats = 2;
        made.sampler = sampler(5);
        return made;
    }

    private Rollouts given() {
        List<long[]> texts = List.of(new long[] {0, 4, 2}, new long[] {1, 5});
        return ctx.rollouts(texts, new long[] {1, 1}, new double[] {-0.25, -0.5, -0.75}, null);
    }

    private static TableModel failing(Throwable why) {
        return new TableModel(11, VOCAB) {
            @Override
            public void forward(List<Query> queries, Logits out) throws Exception {
                if (why instanceof Error error) {
                    throw error;
                }
                throw (Exception) why;
            }
        };
    }

    private double[] p(int r) {
        return Reference.logSoftmax(s[r]);
    }

    private double[] q(int r) {
        return Reference.logSoftmax(t[r]);
    }

    private static void near(double got, double expected, double tolerance) {
        if (!(Math.abs(got - expected) <= tolerance * Math.max(1e-3, Math.abs(expected)))) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    private static void equal(Object got, Object expected) {
        if (got == null ? expected != null : !got.equals(expected)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    private static void same(List<long[]> got, List<long[]> expected) {
        equal(Arrays.deepToString(got.toArray()), Arrays.deepToString(expected.toArray()));
    }

    /** What the act throws, of this type and with this in its message. */
    private static <E extends Throwable> E says(Class<E> type, String text, Act act) {
        try {
            act.run();
        } catch (Throwable thrown) {
            if (!type.isInstance(thrown) || thrown.getMessage() == null || !thrown.getMessage().contains(text)) {
                throw new AssertionError("expected " + type.getSimpleName() + ": " + text + ", got " + thrown, thrown);
            }
            return type.cast(thrown);
        }
        throw new AssertionError("expected " + type.getSimpleName() + ": " + text);
    }

    /** Every method above without a parameter that is not private is a test. */
    public static void main(String[] arguments) throws Exception {
        int passed = 0;
        int failed = 0;
        for (var test : BindingTest.class.getDeclaredMethods()) {
            if (test.getModifiers() != 0 || test.getParameterCount() != 0) {
                continue;
            }
            try {
                test.invoke(new BindingTest());
                passed++;
            } catch (java.lang.reflect.InvocationTargetException thrown) {
                failed++;
                System.out.println("java: " + test.getName() + ":");
                thrown.getCause().printStackTrace(System.out);
            }
        }
        System.out.println("java: " + passed + " passed, " + failed + " failed");
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }
}
