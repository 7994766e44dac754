/* loss.hpp - divergences and sampled-token terms, with their gradients. */
#ifndef TRB_LOSS_HPP
#define TRB_LOSS_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "logits.hpp"

namespace trb {

enum class form : std::int32_t {
  full = TRB_FORM_FULL,
  truncated = TRB_FORM_TRUNCATED,
  renormalized = TRB_FORM_RENORMALIZED,
  tail_bucket = TRB_FORM_TAIL_BUCKET,
  generalized = TRB_FORM_GENERALIZED
};

enum class support : std::int32_t {
  all = TRB_SUPPORT_ALL,
  student_top_k = TRB_SUPPORT_STUDENT_TOP_K,
  teacher_top_k = TRB_SUPPORT_TEACHER_TOP_K,
  ids = TRB_SUPPORT_IDS
};

enum class divergence_kind : std::int32_t { forward_kl = TRB_DIVERGENCE_FORWARD_KL, jsd = TRB_DIVERGENCE_JSD };

enum class estimator : std::int32_t {
  advantage = TRB_ESTIMATOR_ADVANTAGE,
  k1 = TRB_ESTIMATOR_K1,
  k2 = TRB_ESTIMATOR_K2,
  k3 = TRB_ESTIMATOR_K3,
  nll = TRB_ESTIMATOR_NLL
};

struct loss_options {
  trb::form form = trb::form::full;
  trb::support support = trb::support::all;
  std::int64_t k = 0;
  span<const std::int64_t> ids{}; /**< [rows, k] with support::ids */
};

struct divergence_options {
  divergence_kind kind = divergence_kind::forward_kl;
  double b = 0.0;
};

struct term_options {
  trb::estimator estimator = trb::estimator::advantage;
  double ratio_low = 0.0;
  double ratio_high = 0.0;
  double advantage_limit = 0.0;
};

/** What a loss writes; what is left out is not computed, but not all may be. */
struct loss_outputs {
  span<double> loss{}; /**< [rows], not weighted */
  std::optional<mutable_logits>
      grad{};                /**< [rows, vocab] of the weighted loss; may be the student's or teacher's own */
  span<trb_loss_row> rows{}; /**< [rows] */
};

namespace detail {

inline trb_loss_options raw(const loss_options &of, std::int64_t rows) {
  auto made = sized<trb_loss_options>();
  made.form = static_cast<std::int32_t>(of.form);
  made.support = static_cast<std::int32_t>(of.support);
  made.k = of.k;
  made.ids = of.ids.data();
  const std::int64_t n = length(of.ids);
  if (of.support == support::ids && of.k > 0 && (n % of.k != 0 || n / of.k != rows))
    refuse("ids: expected " + std::to_string(rows) + " lists of " + std::to_string(of.k) + ", got " +
           std::to_string(n) + " elements");
  return made;
}

inline trb_divergence_options raw(const divergence_options &of) {
  auto made = sized<trb_divergence_options>();
  made.kind = static_cast<std::int32_t>(of.kind);
  made.b = of.b;
  return made;
}

inline trb_term_options raw(const term_options &of) {
  auto made = sized<trb_term_options>();
  made.estimator = static_cast<std::int32_t>(of.estimator);
  made.ratio_low = of.ratio_low;
  made.ratio_high = of.ratio_high;
  made.advantage_limit = of.advantage_limit;
  return made;
}

} // namespace detail

/** Reverse KL of every row and its exact gradient.
 *  @param weight [rows], or empty for ones */
inline void reverse_kl(context &ctx, const logits &student, const logits &teacher, span<const double> weight,
                       const loss_options &options, const loss_outputs &out) {
  const std::int64_t rows = student.rows();
  const trb_loss_options raw = detail::raw(options, rows);
  ctx.check(trb_reverse_kl(ctx.get(), student.get(), teacher.get(), detail::if_given("weight", weight, rows), &raw,
                           detail::if_given("loss", out.loss, rows), detail::get(out.grad),
                           detail::if_given("rows", out.rows, rows)));
}

/** Forward KL or Jensen-Shannon divergence, likewise. */
inline void divergence(context &ctx, const logits &student, const logits &teacher, span<const double> weight,
                       const divergence_options &options, const loss_outputs &out) {
  const std::int64_t rows = student.rows();
  const trb_divergence_options raw = detail::raw(options);
  ctx.check(trb_divergence(ctx.get(), student.get(), teacher.get(), detail::if_given("weight", weight, rows), &raw,
                           detail::if_given("loss", out.loss, rows), detail::get(out.grad),
                           detail::if_given("rows", out.rows, rows)));
}

struct sampled {
  span<const std::int64_t> token;    /**< [rows] */
  span<const double> log_behavior{}; /**< [rows], or empty: the student itself drew them */
};

/** An estimate of the reverse KL from one token per row, and its gradient.
 *  @param teacher std::nullopt for estimator::nll alone */
inline void token_terms(context &ctx, const logits &student, const std::optional<logits> &teacher,
                        const sampled &tokens, span<const double> weight, const term_options &options,
                        span<trb_term> out, const std::optional<mutable_logits> &grad) {
  const std::int64_t rows = student.rows();
  const trb_term_options raw = detail::raw(options);
  ctx.check(trb_token_terms(
      ctx.get(), student.get(), detail::get(teacher), detail::exactly("token", tokens.token, rows),
      detail::if_given("log_behavior", tokens.log_behavior, rows), detail::if_given("weight", weight, rows), &raw,
      detail::exactly("out", out, rows), detail::get(grad)));
}

} // namespace trb

#endif
