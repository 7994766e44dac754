package trb;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Structure;
import java.util.Locale;
import java.util.Map;

/** Finds the library, and makes sure that it has what Declarations says. */
final class Library {
    private static boolean checked;

    private Library() {}

    static void register(Class<?> declarations) {
        String name = System.getProperty("trb.library", System.getenv("TRB_LIBRARY"));
        Map<String, Object> options = Map.of(com.sun.jna.Library.OPTION_STRING_ENCODING, "UTF-8");
        Native.register(declarations, NativeLibrary.getInstance(name == null ? "trb" : name, options));
    }

    static synchronized void check() {
        if (checked) {
            return;
        }
        checkVersion(Declarations.trb_version());
        for (Class<? extends Structure> struct : Declarations.STRUCTS) {
            checkSize(struct, sizeOf(struct.getSimpleName()));
        }
        checked = true;
    }

    private static void checkVersion(int version) {
        int major = version >>> 16;
        int minor = version >>> 8 & 255;
        if (major != Declarations.TRB_VERSION_MAJOR || minor < Declarations.TRB_VERSION_MINOR) {
            throw refused("libtrb: expected version %d.%d or later of the same major, got %d.%d",
                    Declarations.TRB_VERSION_MAJOR, Declarations.TRB_VERSION_MINOR, major, minor);
        }
    }

    /** Structs that begin with `size` may be larger in a later library. */
    private static void checkSize(Class<? extends Structure> struct, long theirs) {
        Structure made = Structure.newInstance(struct);
        boolean grows = struct.getAnnotation(Structure.FieldOrder.class).value()[0].equals("size");
        if (theirs < made.size() || (theirs > made.size() && !grows)) {
            throw refused("libtrb: expected %s to have %d bytes, got %d", struct.getSimpleName(), made.size(), theirs);
        }
    }

    private static UnsatisfiedLinkError refused(String format, Object... values) {
        return new UnsatisfiedLinkError(String.format(Locale.ROOT, format, values));
    }

    private static long sizeOf(String struct) {
        try (Memory value = new Memory(Long.BYTES)) {
            int status = Declarations.trb_constant("sizeof(" + struct + ")", value);
            return status == Declarations.TRB_OK ? value.getLong(0) : 0;
        }
    }
}
