/* error.hpp - what is thrown, and the checks of lengths. */
#ifndef TRB_ERROR_HPP
#define TRB_ERROR_HPP

#include <cstdint>
#include <stdexcept>
#include <string>

#include <trb.h>

#include "span.hpp"

namespace trb {

/** A call that failed; the text says which argument, what was expected and what came. */
class error : public std::runtime_error {
public:
  error(trb_status status, const std::string &text) : std::runtime_error(text), status_(status) {}
  trb_status status() const noexcept { return status_; }

private:
  trb_status status_;
};

/** Some rows hold no result, as their status says. All others were written. */
class bad_rows : public error {
public:
  explicit bad_rows(const std::string &text) : error(TRB_EROWS, text) {}
};

namespace detail {

[[noreturn]] inline void refuse(const std::string &text) {
  throw error(TRB_EINVAL, text);
}

/** A list that is as long as it must be. */
template <class T> T *exactly(const char *name, span<T> list, std::int64_t n) {
  if (n < 0 || list.size() != static_cast<std::uint64_t>(n))
    refuse(std::string(name) + ": expected " + std::to_string(n) + " elements, got " + std::to_string(list.size()));
  return list.data();
}

/** Likewise, but it may be left out. */
template <class T> T *if_given(const char *name, span<T> list, std::int64_t n) {
  return list.empty() ? nullptr : exactly(name, list, n);
}

template <class T> std::int64_t length(span<T> list) {
  return static_cast<std::int64_t>(list.size());
}

/** An options struct of trb.h, or a record that says its size. */
template <class T> T sized() {
  T made{};
  made.size = sizeof made;
  return made;
}

} // namespace detail

} // namespace trb

#endif
