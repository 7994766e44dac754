package trb;

/** What a training step says of itself; the fields of trb_train_report. */
public record TrainReport(
        long tokens,
        long bad,
        long clipped,
        long microBatches,
        long teacherRows,
        double objective,
        double loss,
        double entropyStudent,
        double entropyTeacher,
        double massStudent,
        double massTeacher,
        double agreement,
        long routed,
        double routedLoss) {
    static TrainReport of(Declarations.trb_train_report raw) {
        return new TrainReport(
                raw.tokens, raw.bad, raw.clipped, raw.micro_batches, raw.teacher_rows, raw.objective, raw.loss,
                raw.entropy_student, raw.entropy_teacher, raw.mass_student, raw.mass_teacher, raw.agreement,
                raw.routed, raw.routed_loss);
    }
}
