/* test.cpp - the binding against computations of its own, and what goes wrong. */
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "trb.hpp"

/* ---- Checks ---------------------------------------------------------------------------------------------- */

struct failure {
  std::string text;
};

static void must(bool holds, const std::string &what) {
  if (!holds) throw failure{what};
}

static void near(double got, double wanted, double relative, const std::string &what) {
  must(std::fabs(got - wanted) <= relative * std::fabs(wanted),
       what + ": expected " + std::to_string(wanted) + ", got " + std::to_string(got));
}

/* The error that `run` ends with. */
template <class Error, class F> static Error thrown(const F &run) {
  try {
    run();
  } catch (const Error &e) {
    return e;
  }
  throw failure{"expected an exception"};
}

static void says(const trb::error &e, const std::string &text) {
  must(std::string(e.what()).find(text) != std::string::npos, "expected '" + text + "', got '" + e.what() + "'");
}

/* ---- Numbers --------------------------------------------------------------------------------------------- */

constexpr std::int64_t ROWS = 4, VOCAB = 300;

static std::size_t at(std::int64_t r, std::int64_t v) {
  return static_cast<std::size_t>(r * VOCAB + v);
}

static std::vector<float> random_logits(std::uint64_t seed) {
  std::vector<float> made(at(ROWS, 0));
  for (float &x : made) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    x = 4.0f * (static_cast<float>(seed >> 40) / 16777216.0f - 0.5f);
  }
  return made;
}

/* log p of a row. */
static std::vector<double> log_softmax(const std::vector<float> &logits, std::int64_t r) {
  std::vector<double> log_p(logits.begin() + r * VOCAB, logits.begin() + (r + 1) * VOCAB);
  double sum = 0.0;
  for (double x : log_p) sum += std::exp(x);
  for (double &x : log_p) x -= std::log(sum);
  return log_p;
}

/* log mu of a row, at a weight of the teacher. */
static std::vector<double> log_blend(const std::vector<double> &log_p, const std::vector<double> &log_q, double beta) {
  std::vector<double> log_mu(log_p.size());
  double z = 0.0;
  for (std::size_t v = 0; v < log_mu.size(); v++) {
    log_mu[v] = (1.0 - beta) * log_p[v] + beta * log_q[v];
    z += std::exp(log_mu[v]);
  }
  for (double &x : log_mu) x -= std::log(z);
  return log_mu;
}

static double kl(const std::vector<double> &log_a, const std::vector<double> &log_b) {
  double sum = 0.0;
  for (std::size_t v = 0; v < log_a.size(); v++) sum += std::exp(log_a[v]) * (log_a[v] - log_b[v]);
  return sum;
}

struct pair {
  std::vector<float> s = random_logits(1), t = random_logits(2);
  trb::logits student{s, {ROWS, VOCAB}}, teacher{t, {ROWS, VOCAB}};
  trb::context ctx;
  std::vector<trb_blend> blends{std::vector<trb_blend>(ROWS)};

  void solve(double budget) { trb::solve(ctx, student, teacher, budget, {}, blends); }
};

static const float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();

/* ---- The blend ------------------------------------------------------------------------------------------- */

static void solve_meets_its_budget() {
  pair m;
  m.solve(0.05);
  for (std::int64_t r = 0; r < ROWS; r++) {
    const trb_blend &blend = m.blends[static_cast<std::size_t>(r)];
    const auto log_p = log_softmax(m.s, r), log_q = log_softmax(m.t, r), log_mu = log_blend(log_p, log_q, blend.beta);
    must(blend.status == TRB_ROW_BLENDED, "status");
    near(blend.kl_student, kl(log_mu, log_p), 1e-5, "kl_student");
    near(blend.kl_student, 0.05, 1e-4, "budget");
    near(blend.reverse_kl, kl(log_p, log_q), 1e-5, "reverse_kl");
  }
}

static void budgets_of_each_row() {
  pair m;
  const std::array<double, ROWS> budget{0.0, 0.01, 0.1, std::numeric_limits<double>::infinity()};
  trb::solve(m.ctx, m.student, m.teacher, budget, {}, m.blends);
  must(m.blends[0].beta == 0.0 && m.blends[3].beta == 1.0, "beta at the ends");
  must(m.blends[1].beta < m.blends[2].beta, "beta grows");
  std::vector<trb_blend> again(ROWS);
  trb::blend_at(m.ctx, m.student, m.teacher, m.blends[2].beta, again);
  near(again[2].kl_student, m.blends[2].kl_student, 1e-6, "blend_at");
  trb::solve(m.ctx, m.student, std::nullopt, 0.0, {}, again);
  must(again[0].status == TRB_ROW_STUDENT, "no teacher");
}

static void write_blend_sums_to_one() {
  pair m;
  m.solve(0.05);
  std::vector<float> out(m.s.size());
  trb::mutable_logits written(out, {ROWS, VOCAB});
  trb::write_blend(m.ctx, m.student, m.teacher, m.blends, written);
  for (std::int64_t r = 0; r < ROWS; r++) {
    double sum = 0.0;
    for (float x : written.row<float>(r)) sum += std::exp(static_cast<double>(x));
    near(sum, 1.0, 1e-5, "sum of mu");
  }
}

static void samples_are_those_of_mu() {
  pair m;
  m.solve(0.05);
  trb::sampler how;
  how.seed = 7;
  std::vector<trb_draw> draws(ROWS), again(ROWS);
  trb::sample(m.ctx, m.student, m.teacher, m.blends, how, draws);
  trb::sample(m.ctx, m.student, m.teacher, m.blends, how, again);
  must(std::memcmp(draws.data(), again.data(), sizeof(trb_draw) * ROWS) == 0, "the same draws");
  for (std::int64_t r = 0; r < ROWS; r++) {
    const trb_draw &draw = draws[static_cast<std::size_t>(r)];
    const auto log_p = log_softmax(m.s, r), log_q = log_softmax(m.t, r);
    const auto log_mu = log_blend(log_p, log_q, m.blends[static_cast<std::size_t>(r)].beta);
    const auto token = static_cast<std::size_t>(draw.token);
    near(draw.log_behavior, log_mu[token], 1e-5, "log_behavior");
    near(draw.log_student, log_p[token], 1e-5, "log_student");
    near(draw.log_teacher, log_q[token], 1e-5, "log_teacher");
    must(draw.log_sampled == draw.log_behavior, "without a filter");
  }
}

static std::vector<std::int64_t> tokens_of(const std::vector<trb_draw> &draws) {
  std::vector<std::int64_t> tokens;
  for (const trb_draw &draw : draws) tokens.push_back(draw.token);
  return tokens;
}

static void a_sampler_is_heard() {
  pair m;
  m.solve(0.05);
  const auto drawn = [&](const trb::sampler &how) {
    std::vector<trb_draw> draws(ROWS);
    trb::sample(m.ctx, m.student, m.teacher, m.blends, how, draws);
    return draws;
  };
  const auto plain = tokens_of(drawn({}));
  const std::vector<std::uint64_t> streams{4, 5, 6, 7};
  const std::vector<std::int64_t> indices{1, 2, 3, 4};
  trb::sampler seed, stream, index, purpose, top_k, top_p, min_p, greedy;
  seed.seed = 1;
  stream.stream = streams;
  index.index = indices;
  purpose.purpose = 1;
  for (const trb::sampler &other : {seed, stream, index, purpose})
    must(plain != tokens_of(drawn(other)), "another random number");
  top_k.top_k = 3;
  top_p.top_p = min_p.min_p = 0.5;
  must(drawn(top_k)[0].kept == 3 && drawn(top_p)[0].kept < 200 && drawn(min_p)[0].kept < 200, "filters");
  greedy.greedy = true;
  top_k.top_k = 1;
  must(tokens_of(drawn(greedy)) == tokens_of(drawn(top_k)), "greedy");
}

static void verify_accepts_and_corrects() {
  pair m;
  std::vector<trb_draw> draws(ROWS);
  std::vector<trb_verdict> verdicts(ROWS);
  trb::solve(m.ctx, m.student, std::nullopt, 0.0, {}, m.blends);
  trb::sample(m.ctx, m.student, std::nullopt, m.blends, {}, draws);
  std::vector<std::int64_t> tokens = tokens_of(draws), offset{0, ROWS};
  trb::verify(m.ctx, m.student, std::nullopt, {tokens, offset}, 0.0, {}, {}, verdicts);
  for (const trb_verdict &v : verdicts) must(v.verdict == TRB_VERDICT_ACCEPTED, "mu is p: accepted");

  offset = {0, 1, 2, 3, 4}; /* blocks of one */
  trb::verify(m.ctx, m.student, m.teacher, {tokens, offset}, 0.5, {}, m.blends, verdicts);
  for (std::int64_t r = 0; r < ROWS; r++) {
    const auto i = static_cast<std::size_t>(r), token = static_cast<std::size_t>(tokens[i]);
    const auto log_p = log_softmax(m.s, r), log_mu = log_blend(log_p, log_softmax(m.t, r), m.blends[i].beta);
    near(verdicts[i].acceptance, std::min(1.0, std::exp(log_mu[token] - log_p[token])), 1e-5, "acceptance");
    must((verdicts[i].verdict == TRB_VERDICT_ACCEPTED) == (verdicts[i].draw.token == tokens[i]), "verdict");
  }
}

static void half_precision_is_read() {
  pair m;
  std::vector<std::uint16_t> bits;
  std::vector<float> cut = m.s;
  for (float &x : cut) { /* bfloat16 is the upper half of a float */
    std::uint32_t word;
    std::memcpy(&word, &x, sizeof word);
    bits.push_back(static_cast<std::uint16_t>(word >> 16));
    word &= 0xffff0000u;
    std::memcpy(&x, &word, sizeof word);
  }
  std::vector<double> exact(ROWS), half(ROWS);
  trb::entropy(m.ctx, trb::logits(cut, {ROWS, VOCAB}), exact);
  trb::entropy(m.ctx, trb::logits(bits, trb::dtype::bf16, {ROWS, VOCAB}), half);
  must(exact == half, "entropy of the same numbers");
  const auto log_p = log_softmax(cut, 0);
  double sum = 0.0;
  for (double x : log_p) sum -= std::exp(x) * x;
  near(exact[0], sum, 1e-6, "entropy");
}

static void schedule_anneals() {
  trb::context ctx;
  trb::schedule linear;
  linear.initial = 0.2;
  linear.steps = 10;
  near(trb::schedule_at(ctx, linear, 5), 0.1, 1e-12, "half way");
  must(trb::schedule_at(ctx, linear, 11) == 0.0, "the end");
}

/* ---- Losses ---------------------------------------------------------------------------------------------- */

static void gradient_is_that_of_the_loss() {
  pair m;
  std::vector<float> g(m.s.size());
  std::vector<double> loss(ROWS), weight(ROWS, 1.0);
  std::vector<trb_loss_row> rows(ROWS);
  weight[1] = 0.5;
  trb::reverse_kl(m.ctx, m.student, m.teacher, weight, {}, {loss, trb::mutable_logits(g, {ROWS, VOCAB}), rows});
  for (std::int64_t r = 0; r < 2; r++) {
    near(loss[static_cast<std::size_t>(r)], kl(log_softmax(m.s, r), log_softmax(m.t, r)), 1e-5, "loss");
    for (std::int64_t v = 0; v < 5; v++) {
      const float step = 1.0f / 64, kept = m.s[at(r, v)];
      std::array<double, ROWS> up{}, down{};
      m.s[at(r, v)] = kept + step;
      trb::reverse_kl(m.ctx, m.student, m.teacher, {}, {}, {up, {}, {}});
      m.s[at(r, v)] = kept - step;
      trb::reverse_kl(m.ctx, m.student, m.teacher, {}, {}, {down, {}, {}});
      m.s[at(r, v)] = kept;
      const auto i = static_cast<std::size_t>(r);
      const double slope = weight[i] * (up[i] - down[i]) / (2.0 * static_cast<double>(step));
      must(std::fabs(static_cast<double>(g[at(r, v)]) - slope) < 1e-6 + 1e-3 * std::fabs(slope), "gradient");
    }
  }
  must(rows[0].status == TRB_ROW_OK && rows[0].support == VOCAB, "rows");
}

static void a_loss_is_of_its_form_and_support() {
  pair m;
  const trb::layout warm{ROWS, VOCAB, 0, 2.0f};
  const trb::logits student(m.s, warm), teacher(m.t, warm);
  std::vector<trb_loss_row> rows(ROWS);
  trb::loss_options options;
  options.form = trb::form::tail_bucket;
  options.support = trb::support::student_top_k;
  options.k = 16;
  trb::reverse_kl(m.ctx, student, teacher, {}, options, {{}, {}, rows});
  std::vector<float> halved = m.s;
  for (float &x : halved) x /= 2.0f;
  auto log_p = log_softmax(halved, 0);
  std::sort(log_p.rbegin(), log_p.rend());
  double mass = 0.0;
  for (std::size_t v = 0; v < 16; v++) mass += std::exp(log_p[v]);
  must(rows[0].support == 16, "support");
  near(rows[0].mass_student, mass, 1e-5, "mass");

  const std::vector<std::int64_t> ids{1, 2, 3, 4, 5, 6, 7, 8};
  options.form = trb::form::generalized;
  options.support = trb::support::ids;
  options.k = 2;
  options.ids = ids;
  trb::reverse_kl(m.ctx, student, teacher, {}, options, {{}, {}, rows});
  must(rows[3].support == 2, "ids");
  options.k = 3;
  says(thrown<trb::error>([&] {
         trb::reverse_kl(m.ctx, student, teacher, {}, options, {{}, {}, rows});
       }),
       "ids: expected 4 lists of 3");
}

static void other_losses() {
  pair m;
  std::vector<double> loss(ROWS);
  std::vector<trb_term> terms(ROWS);
  const std::vector<std::int64_t> token{1, 2, 3, 4};
  trb::divergence(m.ctx, m.student, m.teacher, {}, {}, {loss, {}, {}});
  near(loss[0], kl(log_softmax(m.t, 0), log_softmax(m.s, 0)), 1e-5, "forward KL");
  trb::term_options k1;
  k1.estimator = trb::estimator::k1;
  trb::token_terms(m.ctx, m.student, m.teacher, {token}, {}, k1, terms, {});
  near(terms[2].value, log_softmax(m.s, 2)[3] - log_softmax(m.t, 2)[3], 1e-5, "K1");
}

static void sparse_teacher() {
  pair m;
  std::vector<std::int64_t> ids;
  std::vector<float> log_q;
  for (std::int64_t r = 0; r < ROWS; r++)
    for (std::int64_t v = 0; v < VOCAB; v++) {
      ids.push_back(v);
      log_q.push_back(static_cast<float>(log_softmax(m.t, r)[static_cast<std::size_t>(v)]));
    }
  trb::sparse lists{ids, log_q};
  lists.k = VOCAB; /* all of it: the same as a dense teacher */
  std::vector<trb_sparse_blend> blends(ROWS);
  std::vector<trb_draw> draws(ROWS);
  std::vector<double> loss(ROWS);
  m.solve(0.05);
  trb::solve_sparse(m.ctx, m.student, lists, 0.05, {}, blends);
  near(blends[0].blend.beta, m.blends[0].beta, 1e-3, "beta");
  trb::sample_sparse(m.ctx, m.student, lists, blends, {}, draws);
  near(draws[0].log_student, log_softmax(m.s, 0)[static_cast<std::size_t>(draws[0].token)], 1e-5, "log_student");
  trb::reverse_kl_sparse(m.ctx, m.student, lists, {}, {}, {loss, {}, {}});
  near(loss[0], kl(log_softmax(m.s, 0), log_softmax(m.t, 0)), 1e-4, "loss");
  lists.k = VOCAB + 1;
  says(thrown<trb::error>([&] { trb::solve_sparse(m.ctx, m.student, lists, 0.05, {}, blends); }), "teacher.ids");
}

/* ---- Errors ---------------------------------------------------------------------------------------------- */

static void errors_have_the_text_of_the_library() {
  pair m;
  const trb::logits narrow(m.s, {ROWS, VOCAB, VOCAB - 1});
  const auto stride = thrown<trb::error>([&] { trb::solve(m.ctx, narrow, m.teacher, 0.05, {}, m.blends); });
  must(stride.status() == TRB_EINVAL, "status");
  says(stride, "student->stride: expected at least vocab (300), got 299");
  says(thrown<trb::error>([&] { m.solve(-1.0); }), "budget");
  trb::context_options many;
  many.threads = 5000;
  says(thrown<trb::error>([&] { trb::context ctx(many); }), "threads");
}

static void lengths_are_checked() {
  pair m;
  says(thrown<trb::error>([&] { trb::logits(m.s, {ROWS + 1, VOCAB}); }), "logits: expected 5 rows");
  says(thrown<trb::error>([&] {
         trb::logits(m.s, {ROWS, VOCAB, std::numeric_limits<std::int64_t>::max()});
       }),
       "logits");
  m.blends.pop_back();
  says(thrown<trb::error>([&] { m.solve(0.05); }), "out: expected 4 elements, got 3");
  m.blends.resize(ROWS);
  const std::vector<std::uint64_t> stream(3);
  std::vector<trb_draw> draws(ROWS);
  trb::sampler how;
  how.stream = stream;
  m.solve(0.05);
  says(thrown<trb::error>([&] { trb::sample(m.ctx, m.student, m.teacher, m.blends, how, draws); }), "sampler.stream");
  const std::vector<std::int64_t> tokens(ROWS), offset{0, ROWS + 1};
  std::vector<trb_verdict> verdicts(ROWS);
  says(thrown<trb::error>([&] {
         trb::verify(m.ctx, m.student, m.teacher, {tokens, offset}, 0.1, {}, {}, verdicts);
       }),
       "proposals.offset");
  says(thrown<trb::error>([&] { m.student.row<float>(ROWS); }), "row");
  says(thrown<trb::error>([&] { m.student.row<std::uint16_t>(0); }), "row");
}

static void bad_rows_leave_the_others() {
  pair m;
  m.s[at(1, 5)] = NOT_A_NUMBER;
  const auto bad = thrown<trb::bad_rows>([&] { m.solve(0.05); });
  must(bad.status() == TRB_EROWS && *bad.what() != '\0', "status and text");
  must(m.blends[1].status == TRB_ROW_NOT_A_NUMBER && std::isnan(m.blends[1].beta), "the bad row");
  must(m.blends[0].status == TRB_ROW_BLENDED && m.blends[2].status == TRB_ROW_BLENDED, "the others");
}

/* ---- Models ---------------------------------------------------------------------------------------------- */

constexpr std::int64_t WORDS = 7;

struct stop_here {
  int number;
};

/* The logits of the next token depend on the last one alone. */
struct table : trb::model {
  std::vector<float> logits = std::vector<float>(WORDS * WORDS), grad = std::vector<float>(WORDS * WORDS);
  std::int64_t calls_left = std::numeric_limits<std::int64_t>::max();

  explicit table(std::int64_t shift) : model(WORDS) {
    for (std::int64_t a = 0; a < WORDS; a++) logits[static_cast<std::size_t>(a * WORDS + (a + shift) % WORDS)] = 2.0f;
  }

  template <class F> static void each_row(trb::span<const trb_query> queries, const F &visit) {
    std::int64_t row = 0;
    for (const trb_query &query : queries) {
      const auto all = trb::tokens(query);
      for (std::size_t i = all.size() - static_cast<std::size_t>(query.rows); i < all.size(); i++)
        visit(row++, static_cast<std::size_t>(all[i] * WORDS));
    }
  }

  void forward(trb::span<const trb_query> queries, const trb::mutable_logits &out) override {
    if (calls_left-- == 0) throw stop_here{42};
    each_row(queries, [&](std::int64_t row, std::size_t first) {
      std::copy_n(logits.data() + first, WORDS, out.row<float>(row).begin());
    });
  }

  void backward(trb::span<const trb_query> queries, const trb::mutable_logits &of) override {
    each_row(queries, [&](std::int64_t row, std::size_t first) {
      for (float g : of.row<float>(row)) grad[first++] += g;
    });
  }
};

static const std::vector<std::int64_t> PROMPTS{0, 3, 1}, OFFSET{0, 2, 3};

static trb::rollout_options eight_tokens(double budget) {
  trb::rollout_options options;
  options.budget = budget;
  options.max_tokens = 8;
  options.repeats = 3;
  options.sampler.seed = 5;
  return options;
}

static std::vector<std::int64_t> rolled(std::int64_t threads, const trb::rollout_options &options) {
  trb::context ctx(trb::context_options{threads});
  table student(1), teacher(3);
  trb::rollouts out;
  trb::rollout(ctx, &student, &teacher, {PROMPTS, OFFSET}, options, out);
  must(out.size() == 6 && out.tokens() == 48 && out.response(5).size() == 8, "sizes");
  return {out.token().begin(), out.token().end()};
}

static void rollouts_do_not_depend_on_how() {
  const auto tokens = rolled(1, eight_tokens(0.0));
  must(tokens == rolled(2, eight_tokens(0.0)), "threads");
  auto blocks = eight_tokens(0.0);
  blocks.block = 4;
  must(tokens == rolled(1, blocks), "block at budget 0");
  must(tokens != rolled(1, eight_tokens(0.5)), "the teacher is heard");
  must(rolled(1, eight_tokens(0.5)) == rolled(2, eight_tokens(0.5)), "threads, with a teacher");
  const std::vector<std::uint64_t> stream{0, 1, 2, 3, 4};
  blocks.sampler.stream = stream;
  says(thrown<trb::error>([&] { rolled(1, blocks); }), "sampler.stream");
}

static void rollout_options_are_heard() {
  trb::context ctx;
  table student(1), teacher(3);
  trb::rollouts out;
  const std::vector<std::int64_t> six{6}, two{2}, five{5};
  const trb::texts prompts{PROMPTS, OFFSET};
  auto options = eight_tokens(0.1);
  options.stop = six;
  options.ends = {two, five};
  options.block = 4;
  options.batch = 2;
  options.keep_bytes = 1 << 20;
  trb::rollout(ctx, &student, &teacher, prompts, options, out);
  must(out.get()->kept == out.tokens() && out.get()->proposed > 0, "kept and proposed");
  for (std::int32_t v : out.verdict())
    must(v == TRB_VERDICT_ACCEPTED || v == TRB_VERDICT_CORRECTED, "verdicts of blocks");
  for (std::int64_t i = 0; i < out.size(); i++) {
    const auto response = out.response(i);
    const std::int64_t last = response[response.size() - 1];
    must((out.stop()[static_cast<std::size_t>(i)] == TRB_STOP_TOKEN) == (last == 6 || last == 2), "stop");
    must(std::count(response.begin(), response.end(), 5) == 0, "the teacher's end");
  }
  options = eight_tokens(0.0);
  options.behavior = trb::behavior::beta;
  options.beta = 0.25;
  trb::rollout(ctx, &student, &teacher, prompts, options, out);
  for (double beta : out.beta()) must(beta == 0.25, "beta");
  options = eight_tokens(0.0);
  options.behavior = trb::behavior::skd;
  options.top_k = 1;
  options.temperature = 0.5;
  trb::rollout(ctx, &student, &teacher, prompts, options, out);
  says(thrown<trb::error>([&] { trb::rollout(ctx, &student, nullptr, prompts, options, out); }), "teacher");
}

static void exceptions_come_out_of_callbacks() {
  trb::context ctx;
  table student(1), teacher(3);
  trb::rollouts out;
  student.calls_left = 3;
  const auto e = thrown<stop_here>([&] {
    trb::rollout(ctx, &student, &teacher, {PROMPTS, OFFSET}, eight_tokens(0.1), out);
  });
  must(e.number == 42, "the same exception");
  must(out.tokens() == 18 && out.stop()[0] == TRB_STOP_NONE, "what was sampled until then");

  auto options = eight_tokens(0.1);
  options.progress = [](std::int64_t, std::int64_t total) { throw static_cast<int>(total); };
  student.calls_left = 1000;
  const int total = thrown<int>([&] { trb::rollout(ctx, &student, &teacher, {PROMPTS, OFFSET}, options, out); });
  must(total == 6, "progress");
}

static void a_rollout_says_which_sequence_is_bad() {
  trb::context ctx;
  table student(1), teacher(3);
  trb::rollouts out;
  student.logits[3 * WORDS] = NOT_A_NUMBER; /* after token 3: the first prompt's sequences */
  thrown<trb::bad_rows>([&] { trb::rollout(ctx, &student, &teacher, {PROMPTS, OFFSET}, eight_tokens(0.0), out); });
  must(out.stop()[0] == TRB_STOP_STUDENT && out.row()[0] == TRB_ROW_NOT_A_NUMBER, "the reason");
}

static void a_step_trains_the_model() {
  trb::context ctx;
  table student(1), teacher(3);
  trb::rollouts out;
  trb::rollout(ctx, &student, &teacher, {PROMPTS, OFFSET}, eight_tokens(0.1), out);
  std::vector<double> loss(48);
  trb::train_outputs step;
  step.loss = loss;
  trb::train_step(ctx, &student, &teacher, out, {}, step);
  const double before = step.report.loss;
  must(step.report.tokens == 48 && before > 0.0 && loss[47] > 0.0, "report");
  must(std::any_of(student.grad.begin(), student.grad.end(), [](float g) { return g != 0.0f; }), "gradient");
  for (std::size_t i = 0; i < student.logits.size(); i++) student.logits[i] -= student.grad[i];
  trb::train_step(ctx, &student, &teacher, out, {}, step);
  must(step.report.loss < before, "a step descends");

  trb::train_options tokens;
  tokens.objective = trb::term_options{};
  tokens.evaluate = true;
  const auto grad = student.grad;
  trb::train_step(ctx, &student, &teacher, out, tokens, step);
  must(std::isnan(step.report.entropy_student), "the objective token");
  must(grad == student.grad, "evaluate");

  trb::train_options two;
  std::vector<double> weight(48);
  weight[0] = weight[1] = 3.0;
  two.objective = trb::divergence_options{};
  two.weight = weight;
  two.norm = trb::norm::none;
  two.scale = 0.5;
  trb::train_step(ctx, &student, &teacher, out, two, step);
  must(step.report.tokens == 2, "weights");
  near(step.report.objective, 3.0 * step.report.loss, 1e-9, "2 tokens, 3 each, halved");
}

static void sequences_from_elsewhere() {
  trb::context ctx;
  table student(1), teacher(3);
  const std::vector<std::int64_t> length{1, 1};
  const std::vector<std::int64_t> tokens{0, 1, 2, 5, 6}, offset{0, 3, 5};
  trb::rollouts given(ctx, {tokens, offset}, length);
  trb::score(ctx, &student, &teacher, {}, given);
  must(given.tokens() == 3 && given.text(1)[1] == 6 && given.whole().tokens.size() == 5, "texts");
  std::vector<double> scores(2);
  trb::sequence_scores(ctx, given, scores);
  near(scores[1], given.log_teacher()[2] - given.log_student()[2], 1e-12, "score");
  must(trb::totals(ctx, given).tokens == 3, "totals");
  const std::vector<double> logs(2);
  says(thrown<trb::error>([&] { trb::rollouts(ctx, {tokens, offset}, length, logs); }), "log_sampled");
  says(thrown<trb::error>([&] { given.text(2); }), "rollouts");
}

/* ---- All of them ----------------------------------------------------------------------------------------- */

struct test {
  const char *name;
  void (*run)();
};

#define TEST(name)                                                                                                     \
  { #name, name }
static const test TESTS[] = {TEST(solve_meets_its_budget),
                             TEST(budgets_of_each_row),
                             TEST(write_blend_sums_to_one),
                             TEST(samples_are_those_of_mu),
                             TEST(a_sampler_is_heard),
                             TEST(verify_accepts_and_corrects),
                             TEST(half_precision_is_read),
                             TEST(schedule_anneals),
                             TEST(gradient_is_that_of_the_loss),
                             TEST(a_loss_is_of_its_form_and_support),
                             TEST(other_losses),
                             TEST(sparse_teacher),
                             TEST(errors_have_the_text_of_the_library),
                             TEST(lengths_are_checked),
                             TEST(bad_rows_leave_the_others),
                             TEST(rollouts_do_not_depend_on_how),
                             TEST(rollout_options_are_heard),
                             TEST(exceptions_come_out_of_callbacks),
                             TEST(a_rollout_says_which_sequence_is_bad),
                             TEST(a_step_trains_the_model),
                             TEST(sequences_from_elsewhere)};

int main() {
  int passed = 0, failed = 0;
  for (const test &t : TESTS) {
    std::string why;
    try {
      t.run();
      passed++;
      continue;
    } catch (const failure &f) {
      why = f.text;
    } catch (const std::exception &e) {
      why = e.what();
    } catch (...) {
      why = "an exception of another kind";
    }
    failed++;
    std::printf("%s: %s\n", t.name, why.c_str());
  }
  std::printf("cpp: %d passed, %d failed\n", passed, failed);
  return failed > 0;
}
