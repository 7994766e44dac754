package trb;

/**
 * What a model is asked about one sequence: the next-token logits after each of its last `rows` tokens.
 *
 * @param tokens   the prompt and what follows it so far, a copy
 * @param sequence its number
 * @param known    this model was shown so many of the tokens earlier in the same call: what a cache may keep
 * @param rows     at least 1
 * @param proposed so many of its last tokens are proposals, which may be dropped again
 */
public record Query(long[] tokens, int sequence, int known, int rows, int proposed) {}
