package trb;

import com.sun.jna.Pointer;

/** The term of one sampled token. */
public record Term(
        double value,
        double coefficient,
        double logStudent,
        double logTeacher,
        double ratio,
        int clipped,
        RowStatus status) {
    static final Records.Layout<Term> LAYOUT =
            new Records.Layout<>(Term.class, new Declarations.trb_term().size(), Term::read, null);

    private static Term read(Pointer at) {
        var raw = new Declarations.trb_term(at);
        raw.read();
        return of(raw);
    }

    static Term of(Declarations.trb_term raw) {
        return new Term(
                raw.value, raw.coefficient, raw.log_student, raw.log_teacher, raw.ratio, raw.clipped,
                RowStatus.of(raw.status));
    }
}
