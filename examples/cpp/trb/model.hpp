/* model.hpp - models of one's own, and what becomes of an exception in one. */
#ifndef TRB_MODEL_HPP
#define TRB_MODEL_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>

#include "logits.hpp"

namespace trb {

/** All tokens of the sequence that a query is about. */
inline span<const std::int64_t> tokens(const trb_query &query) {
  return {query.tokens, static_cast<std::size_t>(query.length)};
}

/** A model of one's own. Its functions may throw, and may not use the context of the call that they serve. */
class model {
public:
  explicit model(std::int64_t vocab, dtype type = dtype::f32, float temperature = 1.0f)
      : vocab_(vocab), type_(type), temperature_(temperature) {}
  virtual ~model() = default;

  /** Fills `out`: the next-token logits after each of the last query.rows tokens, of one query after the other. */
  virtual void forward(span<const trb_query> queries, const mutable_logits &out) = 0;

  /** Adds what follows from the gradient of the logits that forward just gave to that of the parameters. */
  virtual void backward(span<const trb_query> queries, const mutable_logits &grad) {
    (void)queries, (void)grad;
    throw std::logic_error("trb::model: expected a model with backward to train");
  }

private:
  friend class callbacks;
  std::int64_t vocab_;
  dtype type_;
  float temperature_;
};

/** Called with the sequences that are done and their number. May throw, to cancel. */
using progress = std::function<void(std::int64_t done, std::int64_t total)>;

/** What one call of the library calls back, and the exception that came out of it. */
class callbacks {
public:
  callbacks(model *student, model *teacher, const progress &told)
      : student_{this, student, {}}, teacher_{this, teacher, {}}, told_(told) {}
  callbacks(const callbacks &) = delete;
  callbacks &operator=(const callbacks &) = delete;

  const trb_model *student() { return student_.fill(); }
  const trb_model *teacher() { return teacher_.fill(); }
  trb_progress_fn progress_fn() const { return told_ ? report : nullptr; }

  /** Throws the exception of a callback again, or what the status says. */
  void check(const context &ctx, trb_status status) const {
    if (thrown_) std::rethrow_exception(thrown_);
    ctx.check(status);
  }

private:
  struct asked {
    callbacks *call;
    model *of;
    trb_model raw;

    const trb_model *fill() {
      if (of == nullptr) return nullptr;
      raw = detail::sized<trb_model>();
      raw.vocab = of->vocab_;
      raw.dtype = static_cast<std::int32_t>(of->type_);
      raw.temperature = of->temperature_;
      raw.forward = forward;
      raw.backward = backward;
      raw.user = this;
      return &raw;
    }
  };

  template <class F> std::int32_t guard(const F &run) noexcept {
    try {
      run();
      return TRB_CONTINUE;
    } catch (...) {
      thrown_ = std::current_exception();
      return 0;
    }
  }

  static std::int32_t forward(const trb_query *queries, std::int64_t n, const trb_logits *out, void *user) noexcept {
    auto *a = static_cast<asked *>(user);
    return a->call->guard([&] { a->of->forward({queries, static_cast<std::size_t>(n)}, mutable_logits(*out)); });
  }

  static std::int32_t backward(const trb_query *queries, std::int64_t n, const trb_logits *grad, void *user) noexcept {
    auto *a = static_cast<asked *>(user);
    return a->call->guard([&] { a->of->backward({queries, static_cast<std::size_t>(n)}, mutable_logits(*grad)); });
  }

  static std::int32_t report(std::int64_t done, std::int64_t total, void *user) noexcept {
    auto *call = static_cast<callbacks *>(user);
    return call->guard([&] { call->told_(done, total); });
  }

  asked student_, teacher_;
  const progress &told_;
  std::exception_ptr thrown_;
};

} // namespace trb

#endif
