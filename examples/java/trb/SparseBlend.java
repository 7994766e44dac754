package trb;

import com.sun.jna.Pointer;

/** The blend of a row with a list, and what sampleSparse needs beside it. */
public record SparseBlend(
        Blend blend,
        double logRestStudent,
        double logRestTeacher,
        double maxStudent,
        double log2Norm,
        double log2Z,
        double log2Excess) {
    static final Records.Layout<SparseBlend> LAYOUT =
            new Records.Layout<>(SparseBlend.class, new Declarations.trb_sparse_blend().size(), SparseBlend::read,
                    SparseBlend::write);

    private static SparseBlend read(Pointer at) {
        var raw = new Declarations.trb_sparse_blend(at);
        raw.read();
        return of(raw);
    }

    static SparseBlend of(Declarations.trb_sparse_blend raw) {
        return new SparseBlend(
                Blend.of(raw.blend), raw.log_rest_student, raw.log_rest_teacher, raw.max_student, raw.log2_norm,
                raw.log2_z, raw.log2_excess);
    }

    private static void write(SparseBlend of, Pointer at) {
        var raw = new Declarations.trb_sparse_blend(at);
        of.fill(raw);
        raw.write();
    }

    void fill(Declarations.trb_sparse_blend raw) {
        blend.fill(raw.blend);
        raw.log_rest_student = logRestStudent;
        raw.log_rest_teacher = logRestTeacher;
        raw.max_student = maxStudent;
        raw.log2_norm = log2Norm;
        raw.log2_z = log2Z;
        raw.log2_excess = log2Excess;
    }
}
