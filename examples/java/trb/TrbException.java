package trb;

/** A call of the library that failed. The message is the library's own text. */
public class TrbException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;

    TrbException(int status, String text, Throwable cause) {
        super(text, cause);
        this.status = status;
    }

    /** A TRB_E number of Declarations. */
    public int status() {
        return status;
    }
}
