-- Sequences, and what is known of each sampled token.
--
--   rollouts.n, rollouts.n_tokens   sequences, and sampled tokens of all of them
--   rollouts:text(i)                a sequence, from 1 on: its prompt and its response
--   rollouts:response(i)            its sampled tokens
--   rollouts:get(name)              a field of trb_rollouts: a number, or a list copied from the library's memory
--   rollouts:close()                frees them now and not when they are collected

local ffi = require "ffi"
local library = require "trb.library"
local structs = require "trb.structs"

local Rollouts = {}
Rollouts.__index = Rollouts

local rollouts = {}

function rollouts.wrap(handle)
  return setmetatable({
    handle = ffi.gc(handle, library.lib.trb_rollouts_free),
    n = tonumber(handle.n), n_tokens = tonumber(handle.n_tokens), busy = false,
  }, Rollouts)
end

-- The trb_rollouts of an argument.
function rollouts.of(x)
  if getmetatable(x) ~= Rollouts then error(("rollouts: expected rollouts, got %s"):format(type(x)), 0) end
  if not x.handle then error("the rollouts are closed", 0) end
  return x.handle
end

-- The same of rollouts that are to be changed or freed.
function rollouts.of_idle(x)
  local handle = rollouts.of(x)
  if x.busy then error("the rollouts serve a call", 0) end
  return handle
end

-- Runs act(...) with rollouts that callbacks may read alone.
function rollouts.serve(x, act, ...)
  local before = x.busy
  x.busy = true
  local good, value = pcall(act, ...)
  x.busy = before
  if not good then error(value, 0) end
  return value
end

function Rollouts:get(name)
  local handle = rollouts.of(self)
  local value = handle[name]
  if type(value) == "number" then return value end
  if ffi.istype("int64_t", value) or ffi.istype("size_t", value) then return tonumber(value) end
  local n = tonumber(handle.n)
  local lengths = {
    stream = n, stop = n, row = n, offset = n + 1, text_offset = n + 1, text = tonumber(handle.text_offset[n]),
  }
  local list = {}
  for i = 1, lengths[name] or tonumber(handle.n_tokens) do
    list[i] = name == "stream" and value[i - 1] or tonumber(value[i - 1]) -- a stream may need all of its 64 bits
  end
  return list
end

local function part(n, tokens, offset, i)
  if type(i) ~= "number" or i < 1 or i > n or i % 1 ~= 0 then
    error(("sequence: expected one of %d, got %s"):format(n, tostring(i)), 3)
  end
  return structs.numbers(tokens + offset[i - 1], tonumber(offset[i] - offset[i - 1]))
end

function Rollouts:text(i)
  local handle = rollouts.of(self)
  return part(tonumber(handle.n), handle.text, handle.text_offset, i)
end

function Rollouts:response(i)
  local handle = rollouts.of(self)
  return part(tonumber(handle.n), handle.token, handle.offset, i)
end

function Rollouts:close()
  if not self.handle then return end
  library.lib.trb_rollouts_free(ffi.gc(rollouts.of_idle(self), nil))
  self.handle = nil
end

return rollouts
