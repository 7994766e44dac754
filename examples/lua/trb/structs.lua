-- Lua's tables as the library's arrays and structs, and back.

local ffi = require "ffi"
local declarations = require "trb.declarations"
local library = require "trb.library"

local structs = {}

-- What a struct points to lives as long as the struct.
local anchors = setmetatable({}, { __mode = "k" })

-- A list of numbers as an array; with `n`, it must have so many.
function structs.array(what, ctype, list, n)
  if type(list) ~= "table" or (n and #list ~= n) then
    local got = type(list) == "table" and #list or type(list)
    error(("%s: expected a list of %s numbers, got %s"):format(what, n or "some", got), 0)
  end
  local made = ffi.new(ctype .. "[?]", #list)
  for i, value in ipairs(list) do
    made[i - 1] = value
    if type(value) == "number" and value == value and tonumber(made[i - 1]) ~= value then
      error(("%s[%d]: expected %s, got %s"):format(what, i, ctype, tostring(value)), 0)
    end
  end
  return made, #list
end

-- One number for all rows, or a list with one for each.
function structs.per_row(what, values, rows)
  if type(values) == "number" then return ffi.new("double[1]", values), 1 end
  return structs.array(what, "double", values, rows)
end

-- Lists of token ids as a trb_texts, and how many ids there are.
function structs.texts(what, lists)
  local flat, offset = {}, { 0 }
  for i, list in ipairs(lists) do
    for _, id in ipairs(list) do flat[#flat + 1] = id end
    offset[i + 1] = #flat
  end
  local tokens, offsets = structs.array(what, "int64_t", flat), structs.array(what, "int64_t", offset)
  local made = ffi.new("trb_texts", tokens, offsets, #lists)
  anchors[made] = { tokens, offsets }
  return made, #flat
end

local function choice(prefix)
  return function(what, name) return library.choice(what, prefix, name) end
end

local function per_row(ctype)
  return function(what, list, call) return structs.array(what, ctype, list, call.rows) end
end

local function counted(ctype, count)
  return function(what, list, _, made)
    local array, n = structs.array(what, ctype, list)
    made[count] = n
    return array
  end
end

local function struct(name)
  return function(_, options, call) return structs.new(name, options, call) end
end

-- Lists of ids, one for each row, as a matrix filled up with -1.
local function ids(what, lists, call, made)
  local k, flat = 0, {}
  if #lists ~= call.rows then error(("%s: expected %d lists, got %d"):format(what, call.rows, #lists), 0) end
  for _, list in ipairs(lists) do k = math.max(k, #list) end
  for r, list in ipairs(lists) do
    for i = 1, k do flat[(r - 1) * k + i] = list[i] or -1 end
  end
  made.k = k
  return structs.array(what, "int64_t", flat)
end

-- Pairs of end tokens { student's, teacher's }.
function structs.ends(what, pairs_)
  local student, teacher = {}, {}
  for i, pair in ipairs(pairs_) do student[i], teacher[i] = pair[1], pair[2] end
  local s, n = structs.array(what, "int64_t", student)
  local t = structs.array(what, "int64_t", teacher, n)
  local made = ffi.new("trb_ends", s, t, n)
  anchors[made] = { s, t }
  return made
end

local function progress(_, act, call, made)
  made.progress_user = call:serve(act)
  return call.progress
end

-- How an option that is no plain number becomes a field.
local rules = {
  trb_context_options = { isa = choice "TRB_ISA_" },
  trb_schedule = {
    kind = choice "TRB_SCHEDULE_", at = counted("int64_t", "points"), budgets = counted("double", "points"),
  },
  trb_solve_options = { method = choice "TRB_METHOD_" },
  trb_sampler = { stream = per_row "uint64_t", index = per_row "int64_t" },
  trb_verify_options = {
    behavior = choice "TRB_BEHAVIOR_", solve = struct "trb_solve_options", sampler = struct "trb_sampler",
  },
  trb_loss_options = { form = choice "TRB_FORM_", support = choice "TRB_SUPPORT_", ids = ids },
  trb_divergence_options = { kind = choice "TRB_DIVERGENCE_" },
  trb_term_options = { estimator = choice "TRB_ESTIMATOR_" },
  trb_rollout_options = {
    behavior = choice "TRB_BEHAVIOR_", solve = struct "trb_solve_options", sampler = struct "trb_sampler",
    stop = counted("int64_t", "n_stop"), ends = structs.ends, progress = progress,
  },
  trb_score_options = { progress = progress },
  trb_train_options = {
    objective = choice "TRB_OBJECTIVE_", norm = choice "TRB_NORM_", grad_dtype = choice "TRB_",
    reverse_kl = struct "trb_loss_options", divergence = struct "trb_divergence_options",
    token = struct "trb_term_options", weight = per_row "double", progress = progress,
  },
}

local function assign(made, name, key, value, call)
  local rule = rules[name][key]
  if rule then
    value = rule(key, value, call, made)
  elseif type(value) == "boolean" then
    value = value and 1 or 0
  elseif type(value) ~= "number" and not ffi.istype("uint64_t", value) and not ffi.istype("int64_t", value) then
    error(("%s: expected a number, got %s"):format(key, type(value)), 0)
  end
  made[key] = value
  if type(value) == "number" and value == value and tonumber(made[key]) ~= value then
    error(("%s: expected %s, got %s"):format(key, "a whole number", tostring(value)), 0)
  end
  if type(value) == "cdata" then table.insert(anchors[made], value) end
end

-- A struct of options from a table of its fields, with its size set. `call.rows` is the length of lists that have an
-- entry for every row. A name that is no field is an error.
function structs.new(name, options, call)
  local made = ffi.new(name)
  made.size, anchors[made] = ffi.sizeof(name), {}
  for key, value in pairs(options or {}) do
    if key == "size" or ffi.offsetof(name, key) == nil then
      error(("%s: no such option of %s"):format(tostring(key), name), 0)
    end
    assign(made, name, key, value, call)
  end
  return made
end

-- A struct of numbers as a table of its fields.
function structs.record(name, from)
  local made = {}
  for _, field in ipairs(declarations.records[name]) do
    local key, of = field[1], field[2]
    if type(of) == "string" then
      made[key] = structs.record(of, from[key])
    elseif of then
      made[key] = {}
      for i = 1, of do made[key][i] = from[key][i - 1] end
    else
      made[key] = tonumber(from[key])
    end
  end
  return made
end

function structs.records(name, from, n)
  local made = {}
  for i = 1, n do made[i] = structs.record(name, from[i - 1]) end
  return made
end

function structs.numbers(from, n)
  local made = {}
  for i = 1, n do made[i] = tonumber(from[i - 1]) end
  return made
end

-- Blends of an earlier call as an array of them.
function structs.blends(name, list, rows)
  if type(list) ~= "table" or #list ~= rows then
    error(("blend: expected %d blends, got %s"):format(rows, type(list) == "table" and #list or type(list)), 0)
  end
  return ffi.new(name .. "[?]", rows, list)
end

-- A teacher known by lists, { ids, log_q, least_rest }, as a trb_sparse: ids and log_q have a list for each row.
function structs.sparse(what, teacher, rows)
  if type(teacher) ~= "table" or type(teacher.ids) ~= "table" or type(teacher.log_q) ~= "table" then
    error(("%s: expected a table with ids and log_q, got %s"):format(what, type(teacher)), 0)
  end
  local ids, log_q, offset = {}, {}, { 0 }
  if #teacher.ids ~= rows or #teacher.log_q ~= rows then
    error(("%s: expected %d lists, got %d of ids and %d of log_q"):format(what, rows, #teacher.ids, #teacher.log_q), 0)
  end
  for r = 1, rows do
    local of, logs = teacher.ids[r], teacher.log_q[r]
    if #of ~= #logs then error(("%s: expected %d log_q in list %d, got %d"):format(what, #of, r, #logs), 0) end
    for i, id in ipairs(of) do ids[#ids + 1], log_q[#log_q + 1] = id, logs[i] end
    offset[r + 1] = #ids
  end
  local entries, offsets = structs.array(what .. ".ids", "int64_t", ids), structs.array(what, "int64_t", offset)
  local logs = ffi.new("float[?]", #log_q, log_q)
  local made = ffi.new("trb_sparse", entries, logs, offsets, 0, teacher.least_rest or 0)
  anchors[made] = { entries, logs, offsets }
  return made
end

return structs
