/* sparse.hpp - a teacher known in part: solve, sample and reverse KL on listed log-probabilities. */
#ifndef TRB_SPARSE_HPP
#define TRB_SPARSE_HPP

#include <cstdint>
#include <string>

#include "blend.hpp"
#include "loss.hpp"

namespace trb {

/** Listed log-probabilities of a teacher: `k` a row, or those that `offset` says. */
struct sparse {
  span<const std::int64_t> ids;
  span<const float> log_q;
  span<const std::int64_t> offset{}; /**< [rows + 1], or empty */
  std::int64_t k = 0;
  double least_rest = 0.0;

  trb_sparse get(std::int64_t rows) const {
    const std::int64_t n = detail::length(ids);
    detail::exactly("teacher.log_q", log_q, n);
    if (offset.empty()) {
      if (k < 0 || (k == 0 ? n != 0 : n % k != 0 || n / k != rows))
        detail::refuse("teacher.ids: expected " + std::to_string(rows) + " lists of " + std::to_string(k) + ", got " +
                       std::to_string(n) + " elements");
    } else {
      detail::exactly("teacher.offset", offset, rows + 1);
      if (offset[0] < 0 || offset[offset.size() - 1] > n)
        detail::refuse("teacher.offset: expected numbers in [0, " + std::to_string(n) + "], got " +
                       std::to_string(offset[0]) + " to " + std::to_string(offset[offset.size() - 1]));
    }
    return {ids.data(), log_q.data(), offset.data(), k, least_rest};
  }
};

/** As solve. */
inline void solve_sparse(context &ctx, const logits &student, const sparse &teacher, const per_row &budget,
                         const solve_options &options, span<trb_sparse_blend> out) {
  const trb_sparse lists = teacher.get(student.rows());
  const trb_solve_options raw = detail::raw(options);
  ctx.check(trb_solve_sparse(ctx.get(), student.get(), &lists, budget.data(), budget.size(), &raw,
                             detail::exactly("out", out, student.rows())));
}

/** As sample. */
inline void sample_sparse(context &ctx, const logits &student, const sparse &teacher,
                          span<const trb_sparse_blend> blend, const sampler &how, span<trb_draw> out) {
  const std::int64_t rows = student.rows();
  const trb_sparse lists = teacher.get(rows);
  const trb_sampler raw = detail::raw(how, rows);
  ctx.check(trb_sample_sparse(ctx.get(), student.get(), &lists, detail::exactly("blend", blend, rows), &raw,
                              detail::exactly("out", out, rows)));
}

/** As reverse_kl, on the list: `options` chooses the form. */
inline void reverse_kl_sparse(context &ctx, const logits &student, const sparse &teacher, span<const double> weight,
                              const loss_options &options, const loss_outputs &out) {
  const std::int64_t rows = student.rows();
  const trb_sparse lists = teacher.get(rows);
  const trb_loss_options raw = detail::raw(options, rows);
  ctx.check(trb_reverse_kl_sparse(ctx.get(), student.get(), &lists, detail::if_given("weight", weight, rows), &raw,
                                  detail::if_given("loss", out.loss, rows), detail::get(out.grad),
                                  detail::if_given("rows", out.rows, rows)));
}

} // namespace trb

#endif
