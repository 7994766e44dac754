package trb;

import java.util.List;

/**
 * What became of blocks of proposals, and the blends that decided; RowStatus.SKIPPED where dropped. One for each row.
 */
public record Verified(List<Verdict> verdicts, List<Blend> blends) {}
