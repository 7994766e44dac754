package trb;

/** A teacher known in part: listed log-probabilities, `k` in every row or as many as `offset` says. */
public final class Sparse {
    /** Of all rows, one list behind the other; -1 for none. */
    public long[] ids;
    /** Natural log-probabilities of the ids. */
    public float[] logQ;
    /** [rows + 1] row r has entries offset[r] to offset[r + 1] - 1; null: `k` each. */
    public long[] offset;
    public long k;
    /** A list that leaves over less than this is scaled down to leave so much. */
    public double leastRest;

    public Sparse(long[] ids, float[] logQ, long k) {
        this.ids = ids;
        this.logQ = logQ;
        this.k = k;
    }

    public Sparse(long[] ids, float[] logQ, long[] offset) {
        this.ids = ids;
        this.logQ = logQ;
        this.offset = offset;
    }

    Declarations.trb_sparse raw(Call call, int rows) {
        var raw = new Declarations.trb_sparse();
        if (offset == null && (k < 0 || rows > 0 && k > ids.length || k * rows != ids.length)) {
            throw InvalidArgumentException.of("teacher.ids: expected %d lists of %d, got %d elements", rows, k,
                    ids.length);
        }
        raw.ids = call.longs("teacher.ids", ids, ids.length);
        raw.log_q = call.floats("teacher.logQ", logQ, ids.length);
        raw.offset = call.longs("teacher.offset", offset, rows + 1L);
        for (int r = 0; offset != null && r <= rows; r++) {
            if (offset[r] < 0 || offset[r] > ids.length) {
                throw InvalidArgumentException.of("teacher.offset[%d]: expected a number in [0, %d], got %d", r,
                        ids.length, offset[r]);
            }
        }
        raw.k = k;
        raw.least_rest = leastRest;
        return raw;
    }
}
