/* blend.hpp - the blend: solve for it, write it out, draw from it, verify proposals against it. */
#ifndef TRB_BLEND_HPP
#define TRB_BLEND_HPP

#include <cstdint>
#include <optional>
#include <type_traits>

#include "logits.hpp"

namespace trb {

enum class method : std::int32_t { newton = TRB_METHOD_NEWTON, bisection = TRB_METHOD_BISECTION };

struct solve_options {
  double tolerance = 0.0;
  trb::method method = trb::method::newton;
};

struct sampler {
  std::uint64_t seed = 0;
  span<const std::uint64_t> stream{}; /**< one per row (rollouts: per sequence), or none */
  span<const std::int64_t> index{};   /**< one per row (rollouts: none), or none */
  std::int64_t top_k = 0;
  double top_p = 0.0;
  double min_p = 0.0;
  bool greedy = false;
  std::int32_t purpose = 0;
};

/** A budget or a weight of the teacher: one number for all rows, or one for each. */
class per_row {
public:
  per_row(double one) : one_(one) {}
  template <class C, class = std::enable_if_t<std::is_constructible_v<span<const double>, const C &>>>
  per_row(const C &each) : each_(span<const double>(each)) {}

  const double *data() const { return each_ ? each_->data() : &one_; }
  std::int64_t size() const { return each_ ? detail::length(*each_) : 1; }

private:
  double one_ = 0.0;
  std::optional<span<const double>> each_;
};

namespace detail {

inline trb_solve_options raw(const solve_options &of) {
  auto made = sized<trb_solve_options>();
  made.tolerance = of.tolerance;
  made.method = static_cast<std::int32_t>(of.method);
  return made;
}

/** NULL for defaults, where options are refused if they have no use. */
inline const trb_solve_options *unless_default(const trb_solve_options &of) {
  return of.tolerance == 0.0 && of.method == TRB_METHOD_NEWTON ? nullptr : &of;
}

inline trb_sampler raw(const sampler &of, std::int64_t rows) {
  auto made = sized<trb_sampler>();
  made.seed = of.seed;
  made.stream = if_given("sampler.stream", of.stream, rows);
  made.index = if_given("sampler.index", of.index, rows);
  made.top_k = of.top_k;
  made.top_p = of.top_p;
  made.min_p = of.min_p;
  made.greedy = of.greedy;
  made.purpose = of.purpose;
  return made;
}

} // namespace detail

/** The behavior closest to the teacher within the budget.
 *  @param teacher std::nullopt if every budget is 0
 *  @param out     [rows] */
inline void solve(context &ctx, const logits &student, const std::optional<logits> &teacher, const per_row &budget,
                  const solve_options &options, span<trb_blend> out) {
  const trb_solve_options raw = detail::raw(options);
  ctx.check(trb_solve(ctx.get(), student.get(), detail::get(teacher), budget.data(), budget.size(), &raw,
                      detail::exactly("out", out, student.rows())));
}

/** The same records for weights of the teacher that the caller chose. */
inline void blend_at(context &ctx, const logits &student, const std::optional<logits> &teacher, const per_row &beta,
                     span<trb_blend> out) {
  ctx.check(trb_blend_at(ctx.get(), student.get(), detail::get(teacher), beta.data(), beta.size(),
                         detail::exactly("out", out, student.rows())));
}

/** log mu, for blends of these logits. */
inline void write_blend(context &ctx, const logits &student, const std::optional<logits> &teacher,
                        span<const trb_blend> blend, const mutable_logits &out) {
  ctx.check(trb_write_blend(ctx.get(), student.get(), detail::get(teacher),
                            detail::exactly("blend", blend, student.rows()), out.get()));
}

/** One token per row from mu. */
inline void sample(context &ctx, const logits &student, const std::optional<logits> &teacher,
                   span<const trb_blend> blend, const sampler &how, span<trb_draw> out) {
  const std::int64_t rows = student.rows();
  const trb_sampler raw = detail::raw(how, rows);
  ctx.check(trb_sample(ctx.get(), student.get(), detail::get(teacher), detail::exactly("blend", blend, rows), &raw,
                       detail::exactly("out", out, rows)));
}

struct verify_options {
  solve_options solve{};
  trb::sampler sampler{};
  bool by_beta = false; /**< `budget` holds weights of the teacher */
};

/** Turns tokens that the student proposed into tokens distributed as mu: speculative sampling.
 *  @param blend [rows] or empty
 *  @param out   [rows] */
inline void verify(context &ctx, const logits &student, const std::optional<logits> &teacher, const texts &proposals,
                   const per_row &budget, const verify_options &options, span<trb_blend> blend, span<trb_verdict> out) {
  const std::int64_t rows = student.rows();
  const trb_solve_options solver = detail::raw(options.solve);
  const trb_sampler how = detail::raw(options.sampler, rows);
  const trb_texts blocks = proposals.get("proposals");
  auto raw = detail::sized<trb_verify_options>();
  raw.solve = detail::unless_default(solver);
  raw.sampler = &how;
  raw.behavior = options.by_beta ? TRB_BEHAVIOR_BETA : TRB_BEHAVIOR_BUDGET;
  ctx.check(trb_verify(ctx.get(), student.get(), detail::get(teacher), &blocks, budget.data(), budget.size(), &raw,
                       detail::if_given("blend", blend, rows), detail::exactly("out", out, rows)));
}

/** The entropy of each row, in nats. */
inline void entropy(context &ctx, const logits &of, span<double> out) {
  ctx.check(trb_entropy(ctx.get(), of.get(), detail::exactly("out", out, of.rows())));
}

} // namespace trb

#endif
