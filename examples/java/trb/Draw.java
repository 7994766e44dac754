package trb;

import com.sun.jna.Pointer;

/** One drawn token; -1 in a bad row. */
public record Draw(
        long token,
        long kept,
        double logSampled,
        double logBehavior,
        double logStudent,
        double logTeacher,
        RowStatus status) {
    static final Records.Layout<Draw> LAYOUT =
            new Records.Layout<>(Draw.class, new Declarations.trb_draw().size(), Draw::read, null);

    private static Draw read(Pointer at) {
        var raw = new Declarations.trb_draw(at);
        raw.read();
        return of(raw);
    }

    static Draw of(Declarations.trb_draw raw) {
        return new Draw(
                raw.token, raw.kept, raw.log_sampled, raw.log_behavior, raw.log_student, raw.log_teacher,
                RowStatus.of(raw.status));
    }
}
