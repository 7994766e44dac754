package trb;

/** Told between the steps of long work how far it is. */
@FunctionalInterface
public interface Progress {
    /**
     * May throw as a {@link Model} may.
     *
     * @return false to stop the call with a {@link StoppedException}
     */
    boolean update(long done, long total) throws Exception;
}
