-- Tests of the binding: what it hands over and what comes back, against the mathematics in doubles.

local ffi = require "ffi"
local trb = require "trb"

local c = trb.constants
local passed, failed = 0, 0

local function test(name, act)
  local good, why = xpcall(act, function(e) return debug.traceback(tostring(e)) end)
  if good then passed = passed + 1 return end
  failed = failed + 1
  print(("lua: %s: %s"):format(name, why))
end

local function near(a, b, tolerance)
  if not (math.abs(a - b) <= tolerance * math.max(1e-3, math.abs(b))) then
    error(("expected %.12g, got %.12g"):format(b, a), 2)
  end
end

local function equal(a, b)
  if a ~= b then error(("expected %s, got %s"):format(tostring(b), tostring(a)), 2) end
end

local function same(a, b)
  equal(#a, #b)
  for i = 1, #a do equal(a[i], b[i]) end
end

-- What the act raises.
local function raised(act, ...)
  local good, why = pcall(act, ...)
  if good then error("expected an error", 2) end
  return why
end

local function says(why, text)
  if not tostring(why):find(text, 1, true) then error(("expected %q in %q"):format(text, tostring(why)), 2) end
end

-- ---- The mathematics ---------------------------------------------------------------------------------------------

local state = 1
local function random() -- in [-2, 2), the same everywhere
  state = state * 16807 % 2147483647
  return state / 2147483647 * 4 - 2
end

local function random_rows(rows, vocab)
  local lists = {}
  for r = 1, rows do
    lists[r] = {}
    for v = 1, vocab do lists[r][v] = tonumber(ffi.new("float", random())) end
  end
  return lists
end

local function log_softmax(list)
  local max, sum, out = -math.huge, 0, {}
  for _, x in ipairs(list) do max = math.max(max, x) end
  for _, x in ipairs(list) do sum = sum + math.exp(x - max) end
  for v, x in ipairs(list) do out[v] = x - max - math.log(sum) end
  return out
end

local function blended(s, t, beta)
  local mixed = {}
  for v = 1, #s do mixed[v] = (1 - beta) * s[v] + beta * t[v] end
  return log_softmax(mixed)
end

local function kl(a, b) -- of log-probabilities
  local sum = 0
  for v = 1, #a do sum = sum + math.exp(a[v]) * (a[v] - b[v]) end
  return sum
end

local ROWS, VOCAB, BUDGET = 5, 40, 0.05
local S, T = random_rows(ROWS, VOCAB), random_rows(ROWS, VOCAB)
local student, teacher = trb.matrix(S), trb.matrix(T)
local ctx = trb.context { threads = 2 }

-- ---- The blend ---------------------------------------------------------------------------------------------------

test("solve meets its budget", function()
  local blends = ctx:solve(student, teacher, BUDGET)
  equal(#blends, ROWS)
  for r, b in ipairs(blends) do
    equal(b.status, c.TRB_ROW_BLENDED)
    local mu = blended(S[r], T[r], b.beta)
    near(b.kl_student, kl(mu, log_softmax(S[r])), 1e-5)
    near(b.kl_student, BUDGET, 1e-4)
    near(b.kl_teacher, kl(mu, log_softmax(T[r])), 1e-5)
    near(b.reverse_kl, kl(log_softmax(S[r]), log_softmax(T[r])), 1e-5)
  end
end)

test("a budget for each row, options, and no teacher", function()
  local budgets = { 0, 0.01, 0.1, 1, math.huge }
  local blends = ctx:solve(student, teacher, budgets, { method = "bisection", tolerance = 1e-4 })
  equal(blends[1].status, c.TRB_ROW_STUDENT)
  equal(blends[5].beta, 1)
  equal(ctx:solve(student, nil, 0)[3].beta, 0)
end)

test("blend_at is the blend at that weight", function()
  for r, b in ipairs(ctx:blend_at(student, teacher, { 0, 0.25, 0.5, 0.75, 1 })) do
    equal(b.beta, (r - 1) / 4)
    near(b.kl_student, kl(blended(S[r], T[r], b.beta), log_softmax(S[r])), 1e-5)
  end
end)

test("write_blend is a distribution", function()
  local blends = ctx:solve(student, teacher, BUDGET)
  local out = ctx:write_blend(student, teacher, blends)
  for r = 1, ROWS do
    local sum, mu = 0, blended(S[r], T[r], blends[r].beta)
    for v, log in ipairs(out:get(r)) do
      sum = sum + math.exp(log)
      near(log, mu[v], 1e-5)
    end
    near(sum, 1, 1e-6)
  end
end)

test("sample repeats itself and knows its probabilities", function()
  local blends = ctx:solve(student, teacher, BUDGET)
  local how = { seed = 7, stream = { 5, 4, 3, 2, 1 }, index = { 1, 2, 3, 4, 5 } }
  local draws, again = ctx:sample(student, teacher, blends, how), ctx:sample(student, teacher, blends, how)
  local differ = false
  for seed = 8, 12 do
    for r, d in ipairs(ctx:sample(student, teacher, blends, { seed = seed })) do
      differ = differ or d.token ~= draws[r].token
    end
  end
  equal(differ, true)
  for r, d in ipairs(draws) do
    equal(d.token, again[r].token)
    near(d.log_behavior, blended(S[r], T[r], blends[r].beta)[d.token + 1], 1e-5)
    near(d.log_student, log_softmax(S[r])[d.token + 1], 1e-5)
    near(d.log_teacher, log_softmax(T[r])[d.token + 1], 1e-5)
    equal(d.log_sampled, d.log_behavior)
  end
end)

test("streams keep all of their 64 bits", function()
  local blends = ctx:solve(student, teacher, BUDGET)
  local function tokens(low)
    local stream = {}
    for r = 1, ROWS do stream[r] = 2ULL ^ 63 + r + low * 8 end
    local list = {}
    for r, d in ipairs(ctx:sample(student, teacher, blends, { stream = stream })) do list[r] = d.token end
    return table.concat(list, " ")
  end
  local seen = {}
  for low = 0, 7 do seen[tokens(low)] = true end
  local kinds = 0
  for _ in pairs(seen) do kinds = kinds + 1 end
  equal(kinds > 1, true)
end)

test("verify: every position is accepted, corrected or dropped, and a lone -1 is drawn", function()
  local draws = ctx:sample(student, nil, ctx:solve(student, nil, 0), { seed = 3 })
  local found = ctx:verify(student, teacher, { { draws[1].token, draws[2].token, draws[3].token, -1 }, { -1 } }, 0.5, {
    sampler = { seed = 3 },
  })
  local over = false
  for r = 1, 4 do
    local v = found.verdicts[r]
    if over then
      equal(v.verdict, c.TRB_VERDICT_DROPPED)
    elseif r < 4 then
      local mu, p = blended(S[r], T[r], found.blends[r].beta), log_softmax(S[r])
      near(v.acceptance, math.min(1, math.exp(mu[draws[r].token + 1] - p[draws[r].token + 1])), 1e-5)
      over = v.verdict == c.TRB_VERDICT_CORRECTED
      if not over then equal(v.draw.token, draws[r].token) end
    end
  end
  equal(found.verdicts[5].verdict, c.TRB_VERDICT_DRAWN)
  local at = ctx:verify(student, teacher, { { draws[1].token }, {}, { -1 }, { -1 }, { -1 }, { -1 } }, 0.5, {
    behavior = "beta",
  })
  equal(at.blends[4].beta, 0.5)
end)

-- ---- Logits ------------------------------------------------------------------------------------------------------

test("a view of bf16 with a stride borrows", function()
  local wide = ffi.new("uint16_t[?]", 2 * 6)
  local floats = ffi.new "union { float f; uint32_t u; }"
  local lists = { { 0.5, -1, 2, 1 }, { 1, 0, -3, 0.25 } } -- exact in bf16
  for r = 0, 1 do
    for v = 0, 3 do
      floats.f = lists[r + 1][v + 1]
      wide[r * 6 + v + 1] = bit.rshift(floats.u, 16)
    end
  end
  local view = trb.view(wide, { rows = 2, vocab = 4, stride = 6, first = 1, dtype = "bf16" })
  local entropies = ctx:entropy(view)
  for r, list in ipairs(lists) do
    local p, sum = log_softmax(list), 0
    for _, l in ipairs(p) do sum = sum - math.exp(l) * l end
    near(entropies[r], sum, 1e-6)
  end
  wide[1] = 0x7f80 -- +inf: the memory is the caller's own
  equal(raised(ctx.entropy, ctx, view).status, c.TRB_EROWS)
end)

test("f16, and a temperature", function()
  local halves = trb.zeros(1, 3, "f16", 2)
  halves:set(1, { 0x3c00, 0x4000, 0x4400 }) -- 1, 2, 4
  local p, sum = log_softmax { 0.5, 1, 2 }, 0
  for _, l in ipairs(p) do sum = sum - math.exp(l) * l end
  near(ctx:entropy(halves)[1], sum, 1e-6)
end)

test("a view beyond its memory is an error", function()
  local array = ffi.new("float[?]", 11)
  says(raised(trb.view, array, { rows = 3, vocab = 4 }), "expected at least 12 elements, got 11")
  says(raised(trb.view, array, { rows = 2, vocab = 4, stride = 8 }), "expected at least 12 elements, got 11")
  says(raised(trb.view, array, { rows = 1, vocab = 4, dtype = "f16" }), "array: expected elements of type")
  says(raised(trb.view, ffi.cast("float *", array), { rows = 1, vocab = 4 }), "elements: expected how many")
  equal(trb.view(ffi.cast("float *", array), { rows = 1, vocab = 4, elements = 4 }).rows, 1)
  equal(trb.view(ffi.new "float[4]", { rows = 1, vocab = 4 }).vocab, 4)
  says(raised(trb.zeros(2, 3).get, trb.zeros(2, 3), 3), "row: expected one of 2, got 3")
end)

test("tokens are masked and merged in place", function()
  local logits = trb.matrix(S)
  ctx:mask_tokens(logits, { 0, 3 })
  equal(logits:get(2)[4], -math.huge)
  ctx:merge_tokens(logits, { 5 }, { 6 })
  near(logits:get(1)[7], math.log(math.exp(S[1][6]) + math.exp(S[1][7])), 1e-5)
end)

-- ---- Losses ------------------------------------------------------------------------------------------------------

-- The gradient of sum weight * loss against central differences of the losses.
local function check_gradient(loss_of, weight)
  local found = loss_of(student, { grad = true, weight = weight })
  for r = 1, 2 do
    for v = 1, VOCAB, 7 do
      local step, sides = 1 / 64, {}
      for _, sign in ipairs { 1, -1 } do
        local moved = trb.matrix(S)
        moved.data[(r - 1) * VOCAB + v - 1] = S[r][v] + sign * step
        table.insert(sides, loss_of(moved, {}).loss[r])
      end
      if math.abs(found.grad:get(r)[v] - weight[r] * (sides[1] - sides[2]) / (2 * step)) > 2e-4 then
        error(("gradient (%d, %d): %g, differences %g"):format(r, v, found.grad:get(r)[v],
          weight[r] * (sides[1] - sides[2]) / (2 * step)))
      end
    end
  end
  return found
end

test("reverse_kl and its gradient", function()
  local found = check_gradient(function(s, o) return ctx:reverse_kl(s, teacher, o) end, { 0.5, -2, 0, 1, 1 })
  for r, loss in ipairs(found.loss) do
    near(loss, r == 3 and 0 or kl(log_softmax(S[r]), log_softmax(T[r])), 1e-5)
  end
  equal(found.rows[1].status, c.TRB_ROW_OK)
  equal(found.rows[3].status, c.TRB_ROW_SKIPPED)
  local ids = {}
  for r = 1, ROWS do ids[r] = { 1, 2, r + 5 } end
  ids[2] = { 4 }
  local listed = ctx:reverse_kl(student, teacher, { form = "tail_bucket", support = "ids", ids = ids })
  equal(listed.rows[1].support, 3)
  equal(listed.rows[2].support, 1)
end)

test("divergence and its gradient", function()
  local found = check_gradient(function(s, o)
    o.kind, o.b = "jsd", 0.3
    return ctx:divergence(s, teacher, o)
  end, { 1, 2, 1, 1, 1 })
  local p, q, m = log_softmax(S[1]), log_softmax(T[1]), {}
  for v = 1, VOCAB do m[v] = math.log(0.3 * math.exp(q[v]) + 0.7 * math.exp(p[v])) end
  near(found.loss[1], 0.3 * kl(q, m) + 0.7 * kl(p, m), 1e-5)
end)

test("token_terms", function()
  local found = ctx:token_terms(student, teacher, { 0, 1, 2, 3, 4 }, { estimator = "k2", grad = true })
  for r, term in ipairs(found.terms) do
    local u = log_softmax(T[r])[r] - log_softmax(S[r])[r]
    near(term.value, u * u / 2, 1e-5)
    near(found.grad:get(r)[r], -u * (1 - math.exp(log_softmax(S[r])[r])), 1e-4)
  end
end)

test("schedule", function()
  near(ctx:schedule({ initial = 0.1, steps = 40 }, 10), 0.075, 1e-12)
  near(ctx:schedule({ kind = "piecewise", at = { 0, 10 }, budgets = { 1, 0 } }, 5), 0.5, 1e-12)
end)

-- ---- A teacher known in part ---------------------------------------------------------------------------------------

test("lists: the blend, the draws and the loss of the teacher that they stand for", function()
  local lists, full = { ids = {}, log_q = {} }, {}
  for r = 1, ROWS do
    lists.ids[r], lists.log_q[r] = { 3, r + 10 }, { -1, -2 - r }
    if r == 2 then lists.ids[r], lists.log_q[r] = { 7 }, { -0.5 } end
    local p, listed, mass = log_softmax(S[r]), 0, 0
    for i, id in ipairs(lists.ids[r]) do
      listed, mass = listed + math.exp(lists.log_q[r][i]), mass + math.exp(p[id + 1])
    end
    full[r] = {}
    for v = 1, VOCAB do full[r][v] = p[v] + math.log((1 - listed) / (1 - mass)) end
    for i, id in ipairs(lists.ids[r]) do full[r][id + 1] = lists.log_q[r][i] end
  end
  local blends = ctx:solve_sparse(student, lists, BUDGET)
  local draws = ctx:sample_sparse(student, lists, blends, { seed = 3 })
  local loss = ctx:reverse_kl_sparse(student, lists, { grad = true })
  for r, b in ipairs(blends) do
    local p, mu = log_softmax(S[r]), blended(S[r], full[r], b.blend.beta)
    near(b.blend.kl_student, kl(mu, p), 1e-5)
    near(b.blend.kl_student, BUDGET, 1e-4)
    near(draws[r].log_behavior, mu[draws[r].token + 1], 1e-5)
    local wanted = kl(p, full[r])
    near(loss.loss[r], wanted, 1e-5)
    near(loss.grad:get(r)[4], math.exp(p[4]) * (p[4] - full[r][4] - wanted), 1e-4)
  end
  local one = { ids = { {} }, log_q = { {} } }
  says(raised(ctx.solve_sparse, ctx, student, one, BUDGET), "expected 5 lists, got 1 of ids")
  lists.log_q[2] = {}
  says(raised(ctx.solve_sparse, ctx, student, lists, BUDGET), "teacher: expected 1 log_q in list 2, got 0")
  lists.log_q[2], lists.least_rest = { -0.5 }, 2
  says(raised(ctx.solve_sparse, ctx, student, lists, BUDGET), "least_rest")
end)

-- ---- Errors ------------------------------------------------------------------------------------------------------

test("an error carries the library's text", function()
  local why = raised(ctx.solve, ctx, student, teacher, -1)
  equal(why.status, c.TRB_EINVAL)
  says(why, "budget[0]: expected a number in [0, inf], got -1")
  says(raised(trb.context, { threads = -1 }), "threads")
  says(raised(ctx.solve, ctx, trb.view(ffi.new("float[?]", 8), { rows = 2, vocab = 4, stride = 2 }), teacher, 1),
    "expected 2 rows, got 5")
  says(raised(ctx.entropy, ctx, trb.view(ffi.new("float[?]", 8), { rows = 2, vocab = 4, stride = 3 })), "stride")
end)

test("an argument that does not fit is an error before the call", function()
  says(raised(ctx.solve, ctx, student, teacher, { 1, 2 }), "budget: expected a list of 5 numbers, got 2")
  says(raised(ctx.solve, ctx, student, teacher, 1, { tolerence = 1e-3 }), "tolerence: no such option")
  says(raised(ctx.solve, ctx, student, teacher, 1, { method = "newtonian" }), "expected one of bisection, newton")
  says(raised(ctx.sample, ctx, student, teacher, {}), "blend: expected 5 blends, got 0")
  local blends = ctx:solve(student, teacher, 1)
  says(raised(ctx.sample, ctx, student, teacher, blends, { top_k = 1.5 }), "top_k: expected a whole number, got 1.5")
  says(raised(ctx.sample, ctx, student, teacher, blends, { stream = { 1 } }), "stream: expected a list of 5 numbers")
  says(raised(ctx.mask_tokens, ctx, student, { 0.5 }), "ids[1]: expected int64_t, got 0.5")
end)

test("a bad row leaves the others their results", function()
  local bad = random_rows(ROWS, VOCAB)
  bad[2][3] = 0 / 0
  local why = raised(ctx.solve, ctx, trb.matrix(bad), teacher, BUDGET)
  equal(why.status, c.TRB_EROWS)
  equal(why.result[2].status, c.TRB_ROW_NOT_A_NUMBER)
  says(trb.row_text(why.result[2].status), "NaN")
  equal(why.result[1].status, c.TRB_ROW_BLENDED)
  local losses = raised(ctx.reverse_kl, ctx, trb.matrix(bad), teacher, { grad = true }).result
  near(losses.loss[1], kl(log_softmax(bad[1]), log_softmax(T[1])), 1e-5)
  equal(losses.grad:get(2)[1], 0)
end)

test("a context that was closed", function()
  local short = trb.context()
  short:close()
  says(raised(short.entropy, short, student), "the context is closed")
end)

-- ---- Models ------------------------------------------------------------------------------------------------------

local Table = { vocab = VOCAB }
Table.__index = Table

local function model(seed)
  state = seed
  return setmetatable({ logits = random_rows(VOCAB, VOCAB), grad = {}, calls = 0 }, Table)
end

local function each_row(queries, act)
  local r = 0
  for _, q in ipairs(queries) do
    for at = #q.tokens - q.rows + 1, #q.tokens do
      r = r + 1
      act(r, q.tokens[at])
    end
  end
end

function Table:forward(queries, out)
  self.calls = self.calls + 1
  each_row(queries, function(r, token) out:set(r, self.logits[token + 1]) end)
end

function Table:backward(queries, grad)
  each_row(queries, function(r, token)
    local sum = self.grad[token + 1] or {}
    for v, g in ipairs(grad:get(r)) do sum[v] = (sum[v] or 0) + g end
    self.grad[token + 1] = sum
  end)
end

local pupil, master = model(11), model(12)
local PROMPTS = { { 0 }, { 1, 2 }, { 3 } }

local function options(more)
  local made = { budget = 0.1, max_tokens = 8, stop = { 9 }, repeats = 2, sampler = { seed = 5 } }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

test("a rollout", function()
  local told = 0
  local rollouts = ctx:rollout(pupil, master, PROMPTS, options { progress = function(done, total)
    equal(total, 6)
    told = done
  end })
  equal(told, 6)
  equal(rollouts.n, 6)
  local at, log_student, kls = 0, rollouts:get "log_student", rollouts:get "kl_student"
  for i = 1, rollouts.n do
    local text, response = rollouts:text(i), rollouts:response(i)
    local prompt = #text - #response
    equal(prompt, #PROMPTS[math.ceil(i / 2)])
    for k, token in ipairs(response) do
      at = at + 1
      equal(text[prompt + k], token)
      near(log_student[at], log_softmax(pupil.logits[text[prompt + k - 1] + 1])[token + 1], 1e-5)
      if not (kls[at] <= 0.1 * (1 + 1e-6)) then error "over the budget" end
    end
  end
  equal(at, rollouts.n_tokens)
  equal(rollouts:get "student_calls" > 0, true)
  local totals = ctx:totals(rollouts)
  equal(totals.tokens, at)
  equal(totals.stopped_token + totals.stopped_length, 6)
  says(raised(rollouts.response, rollouts, 7), "sequence: expected one of 6, got 7")
end)

test("the same tokens with blocks at budget 0, and on any number of threads", function()
  local one, two = trb.context(), trb.context { threads = 2 }
  local plain = one:rollout(pupil, master, PROMPTS, options { budget = 0 }):get "text"
  same(one:rollout(pupil, master, PROMPTS, options { budget = 0, block = 3 }):get "text", plain)
  same(two:rollout(pupil, master, PROMPTS, options { budget = 0 }):get "text", plain)
  local blocks = one:rollout(pupil, master, PROMPTS, options { block = 2 }):get "text"
  same(two:rollout(pupil, master, PROMPTS, options { block = 4 }):get "text", blocks)
end)

test("an error of a callback comes out, and the context goes on", function()
  local own = { "an error of ours" }
  local broken = { vocab = VOCAB, forward = function() error(own) end }
  equal(raised(ctx.rollout, ctx, broken, master, PROMPTS, options()), own)
  says(raised(ctx.rollout, ctx, pupil, master, PROMPTS, options { progress = function() error "enough" end }), "enough")
  local kept
  local keeper = { vocab = VOCAB, forward = function(_, queries, out)
    kept = out
    pupil:forward(queries, out)
  end }
  ctx:rollout(keeper, master, PROMPTS, options())
  says(raised(kept.get, kept, 1), "row: expected one of 0")
end)

test("a coroutine cannot yield across the library", function()
  local co = coroutine.wrap(function()
    local yielding = { vocab = VOCAB, forward = function() coroutine.yield() end }
    return raised(ctx.rollout, ctx, yielding, master, PROMPTS, options())
  end)
  says(co(), "yield")
end)

test("a callback ends the call with what there is", function()
  local steps = 0
  local why = raised(ctx.rollout, ctx, pupil, master, PROMPTS, options { progress = function()
    steps = steps + 1
    return steps < 3
  end })
  equal(why.status, c.TRB_ECALLBACK)
  equal(#why.result:response(1), 3)
end)

test("a callback may use another context, not its own", function()
  local other = trb.context()
  local function asking(of)
    return { vocab = VOCAB, forward = function(_, queries, out)
      of:entropy(student)
      pupil:forward(queries, out)
    end }
  end
  says(raised(ctx.rollout, ctx, asking(ctx), master, PROMPTS, options()), "may not use the context")
  equal(ctx:rollout(asking(other), master, PROMPTS, options()).n, 6)
end)

test("a model whose logits are no numbers ends its sequences", function()
  local silent = { vocab = VOCAB, forward = function() end }
  local why = raised(ctx.rollout, ctx, silent, master, PROMPTS, options())
  equal(why.status, c.TRB_EROWS)
  equal(why.result:get "stop"[1], c.TRB_STOP_STUDENT)
end)

test("train_step: the gradient reaches the model", function()
  local rollouts = ctx:rollout(pupil, master, PROMPTS, options())
  local function objective()
    return ctx:train_step(pupil, master, rollouts, { evaluate = true }).report.objective
  end
  pupil.grad = {}
  local step = ctx:train_step(pupil, master, rollouts, { norm = "tokens" })
  equal(#step.loss, rollouts.n_tokens)
  equal(step.rows[1].status, c.TRB_ROW_OK)
  near(step.report.objective, objective(), 1e-12)
  local token, size = rollouts:text(1)[1] + 1, 1 / 64
  for v = 1, VOCAB, 9 do
    local before, sides = pupil.logits[token][v], {}
    for i, sign in ipairs { 1, -1 } do
      pupil.logits[token][v] = before + sign * size
      sides[i] = objective()
    end
    pupil.logits[token][v] = before
    if math.abs(pupil.grad[token][v] - (sides[1] - sides[2]) / (2 * size)) > 1e-4 then error "not the gradient" end
  end
  local weight = {}
  for i = 1, rollouts.n_tokens do weight[i] = i == 1 and 1 or 0 end
  local alone = ctx:train_step(pupil, master, rollouts, {
    objective = "token", token = { estimator = "k1" }, weight = weight, evaluate = true,
  })
  near(alone.report.loss, rollouts:get "log_student"[1] - rollouts:get "log_teacher"[1], 1e-5)
  equal(alone.rows, nil)
end)

test("score, and rollouts from elsewhere", function()
  local given = ctx:rollouts({ { 0, 4, 2 }, { 1, 5 } }, { 1, 1 })
  equal(given:get "log_student"[1] ~= given:get "log_student"[1], true)
  ctx:score(given, pupil, master)
  near(given:get "log_student"[2], log_softmax(pupil.logits[5])[3], 1e-5)
  local p, q = given:get "log_student", given:get "log_teacher"
  near(ctx:sequence_scores(given)[1], (q[1] - p[1] + q[2] - p[2]) / 2, 1e-9)
  near(ctx:auroc({ 1, 2, 3 }, { 0, 0, 1 }), 1, 1e-12)
  given:close()
  says(raised(given.get, given, "text"), "the rollouts are closed")
end)

test("a stream comes back with all of its bits", function()
  local stream = 2ULL ^ 63 + 1
  local made = ctx:rollout(pupil, master, { { 0 } }, { budget = 0, max_tokens = 1, sampler = { stream = { stream } } })
  equal(made:get "stream"[1], stream)
end)

test("a callback may read the rollouts that it serves, not close them", function()
  local rollouts, other = ctx:rollout(pupil, master, PROMPTS, options()), trb.context()
  local read
  ctx:train_step(pupil, master, rollouts, { evaluate = true, progress = function() read = rollouts:response(1) end })
  same(read, rollouts:response(1))
  local function step(progress)
    return raised(ctx.train_step, ctx, pupil, master, rollouts, { evaluate = true, progress = progress })
  end
  says(step(function() rollouts:close() end), "the rollouts serve a call")
  says(step(function() other:score(rollouts, pupil) end), "the rollouts serve a call")
  rollouts:close()
end)

test("what a caller writes to rollouts does not change how much the library writes", function()
  local made = ctx:rollout(model(1), model(2), { { 1 }, { 2 } }, options())
  local n, tokens = made.n, made.n_tokens
  made.n, made.n_tokens = 0, 0
  equal(#ctx:sequence_scores(made), n)
  equal(#ctx:train_step(model(1), model(2), made, { evaluate = true }).loss, tokens)
  equal(#made:get "token", tokens)
  made:response(2)
end)

test("rollouts outlive their context, and memory is found alive", function()
  local short = trb.context()
  local rollouts = short:rollout(pupil, master, PROMPTS, options())
  short:close()
  collectgarbage()
  local text = table.concat(rollouts:get "text", " ")
  for _ = 1, 20 do
    collectgarbage()
    equal(table.concat(ctx:rollout(pupil, master, PROMPTS, options()):get "text", " "), text)
  end
end)

print(("lua: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
