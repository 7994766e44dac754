package trb;

import com.sun.jna.Pointer;

/** What a trainer logs of one row. */
public record LossRow(
        double entropyStudent,
        double entropyTeacher,
        double massStudent,
        double massTeacher,
        long support,
        long overlap,
        long argmaxStudent,
        long argmaxTeacher,
        RowStatus status) {
    static final Records.Layout<LossRow> LAYOUT =
            new Records.Layout<>(LossRow.class, new Declarations.trb_loss_row().size(), LossRow::read, null);

    private static LossRow read(Pointer at) {
        var raw = new Declarations.trb_loss_row(at);
        raw.read();
        return of(raw);
    }

    static LossRow of(Declarations.trb_loss_row raw) {
        return new LossRow(
                raw.entropy_student, raw.entropy_teacher, raw.mass_student, raw.mass_teacher, raw.support,
                raw.overlap, raw.argmax_student, raw.argmax_teacher, RowStatus.of(raw.status));
    }
}
