/* trb.hpp - libtrb for C++17, in headers alone.
 *
 *     trb::context ctx;
 *     trb::logits student(s, {rows, vocab}), teacher(t, {rows, vocab});    // views of vectors of float
 *     std::vector<trb_blend> blends(rows);
 *     trb::solve(ctx, student, teacher, 0.05, {}, blends);
 *
 * C++17, because the programs that embed libtrb are built as that; in C++20 std::span and designated initializers fit.
 *
 * - Functions bear the names of trb.h, whose contract holds. Records that the library fills are its own structs;
 *   options are structs of these headers, whose lists know their lengths.
 * - What is passed in is borrowed for the call. A view must not outlive its memory.
 * - Results go into the caller's memory, last in a call. Where some rows hold none, trb::bad_rows is thrown after all
 *   others were written. Whatever else fails is a trb::error, with the library's text.
 * - Lengths are checked here, everything else by the library.
 * - An exception in a callback comes out of the call.
 *
 * Left to trb.h, by context::get and rollouts::get: heads, trb_auroc, trb_continuation_gain; and contexts with threads
 * or an allocator of one's own, which a trb::context takes over. */
#ifndef TRB_HPP
#define TRB_HPP

#include "trb/blend.hpp"
#include "trb/context.hpp"
#include "trb/loss.hpp"
#include "trb/rollouts.hpp"
#include "trb/schedule.hpp"
#include "trb/sparse.hpp"
#include "trb/training.hpp"

#endif
