package trb;

import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * Sequences, and what is known of each sampled token: NaN where it is not. The sampled tokens of sequence i are numbers
 * offset()[i] to offset()[i + 1] - 1 of the arrays over tokens. Arrays are copies.
 *
 * <p>The object outlives its context. Any number of threads may read it, also in calls; {@link Context#score} needs it
 * alone, and so does {@code close()}.
 */
public final class Rollouts implements AutoCloseable {
    private static final int SCORED = -1;

    private final Pointer handle;
    private final Cleaner.Cleanable memory;
    private Declarations.trb_rollouts raw;
    private boolean closed;
    private int calls; // that read it, or SCORED

    /** Why a sequence ended. */
    public enum Stop implements Numbered {
        /** It did not: a callback stopped the call. */
        NONE(Declarations.TRB_STOP_NONE),
        /** Its last token is a stop id or one of the ends. */
        TOKEN(Declarations.TRB_STOP_TOKEN),
        /** maxTokens or maxLength. */
        LENGTH(Declarations.TRB_STOP_LENGTH),
        /** The student's logits hold no distribution. */
        STUDENT(Declarations.TRB_STOP_STUDENT),
        /** The teacher's logits hold no distribution. */
        TEACHER(Declarations.TRB_STOP_TEACHER),
        /** Its end is the caller's. */
        GIVEN(Declarations.TRB_STOP_GIVEN),
        /** Of a later library. */
        UNKNOWN(Integer.MIN_VALUE);

        private final int number;

        Stop(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }

        static Stop of(int number) {
            return Numbered.of(values(), number, UNKNOWN);
        }
    }

    Rollouts(Pointer handle) {
        this.handle = handle;
        memory = Context.CLEANER.register(this, () -> Declarations.trb_rollouts_free(handle));
        refresh();
    }

    /** Ends the object now and not when it is collected. */
    @Override
    public synchronized void close() {
        if (calls != 0) {
            throw new IllegalStateException("the rollouts serve a call");
        }
        closed = true;
        memory.clean();
    }

    /** For the functions of Declarations, as long as this object is in use. */
    public synchronized Pointer pointer() {
        if (closed) {
            throw new IllegalStateException("the rollouts are closed");
        }
        return handle;
    }

    /** Sequences. */
    public int size() {
        return read(r -> Math.toIntExact(r.n));
    }

    /** Sampled tokens of all sequences. */
    public int tokens() {
        return read(r -> Math.toIntExact(r.n_tokens));
    }

    /** Prompt and response of every sequence. */
    public List<long[]> texts() {
        return parts(r -> r.text, r -> r.text_offset);
    }

    /** The sampled tokens of every sequence. */
    public List<long[]> responses() {
        return parts(r -> r.token, r -> r.offset);
    }

    /** Prompt and response of a sequence. */
    public long[] text(int sequence) {
        return part(r -> r.text, r -> r.text_offset, sequence);
    }

    /** The sampled tokens of a sequence. */
    public long[] response(int sequence) {
        return part(r -> r.token, r -> r.offset, sequence);
    }

    public long[] offset() {
        return longs(r -> r.offset, size() + 1);
    }

    /** The random stream of every sequence. */
    public long[] stream() {
        return longs(r -> r.stream, size());
    }

    /** Why every sequence ended. */
    public List<Stop> stop() {
        return names(r -> r.stop, size(), Stop::of);
    }

    /** RowStatus.OK, or what was wrong with the logits that ended a sequence. */
    public List<RowStatus> row() {
        return names(r -> r.row, size(), RowStatus::of);
    }

    public long[] token() {
        return longs(r -> r.token, tokens());
    }

    public double[] logSampled() {
        return doubles(r -> r.log_sampled);
    }

    public double[] logBehavior() {
        return doubles(r -> r.log_behavior);
    }

    public double[] logStudent() {
        return doubles(r -> r.log_student);
    }

    public double[] logTeacher() {
        return doubles(r -> r.log_teacher);
    }

    public double[] beta() {
        return doubles(r -> r.beta);
    }

    public double[] klStudent() {
        return doubles(r -> r.kl_student);
    }

    public double[] klTeacher() {
        return doubles(r -> r.kl_teacher);
    }

    public double[] reverseKl() {
        return doubles(r -> r.reverse_kl);
    }

    public double[] entropyStudent() {
        return doubles(r -> r.entropy_student);
    }

    public double[] entropyTeacher() {
        return doubles(r -> r.entropy_teacher);
    }

    public double[] tv() {
        return doubles(r -> r.tv);
    }

    public long[] argmaxTeacher() {
        return longs(r -> r.argmax_teacher, tokens());
    }

    public List<RowStatus> status() {
        return names(r -> r.status, tokens(), RowStatus::of);
    }

    public List<Verdict.Kind> verdict() {
        return names(r -> r.verdict, tokens(), Verdict.Kind::of);
    }

    /** Tokens that the student proposed, with those that were dropped. */
    public long proposed() {
        return read(r -> r.proposed);
    }

    /** That was sampled at; NaN unless Behavior.BUDGET. */
    public double budget() {
        return read(r -> r.budget);
    }

    /** Tokens whose teacher logits are kept. */
    public long kept() {
        return read(r -> r.kept);
    }

    public long studentCalls() {
        return read(r -> r.student_calls);
    }

    public long teacherCalls() {
        return read(r -> r.teacher_calls);
    }

    /** For a call that reads them; end with {@link #release}. */
    synchronized Pointer acquire() {
        if (calls == SCORED) {
            throw new IllegalStateException("the rollouts serve a call");
        }
        Pointer open = pointer();
        calls++;
        return open;
    }

    /** For a call that writes to them. */
    synchronized Pointer acquireAlone() {
        if (calls != 0) {
            throw new IllegalStateException("the rollouts serve a call");
        }
        Pointer open = pointer();
        calls = SCORED;
        return open;
    }

    synchronized void release() {
        if (calls == SCORED) {
            calls = 0;
            refresh();
        } else {
            calls--;
        }
    }

    private void refresh() {
        raw = new Declarations.trb_rollouts(handle);
        raw.read();
    }

    private synchronized <T> T read(Function<Declarations.trb_rollouts, T> of) {
        pointer();
        return of.apply(raw);
    }

    private long[] longs(Function<Declarations.trb_rollouts, Pointer> list, int n) {
        return read(r -> n == 0 ? new long[0] : list.apply(r).getLongArray(0, n));
    }

    private double[] doubles(Function<Declarations.trb_rollouts, Pointer> list) {
        return read(r -> r.n_tokens == 0 ? new double[0] : list.apply(r).getDoubleArray(0, (int) r.n_tokens));
    }

    private <E> List<E> names(Function<Declarations.trb_rollouts, Pointer> list, int n, IntFunction<E> name) {
        int[] numbers = read(r -> n == 0 ? new int[0] : list.apply(r).getIntArray(0, n));
        var names = new ArrayList<E>(n);
        for (int number : numbers) {
            names.add(name.apply(number));
        }
        return Collections.unmodifiableList(names);
    }

    private long[] part(Function<Declarations.trb_rollouts, Pointer> list,
            Function<Declarations.trb_rollouts, Pointer> offset, int i) {
        return read(r -> {
            Objects.checkIndex((long) i, r.n);
            long[] bounds = offset.apply(r).getLongArray((long) i * Long.BYTES, 2);
            int n = Math.toIntExact(bounds[1] - bounds[0]);
            return n == 0 ? new long[0] : list.apply(r).getLongArray(bounds[0] * Long.BYTES, n);
        });
    }

    private List<long[]> parts(Function<Declarations.trb_rollouts, Pointer> list,
            Function<Declarations.trb_rollouts, Pointer> offset) {
        int n = size();
        var parts = new ArrayList<long[]>(n);
        for (int i = 0; i < n; i++) {
            parts.add(part(list, offset, i));
        }
        return Collections.unmodifiableList(parts);
    }
}
