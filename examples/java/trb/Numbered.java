package trb;

/** A name for a number of trb.h. */
interface Numbered {
    /** The library's number. */
    int number();

    /** The one of that number, or `unknown` for a number of a later library. */
    static <E extends Numbered> E of(E[] all, int number, E unknown) {
        for (E one : all) {
            if (one.number() == number) {
                return one;
            }
        }
        return unknown;
    }
}
