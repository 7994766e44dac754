package trb;

/** How to draw. */
public final class Sampler {
    public long seed;
    /** Which sequence each row, or sequence of a rollout, belongs to; null: its number. All 64 bits count. */
    public long[] stream;
    /** The position of each row in its sequence; null: 0. Not for rollouts. */
    public long[] index;
    /** 0: off, and so are the next two. */
    public long topK;
    public double topP;
    public double minP;
    /** The most probable token. */
    public boolean greedy;
    /** In [0, 255]: draws for different uses never share a random number. */
    public int purpose;

    /** For so many streams and positions. */
    Declarations.trb_sampler raw(Call call, long streams, long positions) {
        var raw = new Declarations.trb_sampler();
        raw.seed = seed;
        raw.stream = call.longs("sampler.stream", stream, streams);
        raw.index = call.longs("sampler.index", index, positions);
        raw.top_k = topK;
        raw.top_p = topP;
        raw.min_p = minP;
        raw.greedy = greedy ? 1 : 0;
        raw.purpose = purpose;
        return raw;
    }
}
