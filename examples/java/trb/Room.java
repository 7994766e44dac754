package trb;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Native memory, all 0, until the owner is collected. A direct buffer as long as one is large enough: of those the
 * virtual machine knows the size and collects when they are too many, which it does not for a Memory.
 */
record Room(Object owner, Pointer address) {
    static Room of(long bytes) {
        if (bytes > Integer.MAX_VALUE) {
            var memory = new Memory(bytes);
            memory.clear();
            return new Room(memory, memory);
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder());
        return new Room(buffer, Native.getDirectBufferPointer(buffer));
    }
}
