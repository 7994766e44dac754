package trb;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Objects;

/**
 * A matrix of logits, one row per position, in memory that does not move. Nothing is copied but by {@link #copyOf}.
 *
 * <p>A buffer is taken from its position to its limit. It must be direct and of the native byte order, which a new
 * ByteBuffer is not: {@code ByteBuffer.allocateDirect(n).order(ByteOrder.nativeOrder())}.
 */
public final class Logits {
    private final Source source;
    private final Dtype dtype;
    private final int rows;
    private final int vocab;
    private final long stride;
    private final float temperature;

    /** Memory, and whose it is: a Buffer, a Memory, or null for the library's own, which it takes back. */
    private static final class Source {
        final Object owner;
        final long elements;
        final boolean readOnly;
        private Pointer base;

        Source(Object owner, Pointer base, long elements, boolean readOnly) {
            this.owner = owner;
            this.base = base;
            this.elements = elements;
            this.readOnly = readOnly;
        }

        Pointer address() {
            if (base == null || Pointer.nativeValue(base) == 0) {
                throw new IllegalStateException("logits: their memory is gone");
            }
            return base;
        }
    }

    private Logits(Source source, Dtype dtype, int rows, int vocab, long stride, float temperature) {
        this.source = source;
        this.dtype = dtype;
        this.rows = rows;
        this.vocab = vocab;
        this.stride = stride;
        this.temperature = temperature;
        expect("rows", rows, 0);
        expect("vocab", vocab, 1);
        expect("stride", stride, vocab);
        long size = source.elements;
        if (rows > 0 && (size < vocab || rows > 1 && stride > (size - vocab) / (rows - 1))) {
            throw InvalidArgumentException.of("logits: expected %d rows of %d with stride %d, got %d elements", rows,
                    vocab, stride, size);
        }
    }

    private static void expect(String name, long got, long least) {
        if (got < least) {
            throw InvalidArgumentException.of("logits.%s: expected at least %d, got %d", name, least, got);
        }
    }

    /** Of float32. */
    public static Logits of(FloatBuffer data, int rows, int vocab) {
        return of(data, data.order(), Dtype.F32, rows, vocab);
    }

    /** Of float16 or bfloat16. */
    public static Logits of(ShortBuffer data, Dtype dtype, int rows, int vocab) {
        if (dtype == Dtype.F32) {
            throw new InvalidArgumentException("dtype: expected F16 or BF16 of a ShortBuffer, got F32");
        }
        return of(data, data.order(), dtype, rows, vocab);
    }

    /** Of any type. */
    public static Logits of(ByteBuffer data, Dtype dtype, int rows, int vocab) {
        return dtype == Dtype.F32
                ? of(data.asFloatBuffer(), rows, vocab)
                : of(data.asShortBuffer(), dtype, rows, vocab);
    }

    /** Of any type and size. After its {@code close()} they are refused. */
    public static Logits of(Memory data, Dtype dtype, int rows, int vocab) {
        return new Logits(new Source(data, data, data.size() / dtype.bytes(), false), dtype, rows, vocab, vocab, 0);
    }

    /** A copy of an array. */
    public static Logits copyOf(float[] data, int rows, int vocab) {
        Call.checkLength("data", data.length, (long) rows * vocab);
        Logits made = allocate(Dtype.F32, rows, vocab);
        made.source.address().write(0, data, 0, data.length);
        return made;
    }

    /** New ones of float32, all 0. */
    public static Logits allocate(int rows, int vocab) {
        return allocate(Dtype.F32, rows, vocab);
    }

    /**
     * New ones, all 0. Up to 2 GiB they are a direct buffer, of which {@code -XX:MaxDirectMemorySize} says how many
     * there may be; {@code of(new Memory(bytes), ...)} has no limit.
     */
    public static Logits allocate(Dtype dtype, int rows, int vocab) {
        expect("rows", rows, 0);
        expect("vocab", vocab, 1);
        Object memory = Room.of(Math.max((long) rows * vocab, 1) * dtype.bytes()).owner();
        return memory instanceof ByteBuffer buffer
                ? of(buffer, dtype, rows, vocab)
                : of((Memory) memory, dtype, rows, vocab);
    }

    /** The library's own, until {@link #takeBack}. */
    static Logits lent(Declarations.trb_logits raw) {
        Dtype dtype = Numbered.of(Dtype.values(), raw.dtype, null);
        int rows = Math.toIntExact(raw.rows);
        int vocab = Math.toIntExact(raw.vocab);
        long elements = (raw.rows - 1) * raw.stride + raw.vocab;
        return new Logits(new Source(null, raw.data, elements, false), dtype, rows, vocab, raw.stride, 0);
    }

    private static Logits of(Buffer data, ByteOrder order, Dtype dtype, int rows, int vocab) {
        if (!data.isDirect()) {
            throw new InvalidArgumentException("data: expected a direct buffer, got one on the heap, which may move:"
                    + " use ByteBuffer.allocateDirect, or Logits.copyOf for a copy");
        }
        if (order != ByteOrder.nativeOrder()) {
            throw new InvalidArgumentException("data: expected a buffer in the native byte order, got " + order
                    + ": use order(ByteOrder.nativeOrder())");
        }
        Buffer part = data.slice();
        Pointer base = Native.getDirectBufferPointer(part);
        return new Logits(new Source(part, base, part.capacity(), data.isReadOnly()), dtype, rows, vocab, vocab, 0);
    }

    /** The same memory with so many elements from one row to the next. */
    public Logits stride(long elements) {
        return new Logits(source, dtype, rows, vocab, elements, temperature);
    }

    /** The same memory, divided by this; 0 means 1. Of no effect on outputs. */
    public Logits temperature(float divisor) {
        return new Logits(source, dtype, rows, vocab, stride, divisor);
    }

    public int rows() {
        return rows;
    }

    public int vocab() {
        return vocab;
    }

    public Dtype dtype() {
        return dtype;
    }

    public boolean isReadOnly() {
        return source.readOnly;
    }

    /** A copy of a row of float32. */
    public float[] get(int row) {
        long at = at(row, true);
        float[] copy = source.address().getFloatArray(at, vocab);
        Reference.reachabilityFence(source);
        return copy;
    }

    /** Writes a whole row of float32. */
    public void set(int row, float... values) {
        Call.checkLength("values", values.length, vocab);
        writable().write(at(row, true), values, 0, vocab);
        Reference.reachabilityFence(source);
    }

    /** A copy of the bits of a row of float16 or bfloat16. */
    public short[] getBits(int row) {
        long at = at(row, false);
        short[] copy = source.address().getShortArray(at, vocab);
        Reference.reachabilityFence(source);
        return copy;
    }

    /** Writes the bits of a whole row of float16 or bfloat16. */
    public void setBits(int row, short... bits) {
        Call.checkLength("bits", bits.length, vocab);
        writable().write(at(row, false), bits, 0, vocab);
        Reference.reachabilityFence(source);
    }

    /**
     * The memory itself, of float32, with the first row at 0. Within a callback it is the library's, and nothing stops
     * one from using the buffer after the callback, when the memory is gone: do not.
     */
    public FloatBuffer floats() {
        expectFloats(true);
        return source.owner instanceof FloatBuffer own ? own.duplicate() : bytes().asFloatBuffer();
    }

    /** Likewise of float16 or bfloat16. */
    public ShortBuffer bits() {
        expectFloats(false);
        return source.owner instanceof ShortBuffer own ? own.duplicate() : bytes().asShortBuffer();
    }

    void takeBack() {
        source.base = null;
    }

    /** For the call that keeps this object. */
    Declarations.trb_logits raw() {
        var raw = new Declarations.trb_logits();
        raw.data = source.address();
        raw.rows = rows;
        raw.vocab = vocab;
        raw.stride = stride;
        raw.dtype = dtype.number();
        raw.temperature = temperature;
        return raw;
    }

    private void expectFloats(boolean floats) {
        if (floats != (dtype == Dtype.F32)) {
            throw new IllegalStateException("logits: expected " + (floats ? "F32" : "F16 or BF16") + ", got " + dtype);
        }
    }

    /** Where a row begins, in bytes. */
    private long at(int row, boolean floats) {
        expectFloats(floats);
        return Objects.checkIndex(row, rows) * stride * dtype.bytes();
    }

    private Pointer writable() {
        if (source.readOnly) {
            throw new java.nio.ReadOnlyBufferException();
        }
        return source.address();
    }

    private ByteBuffer bytes() {
        long n = rows == 0 ? 0 : ((rows - 1) * stride + vocab) * dtype.bytes();
        if (n > Integer.MAX_VALUE) {
            throw new IllegalStateException("logits: more bytes than a buffer can have: go row by row");
        }
        return source.address().getByteBuffer(0, n).order(ByteOrder.nativeOrder());
    }
}
