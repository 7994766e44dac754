package trb;

/** Options of {@link Context#tokenTerms}. Clips are for the advantage alone; 0: off. */
public final class TermOptions {
    /** Estimators of the reverse KL from one token. */
    public enum Estimator implements Numbered {
        ADVANTAGE(Declarations.TRB_ESTIMATOR_ADVANTAGE),
        K1(Declarations.TRB_ESTIMATOR_K1),
        K2(Declarations.TRB_ESTIMATOR_K2),
        K3(Declarations.TRB_ESTIMATOR_K3),
        NLL(Declarations.TRB_ESTIMATOR_NLL);

        private final int number;

        Estimator(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Estimator estimator = Estimator.ADVANTAGE;
    public double ratioLow;
    public double ratioHigh;
    public double advantageLimit;

    Declarations.trb_term_options raw() {
        var raw = new Declarations.trb_term_options();
        raw.estimator = estimator.number();
        raw.ratio_low = ratioLow;
        raw.ratio_high = ratioHigh;
        raw.advantage_limit = advantageLimit;
        return raw;
    }
}
