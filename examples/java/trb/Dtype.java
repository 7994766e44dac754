package trb;

/** Element types of a logit buffer. */
public enum Dtype implements Numbered {
    F32(Declarations.TRB_F32),
    F16(Declarations.TRB_F16),
    BF16(Declarations.TRB_BF16);

    private final int number;

    Dtype(int number) {
        this.number = number;
    }

    @Override
    public int number() {
        return number;
    }

    int bytes() {
        return this == F32 ? 4 : 2;
    }
}
