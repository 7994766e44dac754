package trb;

import com.sun.jna.Pointer;

/** One position of a block, and what stands there. Every double is NaN where nothing does. */
public record Verdict(
        Draw draw,
        double acceptance,
        double tv,
        long argmaxTeacher,
        Kind verdict) {
    static final Records.Layout<Verdict> LAYOUT =
            new Records.Layout<>(Verdict.class, new Declarations.trb_verdict().size(), Verdict::read, null);

    /** What became of a position. */
    public enum Kind implements Numbered {
        /** There was no proposal: drawn from mu. */
        DRAWN(Declarations.TRB_VERDICT_DRAWN),
        /** The proposal stands. */
        ACCEPTED(Declarations.TRB_VERDICT_ACCEPTED),
        /** Another token stands in its place. */
        CORRECTED(Declarations.TRB_VERDICT_CORRECTED),
        /** Nothing stands here: behind a correction, or the row is bad. */
        DROPPED(Declarations.TRB_VERDICT_DROPPED),
        /** Of a later library. */
        UNKNOWN(Integer.MIN_VALUE);

        private final int number;

        Kind(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }

        static Kind of(int number) {
            return Numbered.of(values(), number, UNKNOWN);
        }
    }

    private static Verdict read(Pointer at) {
        var raw = new Declarations.trb_verdict(at);
        raw.read();
        return of(raw);
    }

    static Verdict of(Declarations.trb_verdict raw) {
        return new Verdict(
                Draw.of(raw.draw), raw.acceptance, raw.tv, raw.argmax_teacher, Kind.of(raw.verdict));
    }
}
