# Sourced by the scripts of this directory: runs checks by name, shows what a failed one printed, counts.
make=${MAKE:-make}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

check() { # NAME COMMAND...
    "${@:2}" >"$scratch/log" 2>&1 </dev/null & # not as a condition, where bash would ignore set -e inside of it
    if wait $!; then
        passed=$((passed + 1))
        echo "ok      $1"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        tail -n 60 "$scratch/log" | sed 's/^/    /'
    fi
}
finish() { # NAME
    echo "$1: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
