package trb;

/** Memory or a thread could not be had. Nothing was written. */
public final class NoMemoryException extends TrbException {
    private static final long serialVersionUID = 1;

    NoMemoryException(String text) {
        super(Declarations.TRB_ENOMEM, text, null);
    }
}
