/* logits.hpp - views of logits and of token lists. */
#ifndef TRB_LOGITS_HPP
#define TRB_LOGITS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "context.hpp"

namespace trb {

enum class dtype : std::int32_t { f32 = TRB_F32, f16 = TRB_F16, bf16 = TRB_BF16 };

struct layout {
  std::int64_t rows;
  std::int64_t vocab;
  std::int64_t stride = 0;  /**< in elements; 0: vocab */
  float temperature = 1.0f; /**< logits are divided by it */
};

/** Logits for reading: a borrowed matrix of float, or of the bits of float16 or bfloat16. */
class logits {
public:
  logits(span<const float> data, const layout &of) : logits(data.data(), data.size(), dtype::f32, of) {}
  logits(span<const std::uint16_t> bits, dtype type, const layout &of) : logits(bits.data(), bits.size(), type, of) {
    if (type == dtype::f32) detail::refuse("logits: expected dtype f16 or bf16 for elements of 16 bits, got f32");
  }

  std::int64_t rows() const noexcept { return raw_.rows; }
  std::int64_t vocab() const noexcept { return raw_.vocab; }
  const trb_logits *get() const noexcept { return &raw_; }

  /** Row r: T is float for f32, std::uint16_t for the others. */
  template <class T> span<const T> row(std::int64_t r) const { return {at<T>(r), static_cast<std::size_t>(vocab())}; }

protected:
  explicit logits(const trb_logits &raw) : raw_(raw) {}

  template <class T> T *at(std::int64_t r) const {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::uint16_t>);
    if (std::is_same_v<T, float> != (raw_.dtype == TRB_F32))
      detail::refuse("row: expected float for f32 and std::uint16_t for f16 and bf16");
    if (r < 0 || r >= raw_.rows)
      detail::refuse("row: expected one of " + std::to_string(raw_.rows) + ", got " + std::to_string(r));
    return static_cast<T *>(raw_.data) + r * raw_.stride;
  }

private:
  logits(const void *data, std::size_t size, dtype type, const layout &of) : raw_{} {
    raw_.data = const_cast<void *>(data); /* the library writes through mutable_logits alone */
    raw_.rows = of.rows;
    raw_.vocab = of.vocab;
    raw_.stride = of.stride == 0 ? of.vocab : of.stride;
    raw_.dtype = static_cast<std::int32_t>(type);
    raw_.temperature = of.temperature;
    const auto elements = static_cast<std::int64_t>(size);
    if (raw_.rows < 1 || raw_.vocab < 1 || raw_.stride < raw_.vocab) return; /* the library refuses to read it */
    if (elements < raw_.vocab || raw_.rows - 1 > (elements - raw_.vocab) / raw_.stride)
      detail::refuse("logits: expected " + std::to_string(raw_.rows) + " rows of stride " +
                     std::to_string(raw_.stride) + ", got " + std::to_string(size) + " elements");
  }

  trb_logits raw_;
};

/** Logits for reading and writing. */
class mutable_logits : public logits {
public:
  mutable_logits(span<float> data, const layout &of) : logits(data, of) {}
  mutable_logits(span<std::uint16_t> bits, dtype type, const layout &of) : logits(bits, type, of) {}

  /** What the library hands to a callback. */
  explicit mutable_logits(const trb_logits &raw) : logits(raw) {}

  template <class T> span<T> row(std::int64_t r) const { return {at<T>(r), static_cast<std::size_t>(vocab())}; }
};

namespace detail {

template <class View> const trb_logits *get(const std::optional<View> &view) {
  return view ? view->get() : nullptr;
}

} // namespace detail

/** Token lists, one behind the other: list i is tokens[offset[i]] to tokens[offset[i + 1] - 1]. */
struct texts {
  span<const std::int64_t> tokens;
  span<const std::int64_t> offset; /**< [lists + 1] */

  trb_texts get(const char *name) const {
    if (offset.empty()) return {tokens.data(), nullptr, 0};
    for (std::int64_t at : offset)
      if (at < 0 || at > detail::length(tokens))
        detail::refuse(std::string(name) + ".offset: expected numbers in [0, " + std::to_string(tokens.size()) +
                       "], got " + std::to_string(at));
    return {tokens.data(), offset.data(), detail::length(offset) - 1};
  }
};

inline void mask_tokens(context &ctx, const mutable_logits &inout, span<const std::int64_t> ids) {
  ctx.check(trb_mask_tokens(ctx.get(), inout.get(), ids.data(), detail::length(ids)));
}

inline void merge_tokens(context &ctx, const mutable_logits &inout, span<const std::int64_t> from,
                         span<const std::int64_t> to) {
  const std::int64_t n = detail::length(from);
  ctx.check(trb_merge_tokens(ctx.get(), inout.get(), from.data(), detail::exactly("to", to, n), n));
}

} // namespace trb

#endif
