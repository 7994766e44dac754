package trb;

/** Options of {@link Context#verify}. */
public final class VerifyOptions {
    /** Null: defaults; by beta it must be. */
    public SolveOptions solve;
    /** Filters apply to mu. Null: defaults. */
    public Sampler sampler;
    /** The budget holds weights of the teacher in [0, 1]. */
    public boolean byBeta;

    Declarations.trb_verify_options raw(Call call, long rows) {
        var raw = new Declarations.trb_verify_options();
        raw.solve = solve == null ? null : call.keep(solve.raw());
        raw.sampler = sampler == null ? null : call.keep(sampler.raw(call, rows, rows));
        raw.behavior = byBeta ? Declarations.TRB_BEHAVIOR_BETA : Declarations.TRB_BEHAVIOR_BUDGET;
        return raw;
    }
}
