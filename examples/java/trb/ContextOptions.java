package trb;

/** Options of a context. */
public final class ContextOptions {
    /** Which row kernels to run. All of them give the same bits. */
    public enum Isa implements Numbered {
        AUTO(Declarations.TRB_ISA_AUTO),
        SCALAR(Declarations.TRB_ISA_SCALAR),
        AVX2(Declarations.TRB_ISA_AVX2),
        AVX512(Declarations.TRB_ISA_AVX512),
        NEON(Declarations.TRB_ISA_NEON);

        private final int number;

        Isa(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    /** That work on a call, the caller included; 0 means 1. */
    public int threads;
    public Isa isa = Isa.AUTO;
}
