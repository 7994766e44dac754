-- Matrices of logits, one row per position: the library reads and writes them where they lie.

local ffi = require "ffi"
local library = require "trb.library"

local Logits = {}
Logits.__index = Logits

local pointers = {
  [library.constants.TRB_F32] = ffi.typeof "float *",
  [library.constants.TRB_F16] = ffi.typeof "uint16_t *",
  [library.constants.TRB_BF16] = ffi.typeof "uint16_t *",
}

-- An object for a trb_logits. `memory` lives as long as the object.
local function wrap(view, memory)
  local data = ffi.cast(pointers[view.dtype], view.data)
  return setmetatable({
    view = view, memory = memory, data = data, rows = tonumber(view.rows), vocab = tonumber(view.vocab),
    stride = tonumber(view.stride),
  }, Logits)
end

local logits = { wrap = wrap }

local function is_array(array, element)
  if type(array) ~= "cdata" then return false end
  return ffi.istype(ffi.typeof("$[?]", element), array)
    or ffi.istype(ffi.typeof("$[" .. math.floor(ffi.sizeof(array) / ffi.sizeof(element)) .. "]", element), array)
end

-- A view of an FFI array, without a copy: float[?] for f32, uint16_t[?] with the bits of f16 or bf16. Row r begins at
-- element r*stride from `first` on.
--   rows, vocab  must be given
--   stride       in elements; vocab if not given
--   first        the element where the matrix begins; 0 if not given
--   dtype        "f32" if not given, "f16", "bf16"
--   temperature  logits are divided by it
--   elements     how many there are; must be given for a pointer, whose memory is then the caller's to keep
function logits.view(array, options)
  local rows, vocab = options.rows, options.vocab
  local stride, first = options.stride or vocab, options.first or 0
  local dtype = library.choice("dtype", "TRB_", options.dtype or "f32")
  if not pointers[dtype] then error(("dtype: expected f32, f16 or bf16, got %s"):format(options.dtype), 0) end
  local element = ffi.typeof(dtype == library.constants.TRB_F32 and "float" or "uint16_t")
  local is_pointer = ffi.istype(pointers[dtype], array)
  if not is_pointer and not is_array(array, element) then
    error(("array: expected elements of type %s, got %s"):format(tostring(element), tostring(array)), 0)
  end
  local elements = options.elements or (not is_pointer and ffi.sizeof(array) / ffi.sizeof(element))
  if not elements then error("elements: expected how many a pointer leads to", 0) end
  if not is_pointer and elements * ffi.sizeof(element) > ffi.sizeof(array) then
    error(("elements: expected at most %d"):format(ffi.sizeof(array) / ffi.sizeof(element)), 0)
  end
  for name, number in pairs { rows = rows, vocab = vocab, stride = stride, first = first } do
    if type(number) ~= "number" or number < 0 or number >= 2 ^ 53 or number % 1 ~= 0 then
      error(("%s: expected a whole number, got %s"):format(name, tostring(number)), 0)
    end
  end
  if rows > 0 and first + (rows - 1) * stride + vocab > elements then
    error(("array: expected at least %d elements, got %d"):format(first + (rows - 1) * stride + vocab, elements), 0)
  end
  local data = ffi.cast(pointers[dtype], array) + first
  return wrap(ffi.new("trb_logits", data, rows, vocab, stride, dtype, options.temperature or 0), array)
end

-- A new matrix of zeros.
function logits.zeros(rows, vocab, dtype, temperature)
  local element = (dtype or "f32") == "f32" and "float[?]" or "uint16_t[?]"
  return logits.view(ffi.new(element, rows * vocab), {
    rows = rows, vocab = vocab, dtype = dtype, temperature = temperature,
  })
end

-- A new matrix of floats from a list of rows.
function logits.matrix(lists, temperature)
  local made = logits.zeros(#lists, #lists[1], "f32", temperature)
  for r, list in ipairs(lists) do made:set(r, list) end
  return made
end

local function row(self, r)
  if type(r) ~= "number" or r < 1 or r > self.view.rows or r % 1 ~= 0 then
    error(("row: expected one of %d, got %s"):format(tonumber(self.view.rows), tostring(r)), 3)
  end
  return self.data + (r - 1) * self.stride
end

-- The elements of row r, from 1 on, as a list.
function Logits:get(r)
  local from, list = row(self, r), {}
  for v = 1, self.vocab do list[v] = from[v - 1] end
  return list
end

-- Writes row r.
function Logits:set(r, list)
  local to = row(self, r)
  if #list ~= self.vocab then error(("row %d: expected %d numbers, got %d"):format(r, self.vocab, #list), 2) end
  for v = 1, self.vocab do to[v - 1] = list[v] end
end

-- Ends a view of memory that goes away.
function Logits:close()
  self.view.rows, self.view.data, self.rows, self.data = 0, nil, 0, nil
end

-- The trb_logits of an argument; nil where none may be given.
function logits.of(what, x, rows)
  if x == nil then return nil end
  if getmetatable(x) ~= Logits then error(("%s: expected logits, got %s"):format(what, type(x)), 0) end
  if rows and x.rows ~= rows then error(("%s: expected %d rows, got %d"):format(what, rows, x.rows), 0) end
  return x.view
end

return logits
