/* training.hpp - one step's loss and gradient on a batch of rollouts. */
#ifndef TRB_TRAINING_HPP
#define TRB_TRAINING_HPP

#include <cstdint>
#include <variant>

#include "loss.hpp"
#include "rollouts.hpp"

namespace trb {

enum class norm : std::int32_t { tokens = TRB_NORM_TOKENS, sequences = TRB_NORM_SEQUENCES, none = TRB_NORM_NONE };

struct train_options {
  std::variant<loss_options, divergence_options, term_options> objective{}; /**< its type says which; ids [tokens, k] */
  span<const double> weight{};                                              /**< [tokens], or empty for ones */
  trb::norm norm = trb::norm::tokens;
  double scale = 1.0;
  double bridge = 0.0; /**< 0: q itself */
  dtype grad_dtype = dtype::f32;
  bool evaluate = false;
  bool routed = false;
  std::int64_t batch_bytes = 0;
  trb::progress progress{};
};

struct train_outputs {
  span<double> loss{};       /**< [tokens] or empty */
  span<trb_loss_row> rows{}; /**< [tokens] or empty */
  trb_train_report report = detail::sized<trb_train_report>();
};

/** One step's loss and gradient on a batch of rollouts; the optimizer is the caller's. */
inline void train_step(context &ctx, model *student, model *teacher, const rollouts &of, const train_options &options,
                       train_outputs &out) {
  callbacks call(student, teacher, options.progress);
  const std::int64_t n = of.tokens();
  trb_loss_options loss{};
  trb_divergence_options divergence{};
  trb_term_options terms{};
  auto raw = detail::sized<trb_train_options>();
  if (const auto *kl = std::get_if<loss_options>(&options.objective)) {
    loss = detail::raw(*kl, n);
    raw.objective = TRB_OBJECTIVE_REVERSE_KL;
    raw.reverse_kl = &loss;
  } else if (const auto *other = std::get_if<divergence_options>(&options.objective)) {
    divergence = detail::raw(*other);
    raw.objective = TRB_OBJECTIVE_DIVERGENCE;
    raw.divergence = &divergence;
  } else {
    terms = detail::raw(std::get<term_options>(options.objective));
    raw.objective = TRB_OBJECTIVE_TOKEN;
    raw.token = &terms;
  }
  raw.weight = detail::if_given("weight", options.weight, n);
  raw.norm = static_cast<std::int32_t>(options.norm);
  raw.scale = options.scale;
  raw.bridge = options.bridge;
  raw.grad_dtype = static_cast<std::int32_t>(options.grad_dtype);
  raw.evaluate = options.evaluate;
  raw.routed = options.routed;
  raw.batch_bytes = options.batch_bytes;
  raw.progress = call.progress_fn();
  raw.progress_user = &call;
  call.check(ctx,
             trb_train_step(ctx.get(), call.student(), call.teacher(), of.get(), &raw,
                            detail::if_given("loss", out.loss, n), detail::if_given("rows", out.rows, n), &out.report));
}

} // namespace trb

#endif
