package trb;

/** End-of-text tokens that mean the same to both models: `teacher[i]` is merged into `student[i]`. */
public record Ends(long[] student, long[] teacher) {
    Declarations.trb_ends raw(Call call) {
        var raw = new Declarations.trb_ends();
        raw.n = student.length;
        raw.student = call.longs("ends.student", student, raw.n);
        raw.teacher = call.longs("ends.teacher", teacher, raw.n);
        return raw;
    }
}
