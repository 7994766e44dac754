package trb;

/** What became of one row. */
public enum RowStatus implements Numbered {
    /** The KL budget is active. */
    BLENDED(Declarations.TRB_ROW_BLENDED),
    /** The teacher is inside the budget: beta is 1. */
    TEACHER(Declarations.TRB_ROW_TEACHER),
    /** The budget is zero: beta is 0. */
    STUDENT(Declarations.TRB_ROW_STUDENT),
    /** Every beta above 0 costs more than the budget: beta is 0. */
    UNREACHABLE(Declarations.TRB_ROW_UNREACHABLE),
    /** The caller gave beta. */
    GIVEN(Declarations.TRB_ROW_GIVEN),
    /** Draws, losses and terms: computed. */
    OK(Declarations.TRB_ROW_OK),
    /** Weight 0, or behind the end of its block: not read. */
    SKIPPED(Declarations.TRB_ROW_SKIPPED),
    /** Every token is masked. */
    EMPTY(Declarations.TRB_ROW_EMPTY),
    /** NaN or +inf among the logits, or NaN in a blend. */
    NOT_A_NUMBER(Declarations.TRB_ROW_NOT_A_NUMBER),
    /** The divergence is infinite: one model masks a token that the other allows. */
    INFINITE(Declarations.TRB_ROW_INFINITE),
    /** The proposed token has probability 0 under the student. */
    IMPOSSIBLE(Declarations.TRB_ROW_IMPOSSIBLE),
    /** Listed probabilities of the teacher add up to more than 1.001. */
    EXCESS(Declarations.TRB_ROW_EXCESS),
    /** Of a later library. */
    UNKNOWN(Integer.MIN_VALUE);

    private final int number;

    RowStatus(int number) {
        this.number = number;
    }

    @Override
    public int number() {
        return number;
    }

    /** The row holds no result. */
    public boolean isBad() {
        return number < 0;
    }

    /** The library's words for it. */
    public String text() {
        return Declarations.trb_row_strerror(number);
    }

    static RowStatus of(int number) {
        return Numbered.of(values(), number, UNKNOWN);
    }
}
