-- libtrb for LuaJIT: trust-region behavior blending and reverse KL over logit buffers. trb.h is the contract of every
-- function; here they are methods of a context.
--
--   local trb = require "trb"          -- TRB_LIBRARY names libtrb.so, if it is not where the system looks
--   local ctx = trb.context { threads = 2 }
--   local student = trb.matrix { { 0.5, 1.0, -2.0 }, { 0.0, 0.0, 3.0 } }
--   local teacher = trb.view(array, { rows = 2, vocab = 3, dtype = "bf16" })   -- borrows an FFI array
--   local blends = ctx:solve(student, teacher, 0.05)                           -- blends[1].beta
--   local draws = ctx:sample(student, teacher, blends, { seed = 7, top_p = 0.9 })
--   local loss = ctx:reverse_kl(student, teacher, { grad = true })             -- loss.loss[1], loss.grad:get(1)
--
-- Rows, sequences and lists count from 1; token ids are the library's, from 0, and so is what its error texts say.
-- Structs of numbers are tables of their fields. Options are tables of the fields of the library's options struct,
-- without `size` and counts; names of constants are the ends of theirs in lower case: { form = "tail_bucket" }.
--
-- An error is raised as a table { status, message, result }, whose tostring is the message. After TRB_EROWS `result` is
-- what the call would have returned: bad rows carry a negative status.
--
-- A model is a table with `vocab`, perhaps `dtype` and `temperature`, and the methods forward(self, queries, out) and,
-- to be trained, backward(self, queries, grad). A query is a table { tokens, sequence, known, rows, proposed }. out and
-- grad are logits that are gone when the method returns: out:set(row, list), grad:get(row), and out.data, a pointer
-- that nothing checks. An error in a callback comes out of the call again; one that returns false ends the call with
-- TRB_ECALLBACK, after which `result` has the rollouts until then.
--
-- trb.lib has all functions as trb.h declares them: heads, trb_continuation_gain, allocators and parallel_for are there
-- alone.

local ffi = require "ffi"
local calls = require "trb.calls"
local library = require "trb.library"
local logits = require "trb.logits"
local rollouts = require "trb.rollouts"
local structs = require "trb.structs"

-- Compiled code may not call a C function that calls Lua back, and may collect a local that is not used any more,
-- though C still has its address. An interpreted function does neither.
jit.off(true, true)

local lib, constants = library.lib, library.constants

local trb = {
  lib = lib, constants = constants, row_text = library.row_text, view = logits.view, zeros = logits.zeros,
  matrix = logits.matrix,
}

local Context = {}
Context.__index = Context

-- options: threads, isa
function trb.context(options)
  local why, out = ffi.new "char[400]", ffi.new "trb_context *[1]"
  local made = structs.new("trb_context_options", options)
  made.error, made.error_bytes = why, ffi.sizeof(why)
  local status = lib.trb_context_new(made, out)
  if status ~= constants.TRB_OK then library.fail(status, ffi.string(why)) end
  return setmetatable({ handle = ffi.gc(out[0], lib.trb_context_free), busy = false }, Context)
end

local function open(ctx)
  if not ctx.handle then error("the context is closed", 0) end
  if ctx.busy then error("a callback may not use the context of the call that it serves", 0) end
  return ctx.handle
end

-- Ends the context and its threads now and not when it is collected.
function Context:close()
  lib.trb_context_free(ffi.gc(open(self), nil))
  self.handle = nil
end

local function run(ctx, name, ...)
  local handle = open(ctx)
  ctx.busy = true
  local good, status = pcall(lib[name], handle, ...)
  ctx.busy = false
  if not good then error(status, 0) end
  return status
end

local function finish(ctx, status, result)
  if status == constants.TRB_OK then return result end
  local some = status == constants.TRB_EROWS or status == constants.TRB_ECALLBACK
  library.fail(status, ffi.string(lib.trb_context_error(ctx.handle)), some and result or nil)
end

local function both(student, teacher)
  local s = logits.of("student", student)
  if not s then error("student: expected logits, got nil", 0) end
  return s, logits.of("teacher", teacher, student.rows), student.rows
end

-- Parts options in those of the function, by name, and those of its struct.
local function part(options, names)
  local own, rest = {}, {}
  for key, value in pairs(options or {}) do
    if names[key] then own[key] = value else rest[key] = value end
  end
  return own, rest
end

-- ---- Logits ----------------------------------------------------------------------------------------------------

-- Masks tokens in every row, in place.
function Context:mask_tokens(inout, ids)
  local view, list, n = logits.of("logits", inout), structs.array("ids", "int64_t", ids)
  finish(self, run(self, "trb_mask_tokens", view, list, n))
end

-- Moves the probability of each token of `from` to that of `to`, in every row, in place.
function Context:merge_tokens(inout, from, to)
  local view, sources, n = logits.of("logits", inout), structs.array("from", "int64_t", from)
  local targets = structs.array("to", "int64_t", to, n)
  finish(self, run(self, "trb_merge_tokens", view, sources, targets, n))
end

-- A list of entropies.
function Context:entropy(of)
  local view, out = logits.of("logits", of), ffi.new("double[?]", of.rows)
  local status = run(self, "trb_entropy", view, out)
  return finish(self, status, structs.numbers(out, of.rows))
end

-- The budget of step k >= 0 of a schedule { kind, initial, steps, at, budgets }.
function Context:schedule(schedule, k)
  local made, out = structs.new("trb_schedule", schedule), ffi.new "double[1]"
  local status = run(self, "trb_schedule_at", made, k, out)
  return finish(self, status, out[0])
end

-- ---- The blend -------------------------------------------------------------------------------------------------

-- Blends within a budget: a number, or a list with one for each row. The teacher may be nil if all are 0.
-- options: tolerance, method
function Context:solve(student, teacher, budget, options)
  local s, t, rows = both(student, teacher)
  local values, n = structs.per_row("budget", budget, rows)
  local chosen, out = structs.new("trb_solve_options", options), ffi.new("trb_blend[?]", rows)
  local status = run(self, "trb_solve", s, t, values, n, chosen, out)
  return finish(self, status, structs.records("trb_blend", out, rows))
end

-- The same for weights of the teacher: a number, or a list with one for each row.
function Context:blend_at(student, teacher, beta)
  local s, t, rows = both(student, teacher)
  local values, n = structs.per_row("beta", beta, rows)
  local out = ffi.new("trb_blend[?]", rows)
  local status = run(self, "trb_blend_at", s, t, values, n, out)
  return finish(self, status, structs.records("trb_blend", out, rows))
end

-- Writes log mu to `out`, which may be the student's or the teacher's own logits; without it to a new matrix.
function Context:write_blend(student, teacher, blends, out)
  local s, t, rows = both(student, teacher)
  local given = structs.blends("trb_blend", blends, rows)
  out = out or logits.zeros(rows, student.vocab)
  return finish(self, run(self, "trb_write_blend", s, t, given, logits.of("out", out, rows)), out)
end

-- Draws one token per row. sampler: seed, stream, index, top_k, top_p, min_p, greedy, purpose
function Context:sample(student, teacher, blends, sampler)
  local s, t, rows = both(student, teacher)
  local given, out = structs.blends("trb_blend", blends, rows), ffi.new("trb_draw[?]", rows)
  local how = structs.new("trb_sampler", sampler, calls.new(rows))
  local status = run(self, "trb_sample", s, t, given, how, out)
  return finish(self, status, structs.records("trb_draw", out, rows))
end

-- What becomes of blocks of proposals, a list of lists of together as many ids as rows: { verdicts, blends }.
-- options: sampler, solve, and behavior "beta" if `budget` holds weights of the teacher
function Context:verify(student, teacher, proposals, budget, options)
  local s, t, rows = both(student, teacher)
  local values, n = structs.per_row("budget", budget, rows)
  local blocks = structs.texts("proposals", proposals)
  local chosen = structs.new("trb_verify_options", options, calls.new(rows))
  local blends, out = ffi.new("trb_blend[?]", rows), ffi.new("trb_verdict[?]", rows)
  local status = run(self, "trb_verify", s, t, blocks, values, n, chosen, blends, out)
  return finish(self, status, {
    verdicts = structs.records("trb_verdict", out, rows), blends = structs.records("trb_blend", blends, rows),
  })
end

-- ---- Losses ----------------------------------------------------------------------------------------------------

-- What `grad` asks for: true for a new matrix, or logits to write to.
local function gradient(grad, student)
  if grad == true then return logits.zeros(student.rows, student.vocab) end
  return grad or nil
end

local function weights(list, rows)
  return list and structs.array("weight", "double", list, rows)
end

local function losses(ctx, name, options_name, student, s, t, options)
  local rows = student.rows
  local own, rest = part(options, { weight = true, grad = true })
  local chosen, grad = structs.new(options_name, rest, calls.new(rows)), gradient(own.grad, student)
  local weight, loss, records = weights(own.weight, rows), ffi.new("double[?]", rows), ffi.new("trb_loss_row[?]", rows)
  local status = run(ctx, name, s, t, weight, chosen, loss, logits.of("grad", grad, rows), records)
  return finish(ctx, status, {
    loss = structs.numbers(loss, rows), grad = grad, rows = structs.records("trb_loss_row", records, rows),
  })
end

local function divergence(ctx, name, options_name, student, teacher, options)
  local s, t = both(student, teacher)
  return losses(ctx, name, options_name, student, s, t, options)
end

-- Reverse KL of every row: { loss, grad, rows }.
-- options: weight (a list), grad (true, or logits to write to), form, support, k, ids (a list for each row)
function Context:reverse_kl(student, teacher, options)
  return divergence(self, "trb_reverse_kl", "trb_loss_options", student, teacher, options)
end

-- Forward KL or JSD, likewise. options: weight, grad, kind, b
function Context:divergence(student, teacher, options)
  return divergence(self, "trb_divergence", "trb_divergence_options", student, teacher, options)
end

-- The term of one sampled token per row: { terms, grad }.
-- options: weight, log_behavior, grad, estimator, ratio_low, ratio_high, advantage_limit
function Context:token_terms(student, teacher, tokens, options)
  local s, t, rows = both(student, teacher)
  local own, rest = part(options, { weight = true, log_behavior = true, grad = true })
  local chosen, grad = structs.new("trb_term_options", rest), gradient(own.grad, student)
  local list, weight = structs.array("tokens", "int64_t", tokens, rows), weights(own.weight, rows)
  local behavior = own.log_behavior and structs.array("log_behavior", "double", own.log_behavior, rows)
  local out = ffi.new("trb_term[?]", rows)
  local status = run(self, "trb_token_terms", s, t, list, behavior, weight, chosen, out, logits.of("grad", grad, rows))
  return finish(self, status, { terms = structs.records("trb_term", out, rows), grad = grad })
end

-- ---- A teacher known in part -----------------------------------------------------------------------------------

-- As solve. teacher: { ids, log_q }, lists with a list for each row; least_rest.
function Context:solve_sparse(student, teacher, budget, options)
  local s, rows = logits.of("student", student), student.rows
  local lists, values, n = structs.sparse("teacher", teacher, rows), structs.per_row("budget", budget, rows)
  local chosen, out = structs.new("trb_solve_options", options), ffi.new("trb_sparse_blend[?]", rows)
  local status = run(self, "trb_solve_sparse", s, lists, values, n, chosen, out)
  return finish(self, status, structs.records("trb_sparse_blend", out, rows))
end

-- As sample, from blends of solve_sparse.
function Context:sample_sparse(student, teacher, blends, sampler)
  local s, rows = logits.of("student", student), student.rows
  local lists, given = structs.sparse("teacher", teacher, rows), structs.blends("trb_sparse_blend", blends, rows)
  local how, out = structs.new("trb_sampler", sampler, calls.new(rows)), ffi.new("trb_draw[?]", rows)
  local status = run(self, "trb_sample_sparse", s, lists, given, how, out)
  return finish(self, status, structs.records("trb_draw", out, rows))
end

-- As reverse_kl, on the lists. options: weight, grad, form
function Context:reverse_kl_sparse(student, teacher, options)
  local s, t = logits.of("student", student), structs.sparse("teacher", teacher, student.rows)
  return losses(self, "trb_reverse_kl_sparse", "trb_loss_options", student, s, t, options)
end

-- ---- Models ----------------------------------------------------------------------------------------------------

-- Samples a response to every prompt, a list of lists of ids. Rollouts; see trb/rollouts.lua.
-- options: fields of trb_rollout_options; ends is a list of pairs { student's id, teacher's id }, progress a function
function Context:rollout(student, teacher, prompts, options)
  local call = calls.new(#prompts * (options and options.repeats or 1))
  local texts, chosen = structs.texts("prompts", prompts), structs.new("trb_rollout_options", options, call)
  local p, q, out = call:model("student", student), call:model("teacher", teacher), ffi.new "trb_rollouts *[1]"
  local status = run(self, "trb_rollout", p, q, texts, chosen, out)
  local made = out[0] ~= nil and rollouts.wrap(out[0]) or nil
  call:rethrow()
  return finish(self, status, made)
end

-- Rollouts of sequences that come from elsewhere, with the length of each one's prompt.
-- options: log_sampled (a list over all responses), ends
function Context:rollouts(texts, prompt_lengths, options)
  options = options or {}
  local given, total = structs.texts("texts", texts)
  local lengths, sum = structs.array("prompt_lengths", "int64_t", prompt_lengths, #texts), 0
  for _, length in ipairs(prompt_lengths) do sum = sum + length end
  local log_sampled = options.log_sampled and structs.array("log_sampled", "double", options.log_sampled, total - sum)
  local ends, out = options.ends and structs.ends("ends", options.ends), ffi.new "trb_rollouts *[1]"
  local status = run(self, "trb_rollouts_new", given, lengths, log_sampled, ends, out)
  return finish(self, status, out[0] ~= nil and rollouts.wrap(out[0]) or nil)
end

-- Asks the models, each of which may be nil, about sampled tokens that they have not seen, and fills in what they say.
-- options: batch_bytes, keep_bytes, progress
function Context:score(made, student, teacher, options)
  local handle, call = rollouts.of_idle(made), calls.new(tonumber(rollouts.of(made).n))
  local chosen = structs.new("trb_score_options", options, call)
  local p, q = call:model("student", student), call:model("teacher", teacher)
  local status = rollouts.serve(made, run, self, "trb_score", p, q, chosen, handle)
  call:rethrow()
  return finish(self, status, made)
end

-- What a trainer logs of rollouts.
function Context:totals(made)
  local handle, out = rollouts.of(made), structs.new "trb_totals"
  local status = run(self, "trb_rollouts_totals", handle, out)
  return finish(self, status, structs.record("trb_totals", out))
end

-- One step's loss and gradient on rollouts: { report, loss, rows }; no rows of the objective "token".
-- options: fields of trb_train_options; weight is a list over tokens, progress a function
function Context:train_step(student, teacher, made, options)
  local handle = rollouts.of(made)
  local n = tonumber(handle.n_tokens)
  local call = calls.new(n)
  local chosen, report = structs.new("trb_train_options", options, call), structs.new "trb_train_report"
  local p, q = call:model("student", student), call:model("teacher", teacher)
  local loss = ffi.new("double[?]", n)
  local records = chosen.objective ~= constants.TRB_OBJECTIVE_TOKEN and ffi.new("trb_loss_row[?]", n) or nil
  local status = rollouts.serve(made, run, self, "trb_train_step", p, q, handle, chosen, loss, records, report)
  call:rethrow()
  return finish(self, status, {
    report = structs.record("trb_train_report", report), loss = structs.numbers(loss, n),
    rows = records and structs.records("trb_loss_row", records, n),
  })
end

-- The mean of log q - log p over the sampled tokens of each sequence.
function Context:sequence_scores(made)
  local handle = rollouts.of(made)
  local n = tonumber(handle.n)
  local out = ffi.new("double[?]", n)
  local status = run(self, "trb_sequence_scores", handle, out)
  return finish(self, status, structs.numbers(out, n))
end

-- How well scores tell positives (1) from negatives (0).
function Context:auroc(scores, positive)
  local list, n = structs.array("scores", "double", scores)
  local kinds, out = structs.array("positive", "int32_t", positive, n), ffi.new "double[1]"
  local status = run(self, "trb_auroc", list, kinds, n, out)
  return finish(self, status, out[0])
end

return trb
