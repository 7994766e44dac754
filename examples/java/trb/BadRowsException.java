package trb;

import java.util.List;

/** Some rows hold no result. What the call would have returned is here: its bad rows say so, all others are good. */
public final class BadRowsException extends TrbException {
    private static final long serialVersionUID = 1;

    private final transient Object result;

    BadRowsException(String text, Object result) {
        super(Declarations.TRB_EROWS, text, null);
        this.result = result;
    }

    /** The result, of the type that the call returns: {@code result(Losses.class)}. */
    public <T> T result(Class<T> type) {
        return type.cast(result);
    }

    /** The result of a call that returns a list: {@code list(Blend.class)}. */
    public <T> List<T> list(Class<T> element) {
        return Records.cast(result, element);
    }
}
