#!/bin/sh
# Builds and runs the tests and the example of the Rust binding, on a copy, since Cargo writes beside its manifest.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for tool in rustc cargo; do
  command -v "$tool" >/dev/null || { echo "rust: skipped: no $tool (Debian: $tool)" && exit 77; }
done

rm -rf "$TRB_WORK/crate"
cp -R "$here" "$TRB_WORK/crate"
cd "$TRB_WORK/crate"
export CARGO_HOME="$TRB_WORK/home" CARGO_TARGET_DIR="$TRB_WORK/target"
export RUSTDOCFLAGS="-D warnings -L native=$TRB_LIBDIR"
export RUSTFLAGS="$RUSTDOCFLAGS -C link-arg=-Wl,-rpath,$TRB_LIBDIR" LD_LIBRARY_PATH="$TRB_LIBDIR"
cargo run --quiet --offline --example counting
cargo test --offline >"$TRB_WORK/log" 2>&1 || {
  cat "$TRB_WORK/log"
  exit 1
}
sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$TRB_WORK/log" |
  awk '{ n += $1 } END { printf "rust: %d passed, 0 failed\n", n; exit n == 0 }'
