#!/bin/sh
# Tests every binding below examples/ against a build, and that generated declarations are those of trb.h.
# usage: test/bindings/run.sh LIBDIR WORK [LANGUAGE...]. A language whose tools are missing is skipped, or with
# SKIPPED=fail an error. The last line counts.
set -eu
cd "$(dirname "$0")/../.."
libdir=$(cd "$1" && pwd)
mkdir -p "$2"
work=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- $(for check in examples/*/check.sh; do basename "$(dirname "$check")"; done)

passed=0 failed=0 skipped=0
verdict() { # NAME STATUS
    case $2 in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)); echo "check-bindings: FAILED: $1" ;;
    esac
}

status=0
"${PYTHON:-python3}" examples/declarations check || status=$?
verdict declarations $status
for language; do
    rm -rf "${work:?}/$language"
    mkdir -p "$work/$language"
    status=0
    TRB_LIBDIR=$libdir TRB_INCLUDE=$PWD/include TRB_WORK=$work/$language sh "examples/$language/check.sh" || status=$?
    verdict "$language" $status
done
[ "${SKIPPED:-}" != fail ] || failed=$((failed + skipped))
echo "check-bindings: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
