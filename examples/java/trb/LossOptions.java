package trb;

/** Options of {@link Context#reverseKl}. */
public final class LossOptions {
    /** Forms of the reverse KL on a support. */
    public enum Form implements Numbered {
        FULL(Declarations.TRB_FORM_FULL),
        TRUNCATED(Declarations.TRB_FORM_TRUNCATED),
        RENORMALIZED(Declarations.TRB_FORM_RENORMALIZED),
        TAIL_BUCKET(Declarations.TRB_FORM_TAIL_BUCKET),
        GENERALIZED(Declarations.TRB_FORM_GENERALIZED);

        private final int number;

        Form(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    /** What the support is, per row. */
    public enum Support implements Numbered {
        ALL(Declarations.TRB_SUPPORT_ALL),
        STUDENT_TOP_K(Declarations.TRB_SUPPORT_STUDENT_TOP_K),
        TEACHER_TOP_K(Declarations.TRB_SUPPORT_TEACHER_TOP_K),
        IDS(Declarations.TRB_SUPPORT_IDS);

        private final int number;

        Support(int number) {
            this.number = number;
        }

        @Override
        public int number() {
            return number;
        }
    }

    public Form form = Form.FULL;
    public Support support = Support.ALL;
    /** Of a top-k, or the length of each list of ids. */
    public long k;
    /** [rows, k], row after row: ids of Support.IDS; -1 for none. */
    public long[] ids;

    Declarations.trb_loss_options raw(Call call, long rows) {
        var raw = new Declarations.trb_loss_options();
        raw.form = form.number();
        raw.support = support.number();
        raw.k = k;
        if (ids != null && (k < 0 || rows > 0 && k > ids.length || k * rows != ids.length)) {
            throw InvalidArgumentException.of("ids: expected %d lists of %d, got %d elements", rows, k, ids.length);
        }
        raw.ids = ids != null && ids.length == 0 ? call.bytes(0) : call.longs("ids", ids, rows * k);
        return raw;
    }
}
