package trb;

import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Records that the library writes, in its memory. Each is read when it is asked for. */
final class Records<T> extends AbstractList<T> implements RandomAccess {
    private final Layout<T> layout;
    private final int n;
    private final Room room;

    /** How a record lies in memory. */
    record Layout<T>(Class<T> type, int size, Function<Pointer, T> read, BiConsumer<T, Pointer> write) {}

    Records(Layout<T> layout, int n) {
        this.layout = layout;
        this.n = n;
        room = Room.of((long) layout.size * Math.max(n, 1));
    }

    /** The list, if it is one of the library's, or a copy in memory. */
    static <T> Records<T> of(String name, Layout<T> layout, List<T> list, int n) {
        Call.checkLength(name, list.size(), n);
        if (list instanceof Records<T> records) {
            cast(records, layout.type);
            return records;
        }
        var made = new Records<>(layout, n);
        for (int i = 0; i < n; i++) {
            layout.write.accept(list.get(i), made.at(i));
        }
        return made;
    }

    @SuppressWarnings("unchecked")
    static <T> List<T> cast(Object list, Class<T> element) {
        if (!(list instanceof Records<?> records) || records.layout.type != element) {
            throw new ClassCastException("expected a list of " + element.getSimpleName());
        }
        return (List<T>) records;
    }

    /** As long as this object is in use. */
    Pointer memory() {
        return room.address();
    }

    private Pointer at(int i) {
        return room.address().share((long) i * layout.size, layout.size);
    }

    @Override
    public T get(int i) {
        T record = layout.read.apply(at(Objects.checkIndex(i, n)));
        Reference.reachabilityFence(this);
        return record;
    }

    @Override
    public int size() {
        return n;
    }
}
