/* rollouts.hpp - rollouts: sample them, score them, sum them up. */
#ifndef TRB_ROLLOUTS_HPP
#define TRB_ROLLOUTS_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "blend.hpp"
#include "model.hpp"

namespace trb {

enum class behavior : std::int32_t {
  budget = TRB_BEHAVIOR_BUDGET,
  beta = TRB_BEHAVIOR_BETA,
  student = TRB_BEHAVIOR_STUDENT,
  teacher = TRB_BEHAVIOR_TEACHER,
  skd = TRB_BEHAVIOR_SKD
};

/** End-of-text tokens that mean the same: teacher[i] is merged into student[i]. */
struct ends {
  span<const std::int64_t> student{};
  span<const std::int64_t> teacher{};

  trb_ends get() const {
    const std::int64_t n = detail::length(student);
    return {student.data(), detail::exactly("ends.teacher", teacher, n), n};
  }
};

struct rollout_options {
  trb::behavior behavior = trb::behavior::budget;
  double budget = 0.0;
  double beta = 0.0;
  double temperature = 0.0;
  std::int64_t top_k = 0;
  solve_options solve{};
  trb::sampler sampler{};
  span<const std::int64_t> stop{};
  trb::ends ends{};
  std::int64_t max_tokens = 0;
  std::int64_t max_length = 0;
  std::int64_t repeats = 1;
  std::int64_t batch = 0;
  std::int64_t block = 0;
  std::int64_t keep_bytes = 0;
  trb::progress progress{};
};

/** Sequences, and what is known of each sampled token. Spans live as long as the object. */
class rollouts {
public:
  rollouts() = default; /**< of no sequence, to be filled by trb::rollout */

  /** Of sequences that come from elsewhere.
   *  @param prompt_length one per text
   *  @param log_sampled   one per token of all responses, or empty */
  rollouts(context &ctx, const texts &all, span<const std::int64_t> prompt_length, span<const double> log_sampled = {},
           const trb::ends &same = {}) {
    const trb_texts lists = all.get("texts");
    const trb_ends raw_ends = same.get();
    detail::exactly("prompt_length", prompt_length, lists.n);
    if (!log_sampled.empty()) {
      std::int64_t sampled = lists.n > 0 ? lists.offset[lists.n] - lists.offset[0] : 0;
      for (std::int64_t prompt : prompt_length) {
        if (prompt < 0 || prompt > sampled) detail::refuse("prompt_length: expected at most the tokens of all texts");
        sampled -= prompt;
      }
      detail::exactly("log_sampled", log_sampled, sampled);
    }
    trb_rollouts *made = nullptr;
    const trb_status status =
        trb_rollouts_new(ctx.get(), &lists, prompt_length.data(), log_sampled.data(), &raw_ends, &made);
    raw_.reset(made);
    ctx.check(status);
  }

  /** Takes over what the library made. */
  explicit rollouts(trb_rollouts *made) : raw_(made) {}

  trb_rollouts *get() const noexcept { return raw_.get(); }
  std::int64_t size() const noexcept { return raw_ ? raw_->n : 0; }
  std::int64_t tokens() const noexcept { return raw_ ? raw_->n_tokens : 0; }

  /** Prompts with responses, as prompts to go on from. */
  texts whole() const {
    const auto bounds = list(&trb_rollouts::text_offset, size() + 1);
    return {bounds.empty() ? span<const std::int64_t>() : list(&trb_rollouts::text, bounds[bounds.size() - 1]), bounds};
  }

  span<const std::int64_t> text(std::int64_t i) const {
    return part(&trb_rollouts::text, &trb_rollouts::text_offset, i);
  }
  span<const std::int64_t> response(std::int64_t i) const {
    return part(&trb_rollouts::token, &trb_rollouts::offset, i);
  }

  span<const std::int64_t> offset() const { return list(&trb_rollouts::offset, size() + 1); }
  span<const std::uint64_t> stream() const { return list(&trb_rollouts::stream, size()); }
  span<const std::int32_t> stop() const { return list(&trb_rollouts::stop, size()); }
  span<const std::int32_t> row() const { return list(&trb_rollouts::row, size()); }

  span<const std::int64_t> token() const { return list(&trb_rollouts::token, tokens()); }
  span<const double> log_sampled() const { return list(&trb_rollouts::log_sampled, tokens()); }
  span<const double> log_behavior() const { return list(&trb_rollouts::log_behavior, tokens()); }
  span<const double> log_student() const { return list(&trb_rollouts::log_student, tokens()); }
  span<const double> log_teacher() const { return list(&trb_rollouts::log_teacher, tokens()); }
  span<const double> beta() const { return list(&trb_rollouts::beta, tokens()); }
  span<const double> kl_student() const { return list(&trb_rollouts::kl_student, tokens()); }
  span<const double> kl_teacher() const { return list(&trb_rollouts::kl_teacher, tokens()); }
  span<const double> reverse_kl() const { return list(&trb_rollouts::reverse_kl, tokens()); }
  span<const double> entropy_student() const { return list(&trb_rollouts::entropy_student, tokens()); }
  span<const double> entropy_teacher() const { return list(&trb_rollouts::entropy_teacher, tokens()); }
  span<const double> tv() const { return list(&trb_rollouts::tv, tokens()); }
  span<const std::int64_t> argmax_teacher() const { return list(&trb_rollouts::argmax_teacher, tokens()); }
  span<const std::int32_t> status() const { return list(&trb_rollouts::status, tokens()); }
  span<const std::int32_t> verdict() const { return list(&trb_rollouts::verdict, tokens()); }

private:
  template <class T> using field = const T *trb_rollouts::*;

  template <class T> span<const T> list(field<T> of, std::int64_t n) const {
    return raw_ ? span<const T>(raw_.get()->*of, static_cast<std::size_t>(n)) : span<const T>();
  }

  span<const std::int64_t> part(field<std::int64_t> of, field<std::int64_t> offset, std::int64_t i) const {
    if (i < 0 || i >= size())
      detail::refuse("rollouts: expected one of " + std::to_string(size()) + " sequences, got " + std::to_string(i));
    const std::int64_t *bounds = raw_.get()->*offset + i;
    return {raw_.get()->*of + bounds[0], static_cast<std::size_t>(bounds[1] - bounds[0])};
  }

  struct end {
    void operator()(trb_rollouts *made) const noexcept { trb_rollouts_free(made); }
  };
  std::unique_ptr<trb_rollouts, end> raw_;
};

/** Samples a response to every prompt. A model that mu does not need may be NULL. After bad_rows, or the exception of
 *  a callback, `out` holds all that was sampled. */
inline void rollout(context &ctx, model *student, model *teacher, const texts &prompts, const rollout_options &options,
                    rollouts &out) {
  callbacks call(student, teacher, options.progress);
  const trb_texts lists = prompts.get("prompts");
  const trb_solve_options solver = detail::raw(options.solve);
  trb::sampler filters = options.sampler;
  const span<const std::uint64_t> stream = std::exchange(filters.stream, {});
  trb_sampler how = detail::raw(filters, 0); /* which has no index */
  if (!stream.empty()) {
    if (options.repeats < 1 || detail::length(stream) % options.repeats != 0 ||
        detail::length(stream) / options.repeats != lists.n)
      detail::refuse("sampler.stream: expected one per sequence (" + std::to_string(lists.n) + " prompts, " +
                     std::to_string(options.repeats) + " repeats), got " + std::to_string(stream.size()));
    how.stream = stream.data();
  }
  const trb_ends same = options.ends.get();
  auto raw = detail::sized<trb_rollout_options>();
  raw.behavior = static_cast<std::int32_t>(options.behavior);
  raw.budget = options.budget;
  raw.beta = options.beta;
  raw.temperature = options.temperature;
  raw.top_k = options.top_k;
  raw.solve = detail::unless_default(solver);
  raw.sampler = &how;
  raw.stop = options.stop.data();
  raw.n_stop = detail::length(options.stop);
  raw.ends = same.n > 0 ? &same : nullptr;
  raw.max_tokens = options.max_tokens;
  raw.max_length = options.max_length;
  raw.repeats = options.repeats;
  raw.batch = options.batch;
  raw.block = options.block;
  raw.keep_bytes = options.keep_bytes;
  raw.progress = call.progress_fn();
  raw.progress_user = &call;
  trb_rollouts *made = nullptr;
  const trb_status status = trb_rollout(ctx.get(), call.student(), call.teacher(), &lists, &raw, &made);
  out = rollouts(made);
  call.check(ctx, status);
}

struct score_options {
  std::int64_t batch_bytes = 0;
  std::int64_t keep_bytes = 0;
  trb::progress progress{};
};

/** Asks the models about sampled tokens that they have not seen. NULL: not asked. */
inline void score(context &ctx, model *student, model *teacher, const score_options &options, rollouts &inout) {
  callbacks call(student, teacher, options.progress);
  auto raw = detail::sized<trb_score_options>();
  raw.batch_bytes = options.batch_bytes;
  raw.keep_bytes = options.keep_bytes;
  raw.progress = call.progress_fn();
  raw.progress_user = &call;
  call.check(ctx, trb_score(ctx.get(), call.student(), call.teacher(), &raw, inout.get()));
}

/** What a trainer logs of a batch of rollouts. */
inline trb_totals totals(context &ctx, const rollouts &of) {
  auto out = detail::sized<trb_totals>();
  ctx.check(trb_rollouts_totals(ctx.get(), of.get(), &out));
  return out;
}

/** Mean of log q - log p over the tokens of each sequence. */
inline void sequence_scores(context &ctx, const rollouts &of, span<double> out) {
  ctx.check(trb_sequence_scores(ctx.get(), of.get(), detail::exactly("out", out, of.size())));
}

} // namespace trb

#endif
