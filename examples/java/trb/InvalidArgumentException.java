package trb;

import java.util.Locale;

/** An argument breaks its contract. Nothing was written, and no callback was called. */
public final class InvalidArgumentException extends TrbException {
    private static final long serialVersionUID = 1;

    InvalidArgumentException(String text) {
        super(Declarations.TRB_EINVAL, text, null);
    }

    static InvalidArgumentException of(String format, Object... values) {
        return new InvalidArgumentException(String.format(Locale.ROOT, format, values));
    }
}
