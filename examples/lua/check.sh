#!/bin/sh
# Runs the tests and the example of the LuaJIT binding: TRB_LIBDIR holds libtrb.so.
set -eu

command -v luajit > /dev/null || { echo "lua: skipped: no luajit (Debian: luajit)"; exit 77; }

here=$(dirname "$0")
LUA_PATH="$here/?.lua"
TRB_LIBRARY="$TRB_LIBDIR/libtrb.so"
export LUA_PATH TRB_LIBRARY

luajit "$here/example.lua"
luajit "$here/test.lua"
