/**
 * libtrb for Java, by JNA: trust-region behavior blending and reverse KL over logit buffers. trb.h is the contract of
 * every function; here they are methods of {@link trb.Context}.
 *
 * <pre>{@code
 * Logits student = Logits.of(floatBuffer, 2, 32000).temperature(0.7f);       // direct, native order: not copied
 * Logits teacher = Logits.of(shortBuffer, Dtype.BF16, 2, 32000);
 * try (Context ctx = new Context()) {
 *     List<Blend> blends = ctx.solve(student, teacher, 0.05);
 *     List<Draw> draws = ctx.sample(student, teacher, blends, null);
 *     Losses losses = ctx.reverseKl(student, teacher, null, null, Logits.allocate(2, 32000));
 * }
 * }</pre>
 *
 * <ul>
 *   <li>It needs a JDK from 17 on and JNA from 5.13 on.
 *   <li>The system property {@code trb.library}, or the variable TRB_LIBRARY, names libtrb.so if it is not where JNA
 *       looks. Its version and the sizes of its structs are checked by the first context.
 *   <li>Logits are views of direct buffers or of JNA's Memory, never copied; arrays on the heap move, so they are
 *       copied, and only by {@link trb.Logits#copyOf}. Lengths are checked here, everything else by the library.
 *   <li>Options are objects with public fields. What is not set, and null for all of them, is the library's default.
 *   <li>Errors are {@link trb.TrbException}s with the library's text. {@link trb.BadRowsException} carries the result,
 *       in which all other rows are good.
 *   <li>A context serves one call at a time; a second one, also from a callback of the first, is refused with an
 *       IllegalStateException and not queued. Any thread may use it after another: give each thread its own context.
 *   <li>Contexts and rollouts hold memory of the library until {@code close()}, or until they are collected.
 *   <li>Sequences, rows and tokens count from 0, as in the library's texts.
 * </ul>
 *
 * Left to the functions of {@link trb.Declarations}, with {@code Context.pointer()} and {@code Rollouts.pointer()}:
 * heads, trb_continuation_gain, threads and an allocator of one's own.
 */
package trb;
