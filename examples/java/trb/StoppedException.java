package trb;

import java.util.Optional;

/**
 * A callback stopped the call: a progress function returned false, or a model threw a checked exception, which is the
 * cause. Unchecked exceptions and errors come out of the call as they are, with one of these suppressed in them.
 */
public final class StoppedException extends TrbException {
    private static final long serialVersionUID = 1;

    private final transient Rollouts rollouts;

    StoppedException(String text, Rollouts rollouts, Throwable cause) {
        super(Declarations.TRB_ECALLBACK, text, cause);
        this.rollouts = rollouts;
    }

    /** What was sampled or scored until then; empty after other calls. */
    public Optional<Rollouts> rollouts() {
        return Optional.ofNullable(rollouts);
    }

    /** The last one in what a call threw: itself, or suppressed. */
    public static Optional<StoppedException> in(Throwable thrown) {
        StoppedException found = thrown instanceof StoppedException stopped ? stopped : null;
        for (Throwable one : thrown.getSuppressed()) {
            found = one instanceof StoppedException stopped ? stopped : found;
        }
        return Optional.ofNullable(found);
    }
}
