package trb;

/** How beta is looked for. */
public final class SolveOptions {
    /** Both meet the same accuracy contract. */
    public enum Method implements Numbered {
        NEWTON(Declarations.TRB_METHOD_NEWTON),
        BISECTION(Declarations.TRB_METHOD_BISECTION);

        private final int number;

        Method(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    /** How far below the budget klStudent may end, relative; 0: the library's. */
    public double tolerance;
    public Method method = Method.NEWTON;

    Declarations.trb_solve_options raw() {
        var raw = new Declarations.trb_solve_options();
        raw.tolerance = tolerance;
        raw.method = method.number();
        return raw;
    }
}
