package trb;

import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one call of the library calls back. Nothing is thrown through the library: it is kept for after the call.
 *
 * <p>Every function that C may call takes native memory until it is collected, so there are three for all calls, and
 * their `user` is the number of whom to ask.
 */
final class Callbacks implements AutoCloseable {
    private static final int QUERY_BYTES = new Declarations.trb_query().size();
    private static final Map<Long, Asked> ASKED = new ConcurrentHashMap<>();
    private static final AtomicLong LAST = new AtomicLong();

    private static final Declarations.trb_forward_fn FORWARD = (queries, n, out, user) -> {
        Asked asked = asked(user);
        return asked.of.ask(queries, n, out, asked.model::forward);
    };
    private static final Declarations.trb_backward_fn BACKWARD = (queries, n, grad, user) -> {
        Asked asked = asked(user);
        return asked.of.ask(queries, n, grad, asked.model::backward);
    };
    private static final Declarations.trb_progress_fn PROGRESS = (done, total, user) -> {
        Asked asked = asked(user);
        return asked.of.guard(() -> asked.progress.update(done, total));
    };

    private final List<Long> numbers = new ArrayList<>();
    private Throwable thrown;

    private record Asked(Callbacks of, Model model, Progress progress) {}

    private interface Act {
        boolean run() throws Exception;
    }

    private interface Ask {
        void run(List<Query> queries, Logits logits) throws Exception;
    }

    /** Null stays null. */
    Pointer of(Call call, Model model) {
        if (model == null) {
            return null;
        }
        var raw = new Declarations.trb_model();
        raw.vocab = model.vocab();
        raw.forward = FORWARD;
        raw.backward = BACKWARD;
        raw.user = user(model, null);
        raw.dtype = model.dtype().number();
        raw.temperature = model.temperature();
        return call.keep(raw);
    }

    Declarations.trb_progress_fn of(Progress progress) {
        return progress == null ? null : PROGRESS;
    }

    /** For the function above. */
    Pointer user(Progress progress) {
        return progress == null ? null : user(null, progress);
    }

    @Override
    public void close() {
        numbers.forEach(ASKED::remove);
    }

    /** What the call throws when a callback stopped it. An Error is thrown here. */
    RuntimeException stopped(String text, Rollouts rollouts) {
        if (thrown instanceof RuntimeException || thrown instanceof Error) {
            thrown.addSuppressed(new StoppedException(text, rollouts, null));
            if (thrown instanceof Error error) {
                throw error;
            }
            return (RuntimeException) thrown;
        }
        return new StoppedException(text, rollouts, thrown);
    }

    private Pointer user(Model model, Progress progress) {
        long number = LAST.incrementAndGet();
        ASKED.put(number, new Asked(this, model, progress));
        numbers.add(number);
        return new Pointer(number);
    }

    private static Asked asked(Pointer user) {
        return ASKED.get(Pointer.nativeValue(user));
    }

    private int ask(Pointer queries, long n, Pointer at, Ask ask) {
        return guard(() -> {
            var raw = new Declarations.trb_logits(at);
            raw.read();
            Logits logits = Logits.lent(raw);
            try {
                ask.run(read(queries, n), logits);
            } finally {
                logits.takeBack();
            }
            return true;
        });
    }

    private int guard(Act act) {
        try {
            return act.run() ? Declarations.TRB_CONTINUE : 0;
        } catch (Throwable any) {
            thrown = any;
            return 0;
        }
    }

    private static List<Query> read(Pointer queries, long n) {
        var list = new ArrayList<Query>((int) n);
        for (long i = 0; i < n; i++) {
            var raw = new Declarations.trb_query(queries.share(i * QUERY_BYTES));
            raw.read();
            long[] tokens = raw.tokens.getLongArray(0, Math.toIntExact(raw.length));
            list.add(new Query(tokens, Math.toIntExact(raw.sequence), (int) raw.known, (int) raw.rows,
                    (int) raw.proposed));
        }
        return Collections.unmodifiableList(list);
    }
}
