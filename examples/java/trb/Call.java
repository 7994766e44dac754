package trb;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** One call of the library on a context, and all that must live and stay where it is until the call returns. */
final class Call implements AutoCloseable {
    private final Context context;
    private final List<Object> kept = new ArrayList<>();
    private final List<Memory> temporary = new ArrayList<>();

    final Pointer handle;

    Call(Context context) {
        this.context = context;
        handle = context.begin();
    }

    @Override
    public void close() {
        temporary.forEach(Memory::close);
        Reference.reachabilityFence(kept);
        context.end();
    }

    /** The address of a struct with its fields in place. */
    Pointer keep(Structure struct) {
        struct.write();
        kept.add(struct);
        return struct.getPointer();
    }

    Memory bytes(long n) {
        var made = new Memory(Math.max(n, Long.BYTES));
        made.clear();
        temporary.add(made);
        return made;
    }

    Pointer longs(String name, long[] list, long n) {
        if (list == null) {
            return null;
        }
        checkLength(name, list.length, n);
        Memory made = bytes((long) list.length * Long.BYTES);
        made.write(0, list, 0, list.length);
        return list.length == 0 ? null : made;
    }

    Pointer doubles(String name, double[] list, long n) {
        if (list == null) {
            return null;
        }
        checkLength(name, list.length, n);
        Memory made = bytes((long) list.length * Double.BYTES);
        made.write(0, list, 0, list.length);
        return list.length == 0 ? null : made;
    }

    Pointer floats(String name, float[] list, long n) {
        checkLength(name, list.length, n);
        Memory made = bytes((long) list.length * Float.BYTES);
        made.write(0, list, 0, list.length);
        return made;
    }

    /** Lists of tokens, one behind the other. */
    Pointer texts(String name, List<long[]> lists) {
        var offset = new long[lists.size() + 1];
        for (int i = 0; i < lists.size(); i++) {
            offset[i + 1] = offset[i] + Objects.requireNonNull(lists.get(i), name).length;
        }
        Memory tokens = bytes(offset[lists.size()] * Long.BYTES);
        for (int i = 0; i < lists.size(); i++) {
            tokens.write(offset[i] * Long.BYTES, lists.get(i), 0, lists.get(i).length);
        }
        var raw = new Declarations.trb_texts();
        raw.tokens = tokens;
        raw.offset = longs(name, offset, offset.length);
        raw.n = lists.size();
        return keep(raw);
    }

    /** Logits for reading; null stays null. */
    Pointer input(Logits logits) {
        if (logits == null) {
            return null;
        }
        kept.add(logits);
        return keep(logits.raw());
    }

    /** Logits for writing. */
    Pointer output(String name, Logits logits) {
        if (logits != null && logits.isReadOnly()) {
            throw new InvalidArgumentException(name + ": expected memory to write to, got a read-only buffer");
        }
        return input(logits);
    }

    /** Records that an earlier call returned, or a list of the caller's own. */
    <T> Pointer records(String name, Records.Layout<T> layout, List<T> list, int n) {
        Records<T> records = Records.of(name, layout, list, n);
        kept.add(records);
        return records.memory();
    }

    static void checkLength(String name, long got, long wanted) {
        if (got != wanted) {
            throw InvalidArgumentException.of("%s: expected %d elements, got %d", name, wanted, got);
        }
    }
}
