package trb;

/** Options of {@link Context#divergence}. */
public final class DivergenceOptions {
    /** Divergences other than the reverse KL. */
    public enum Kind implements Numbered {
        FORWARD_KL(Declarations.TRB_DIVERGENCE_FORWARD_KL),
        JSD(Declarations.TRB_DIVERGENCE_JSD);

        private final int number;

        Kind(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Kind kind = Kind.FORWARD_KL;
    /** JSD: weight of the teacher, in (0, 1); 0 means 0.5. */
    public double b;

    Declarations.trb_divergence_options raw() {
        var raw = new Declarations.trb_divergence_options();
        raw.kind = kind.number();
        raw.b = b;
        return raw;
    }
}
