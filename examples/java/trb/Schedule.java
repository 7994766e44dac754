package trb;

/** How a budget anneals over optimizer steps. */
public final class Schedule {
    /** Exactly 0 after the end. */
    public enum Kind implements Numbered {
        LINEAR(Declarations.TRB_SCHEDULE_LINEAR),
        CONSTANT(Declarations.TRB_SCHEDULE_CONSTANT),
        COSINE(Declarations.TRB_SCHEDULE_COSINE),
        PIECEWISE(Declarations.TRB_SCHEDULE_PIECEWISE);

        private final int number;

        Kind(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Kind kind = Kind.LINEAR;
    /** Budget at step 0; piecewise: 0. */
    public double initial;
    /** Last step; piecewise: 0. */
    public long steps;
    /** Piecewise: step of each point. */
    public long[] at;
    /** Piecewise: budget at each point. */
    public double[] budgets;

    public static Schedule linear(double initial, long steps) {
        return of(Kind.LINEAR, initial, steps);
    }

    public static Schedule constant(double initial, long steps) {
        return of(Kind.CONSTANT, initial, steps);
    }

    public static Schedule cosine(double initial, long steps) {
        return of(Kind.COSINE, initial, steps);
    }

    public static Schedule piecewise(long[] at, double[] budgets) {
        Schedule made = of(Kind.PIECEWISE, 0, 0);
        made.at = at;
        made.budgets = budgets;
        return made;
    }

    private static Schedule of(Kind kind, double initial, long steps) {
        var made = new Schedule();
        made.kind = kind;
        made.initial = initial;
        made.steps = steps;
        return made;
    }

    Declarations.trb_schedule raw(Call call) {
        var raw = new Declarations.trb_schedule();
        raw.kind = kind.number();
        raw.initial = initial;
        raw.steps = steps;
        raw.points = at == null ? 0 : at.length;
        raw.at = call.longs("schedule.at", at, raw.points);
        raw.budgets = call.doubles("schedule.budgets", budgets, raw.points);
        return raw;
    }
}
