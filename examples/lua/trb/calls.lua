-- Calls during which the library calls Lua back. An error must not cross C: it is kept, the callback returns 0, which
-- ends the call, and then the error is raised again.

local ffi = require "ffi"
local library = require "trb.library"
local logits = require "trb.logits"
local structs = require "trb.structs"

-- Callbacks are few in LuaJIT and never freed by themselves, so there is one of each kind. It finds whom it serves by
-- its user pointer, which is a number in this table.
local served, last = setmetatable({}, { __mode = "v" }), 0

local Call = {}
Call.__index = Call

-- The user pointer for a model or a function of this call.
function Call:serve(target)
  last = last + 1
  served[last] = { target = target, call = self }
  table.insert(self.serves, served[last])
  return ffi.cast("void *", last)
end

-- A callback that returns false ends the call, too.
local function guarded(user, act, ...)
  local at = served[tonumber(ffi.cast("intptr_t", user))]
  local good, value = pcall(act, at.target, ...)
  if good then return value == false and 0 or library.constants.TRB_CONTINUE end
  at.call.failed, at.call.failure = true, value
  return 0
end

local function list_of(queries, n)
  local list = {}
  for i = 1, n do
    local q = queries[i - 1]
    list[i] = {
      tokens = structs.numbers(q.tokens, tonumber(q.length)), sequence = tonumber(q.sequence) + 1,
      known = tonumber(q.known), rows = tonumber(q.rows), proposed = tonumber(q.proposed),
    }
  end
  return list
end

-- Calls a method of a model. The rows are the library's memory, and closed when it returns.
local function ask(model, method, queries, n, view)
  local rows = logits.wrap(ffi.new("trb_logits", view[0]))
  local good, value = pcall(model[method], model, list_of(queries, tonumber(n)), rows)
  rows:close()
  if not good then error(value, 0) end
  return value
end

local function tell(progress, done, total)
  return progress(tonumber(done), tonumber(total))
end

local forward = ffi.cast("trb_forward_fn", function(queries, n, out, user)
  return guarded(user, ask, "forward", queries, n, out)
end)
local backward = ffi.cast("trb_backward_fn", function(queries, n, grad, user)
  return guarded(user, ask, "backward", queries, n, grad)
end)
Call.progress = ffi.cast("trb_progress_fn", function(done, total, user) return guarded(user, tell, done, total) end)

-- The trb_model of a table with vocab, dtype, temperature, and the methods forward and backward; nil for nil.
function Call:model(what, model)
  if model == nil then return nil end
  if type(model) ~= "table" then error(("%s: expected a model, got %s"):format(what, type(model)), 0) end
  local made = ffi.new("trb_model", { vocab = model.vocab, temperature = model.temperature })
  made.size, made.dtype = ffi.sizeof(made), library.choice("dtype", "TRB_", model.dtype or "f32")
  made.user = self:serve(model)
  if model.forward then made.forward = forward end
  if model.backward then made.backward = backward end
  return made
end

-- Raises the error of a callback, if there was one.
function Call:rethrow()
  if self.failed then error(self.failure, 0) end
end

local calls = {}

-- A call with so many rows or sequences.
function calls.new(rows)
  return setmetatable({ rows = rows, serves = {}, failed = false, failure = false }, Call)
end

return calls
