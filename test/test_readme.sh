#!/bin/sh
# Compiles and runs the programs that README.md prints and compares their output with the block that follows each.
#
# usage: test_readme.sh INCLUDE_DIR BUILD_DIR [README]
#   INCLUDE_DIR  holds trb.h
#   BUILD_DIR    holds the shared library: libtrb.so or libtrb.dylib
#   CC, CFLAGS, LDFLAGS and PYTHON are heeded. Without a Python that has NumPy the Python block is skipped, and that is
#   said.
set -eu

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo 'usage: test_readme.sh INCLUDE_DIR BUILD_DIR [README]' >&2
  exit 2
fi
include=$(cd "$1" && pwd)
build=$(cd "$2" && pwd)
readme=${3:-$(dirname "$0")/../README.md}
python=${PYTHON:-python3}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# block LANGUAGE: the first fenced block of that language.
block() {
  awk -v open="\`\`\`$1" '
    inside && /^```/ { exit }
    inside { print }
    $0 == open { inside = 1 }' "$readme"
}

# output LANGUAGE: the first block of text after the first block of that language.
output() {
  awk -v open="\`\`\`$1" '
    inside && /^```/ { exit }
    inside { print }
    $0 == open { seen = 1 }
    seen && $0 == "```text" { inside = 1 }' "$readme"
}

# compare LANGUAGE: what ran wrote $scratch/got.
compare() {
  output "$1" >"$scratch/expected"
  [ -s "$scratch/expected" ] || { echo "test_readme: no output block for $1 in $readme" >&2; exit 1; }
  if ! diff -u "$scratch/expected" "$scratch/got"; then
    echo "test_readme: the $1 block of $readme prints something else (-: README, +: program)" >&2
    exit 1
  fi
  echo "test_readme: $1: ok"
}

library=
for name in libtrb.so libtrb.dylib; do
  [ -e "$build/$name" ] && library=$build/$name
done
[ -n "$library" ] || { echo "test_readme: no shared library in $build" >&2; exit 1; }

block c >"$scratch/program.c"
[ -s "$scratch/program.c" ] || { echo "test_readme: no c block in $readme" >&2; exit 1; }
# CC, CFLAGS and LDFLAGS may hold several words.
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -Wall -Wextra -Werror ${CFLAGS:-} -I"$include" "$scratch/program.c" -o "$scratch/program" \
  ${LDFLAGS:-} -L"$build" -ltrb -Wl,-rpath,"$build"
"$scratch/program" >"$scratch/got"
compare c

block python >"$scratch/program.py"
[ -s "$scratch/program.py" ] || { echo "test_readme: no python block in $readme" >&2; exit 1; }
found=
for candidate in "$python" /usr/bin/python3; do
  if "$candidate" -c 'import numpy' 2>/dev/null; then found=$candidate; break; fi
done
if [ -z "$found" ]; then
  echo "test_readme: python: skipped, there is no $python with NumPy"
  exit 0
fi
PYTHONPATH=$(cd "$(dirname "$0")/../examples/python" && pwd) PYTHONDONTWRITEBYTECODE=1 TRB_LIBRARY=$library \
  "$found" "$scratch/program.py" >"$scratch/got"
compare python
