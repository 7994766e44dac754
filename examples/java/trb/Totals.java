package trb;

/** What a trainer logs of a batch of rollouts; the fields of trb_totals. */
public record Totals(
        long sequences,
        long tokens,
        long stoppedToken,
        long stoppedLength,
        long stoppedRow,
        long unfinished,
        long shortest,
        long longest,
        long infinite,
        double meanLength,
        double sequenceKl,
        double sequenceBound,
        double saturated,
        double beta,
        double logBehavior,
        double logStudent,
        double logTeacher,
        double klStudent,
        double klTeacher,
        double reverseKl,
        double entropyStudent,
        double entropyTeacher,
        double tv,
        long proposed,
        long accepted,
        long corrected) {
    static Totals of(Declarations.trb_totals raw) {
        return new Totals(
                raw.sequences, raw.tokens, raw.stopped_token, raw.stopped_length, raw.stopped_row, raw.unfinished,
                raw.shortest, raw.longest, raw.infinite, raw.mean_length, raw.sequence_kl, raw.sequence_bound,
                raw.saturated, raw.beta, raw.log_behavior, raw.log_student, raw.log_teacher, raw.kl_student,
                raw.kl_teacher, raw.reverse_kl, raw.entropy_student, raw.entropy_teacher, raw.tv, raw.proposed,
                raw.accepted, raw.corrected);
    }
}
