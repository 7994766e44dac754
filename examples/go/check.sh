#!/bin/sh
# Builds and runs the tests and the example of the Go binding. What Go caches goes to $TRB_WORK.
set -eu

for tool in go gcc pkg-config; do
  command -v "$tool" >/dev/null || { echo "go: skipped: no $tool (Debian: golang-go gcc pkg-config)" && exit 77; }
done

printf 'Name: trb\nDescription: trb\nVersion: 0\nCflags: -I%s\nLibs: -L%s -ltrb\n' "$TRB_INCLUDE" "$TRB_LIBDIR" \
  >"$TRB_WORK/trb.pc"
export PKG_CONFIG_PATH="$TRB_WORK" LD_LIBRARY_PATH="$TRB_LIBDIR" CGO_ENABLED=1
export GOCACHE="$TRB_WORK/cache" GOPATH="$TRB_WORK/path" GOTMPDIR="$TRB_WORK" GOPROXY=off GOFLAGS=-buildvcs=false
cd "$(dirname "$0")"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "go: not as gofmt has it: $unformatted" && exit 1; }
go vet ./...
GODEBUG=cgocheck=2 go test -count=1 -v ./... >"$TRB_WORK/log" 2>&1 || {
  cat "$TRB_WORK/log"
  exit 1
}
awk '/^--- PASS/ { n++ } END { printf "go: %d passed, 0 failed\n", n; exit n == 0 }' "$TRB_WORK/log"
