/* span.hpp - a borrowed array; std::span is of C++20. */
#ifndef TRB_SPAN_HPP
#define TRB_SPAN_HPP

#include <cassert>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace trb {

/** A borrowed array, made of whatever has data and size: std::vector, std::array, std::span, another span. */
template <class T> class span {
public:
  constexpr span() noexcept = default;
  constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

  template <class C, class From = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>,
            class = std::enable_if_t<std::is_convertible_v<From (*)[], T (*)[]>>>
  constexpr span(C &&of) : data_(std::data(of)), size_(std::size(of)) {}

  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }
  constexpr T &operator[](std::size_t i) const { return assert(i < size_), data_[i]; }

private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace trb

#endif
