package trb;

/** Options of {@link Context#score}. */
public final class ScoreOptions {
    /** Most bytes of logits at a time; 0 means 256 MiB. */
    public long batchBytes;
    /** Teacher logits are kept as long as they fit; 0: none. */
    public long keepBytes;
    /** Null, or called after every query. */
    public Progress progress;

    Declarations.trb_score_options raw(Callbacks callbacks) {
        var raw = new Declarations.trb_score_options();
        raw.batch_bytes = batchBytes;
        raw.keep_bytes = keepBytes;
        raw.progress = callbacks.of(progress);
        raw.progress_user = callbacks.user(progress);
        return raw;
    }
}
