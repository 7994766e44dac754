package trb;

import java.util.List;

/**
 * The terms of sampled tokens, one for each row.
 *
 * @param grad what the call was given: the gradient of the weighted terms, or null
 */
public record Terms(List<Term> terms, Logits grad) {}
