/* schedule.hpp - a budget that anneals. */
#ifndef TRB_SCHEDULE_HPP
#define TRB_SCHEDULE_HPP

#include <cstdint>

#include "context.hpp"

namespace trb {

enum class anneal : std::int32_t {
  linear = TRB_SCHEDULE_LINEAR,
  constant = TRB_SCHEDULE_CONSTANT,
  cosine = TRB_SCHEDULE_COSINE,
  piecewise = TRB_SCHEDULE_PIECEWISE
};

struct schedule {
  anneal kind = anneal::linear;
  double initial = 0.0;
  std::int64_t steps = 0;
  span<const std::int64_t> at{}; /**< piecewise: step of each point */
  span<const double> budgets{};  /**< piecewise: its budget */
};

/** The budget of step k. */
inline double schedule_at(context &ctx, const schedule &of, std::int64_t k) {
  auto raw = detail::sized<trb_schedule>();
  raw.kind = static_cast<std::int32_t>(of.kind);
  raw.initial = of.initial;
  raw.steps = of.steps;
  raw.at = of.at.data();
  raw.points = detail::length(of.at);
  raw.budgets = detail::exactly("schedule.budgets", of.budgets, raw.points);
  double out = 0.0;
  ctx.check(trb_schedule_at(ctx.get(), &raw, k, &out));
  return out;
}

} // namespace trb

#endif
