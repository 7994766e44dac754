/* context.hpp - threads, instruction set and the text of the last error. */
#ifndef TRB_CONTEXT_HPP
#define TRB_CONTEXT_HPP

#include <cstdint>
#include <memory>
#include <string>

#include "error.hpp"

namespace trb {

enum class isa : std::int32_t {
  automatic = TRB_ISA_AUTO,
  scalar = TRB_ISA_SCALAR,
  avx2 = TRB_ISA_AVX2,
  avx512 = TRB_ISA_AVX512,
  neon = TRB_ISA_NEON
};

struct context_options {
  std::int64_t threads = 1;
  trb::isa isa = trb::isa::automatic;
};

/** Serves one call at a time; none from within its own callbacks. */
class context {
public:
  explicit context(const context_options &options = {}) {
    if (trb_version() >> 16 != TRB_VERSION_MAJOR || (trb_version() >> 8 & 255) < TRB_VERSION_MINOR)
      detail::refuse("libtrb: expected version " + std::to_string(TRB_VERSION_MAJOR) + "." +
                     std::to_string(TRB_VERSION_MINOR) + " or later of the same major, got " +
                     std::to_string(trb_version() >> 16) + "." + std::to_string(trb_version() >> 8 & 255));
    char why[400] = "";
    auto raw = detail::sized<trb_context_options>();
    raw.threads = options.threads;
    raw.isa = static_cast<std::int32_t>(options.isa);
    raw.error = why;
    raw.error_bytes = sizeof why;
    trb_context *made = nullptr;
    const trb_status status = trb_context_new(&raw, &made);
    if (status != TRB_OK) throw error(status, *why ? why : trb_strerror(status));
    raw_.reset(made);
  }

  /** Takes over what trb_context_new made. */
  explicit context(trb_context *made) : raw_(made) {}

  trb_context *get() const noexcept { return raw_.get(); }
  trb::isa isa() const { return static_cast<trb::isa>(trb_context_isa(get())); }

  /** Throws what a status says of the last call. */
  void check(trb_status status) const {
    if (status == TRB_OK) return;
    const char *text = trb_context_error(get());
    if (*text == '\0') text = trb_strerror(status);
    if (status == TRB_EROWS) throw bad_rows(text);
    throw error(status, text);
  }

private:
  struct end {
    void operator()(trb_context *made) const noexcept { trb_context_free(made); }
  };
  std::unique_ptr<trb_context, end> raw_;
};

} // namespace trb

#endif
