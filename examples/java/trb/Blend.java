package trb;

import com.sun.jna.Pointer;
import java.util.Arrays;
import java.util.List;

/** The behavior of one row, as trb_blend of trb.h. In a bad row every double is NaN. */
public record Blend(
        double beta,
        double multiplier,
        double klStudent,
        double klTeacher,
        double reverseKl,
        double logNorm,
        double lseStudent,
        double lseTeacher,
        RowStatus status,
        int passes,
        long support,
        float[] mass) {
    static final Records.Layout<Blend> LAYOUT =
            new Records.Layout<>(Blend.class, new Declarations.trb_blend().size(), Blend::read, Blend::write);

    /** Equal if every number is, as Double.equals has it; mass too. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Blend that && numbers().equals(that.numbers()) && Arrays.equals(mass, that.mass);
    }

    @Override
    public int hashCode() {
        return numbers().hashCode();
    }

    private List<Object> numbers() {
        return List.of(beta, multiplier, klStudent, klTeacher, reverseKl, logNorm, lseStudent, lseTeacher, status,
                passes, support);
    }

    private static Blend read(Pointer at) {
        var raw = new Declarations.trb_blend(at);
        raw.read();
        return of(raw);
    }

    static Blend of(Declarations.trb_blend raw) {
        return new Blend(
                raw.beta, raw.multiplier, raw.kl_student, raw.kl_teacher, raw.reverse_kl, raw.log_norm,
                raw.lse_student, raw.lse_teacher, RowStatus.of(raw.status), raw.passes, raw.support, raw.mass);
    }

    private static void write(Blend of, Pointer at) {
        var raw = new Declarations.trb_blend(at);
        of.fill(raw);
        raw.write();
    }

    void fill(Declarations.trb_blend raw) {
        raw.beta = beta;
        raw.multiplier = multiplier;
        raw.kl_student = klStudent;
        raw.kl_teacher = klTeacher;
        raw.reverse_kl = reverseKl;
        raw.log_norm = logNorm;
        raw.lse_student = lseStudent;
        raw.lse_teacher = lseTeacher;
        raw.status = status.number();
        raw.passes = passes;
        raw.support = support;
        raw.mass = Arrays.copyOf(mass, 32);
    }
}
