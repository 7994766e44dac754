package trb;

import java.util.List;

/**
 * What a loss says of each row.
 *
 * @param loss not weighted
 * @param grad what the call was given: the gradient of the weighted loss, or null
 */
public record Losses(double[] loss, Logits grad, List<LossRow> rows) {}
