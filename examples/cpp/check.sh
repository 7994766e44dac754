#!/bin/sh
# Builds and runs the tests and the example of the C++ binding: both compilers, both standards, and sanitizers.
set -eu

here=$(dirname "$0")
for tool in g++ clang++; do
  if ! command -v "$tool" >/dev/null; then
    case $tool in g++) package=g++ ;; *) package=clang ;; esac
    echo "cpp: skipped: no $tool (Debian: $package)"
    exit 77
  fi
done

# build COMPILER FLAGS SOURCE PROGRAM
build() {
  # shellcheck disable=SC2086
  "$1" $2 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror -I"$TRB_INCLUDE" -I"$here" \
    "$here/$3" -o "$TRB_WORK/$4" -L"$TRB_LIBDIR" -Wl,-rpath,"$TRB_LIBDIR" -ltrb -lpthread
}

build g++ -std=c++17 example.cpp example
"$TRB_WORK/example"
build g++ -std=c++17 test.cpp test-g++
build clang++ -std=c++20 test.cpp test-clang++
build g++ "-std=c++17 -g -fsanitize=address,undefined -fno-sanitize-recover=all" test.cpp test-sanitized
for test in test-g++ test-clang++ test-sanitized; do
  "$TRB_WORK/$test"
done
