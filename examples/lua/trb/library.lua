-- Finds libtrb, checks it against the declarations, and tells what a status says.

local ffi = require "ffi"
local declarations = require "trb.declarations"

local major, minor = declarations.version[1], declarations.version[2]
local path = os.getenv "TRB_LIBRARY" or (ffi.os == "OSX" and "libtrb.%d.dylib" or "libtrb.so.%d"):format(major)
local lib = ffi.load(path)

local version = lib.trb_version()
if bit.rshift(version, 16) ~= major or bit.band(bit.rshift(version, 8), 255) < minor then
  error(("libtrb: expected version %d.%d or later of the same major, %s has %d.%d"):format(
    major, minor, path, bit.rshift(version, 16), bit.band(bit.rshift(version, 8), 255)))
end

-- A struct that begins with its size may have grown at its end.
for _, name in ipairs(declarations.structs) do
  local theirs, ours = ffi.new "int64_t[1]", ffi.sizeof(name)
  lib.trb_constant("sizeof(" .. name .. ")", theirs)
  if theirs[0] < ours or (theirs[0] > ours and ffi.offsetof(name, "size") == nil) then
    error(("libtrb: expected %s to have %d bytes, %s has %d"):format(name, ours, path, tonumber(theirs[0])))
  end
end

local library = { lib = lib, constants = declarations.constants }

local Error = {}
Error.__index = Error

function Error:__tostring()
  return self.message
end

-- Raises what a failed call said: `status` is a TRB_E number, `message` the library's text, `result` what the call
-- computed all the same.
function library.fail(status, text, result)
  local meaning = ffi.string(lib.trb_strerror(status))
  local message = text == "" and meaning or meaning .. ": " .. text
  error(setmetatable({ status = status, message = message, result = result }, Error), 0)
end

function library.row_text(row_status)
  return ffi.string(lib.trb_row_strerror(row_status))
end

-- The number of a constant by the end of its name: choice("form", "TRB_FORM_", "tail_bucket").
function library.choice(what, prefix, name)
  local value = declarations.constants[prefix .. tostring(name):upper()]
  if value then return value end
  local known = {}
  for constant in pairs(declarations.constants) do
    if constant:sub(1, #prefix) == prefix then known[#known + 1] = constant:sub(#prefix + 1):lower() end
  end
  table.sort(known)
  error(("%s: expected one of %s, got %s"):format(what, table.concat(known, ", "), tostring(name)), 0)
end

return library
