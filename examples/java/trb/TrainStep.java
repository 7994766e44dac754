package trb;

import java.util.List;

/**
 * What a step of training says.
 *
 * @param loss of every token, not weighted
 * @param rows of every token; empty for Objective.TOKEN
 */
public record TrainStep(TrainReport report, double[] loss, List<LossRow> rows) {}
