#!/usr/bin/env bash
# Makes the source archive in several ways and works in what it unpacks to, where git must not be needed.  Run by
# `make check-dist`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/packages/checks.sh
unset SOURCE_DATE_EPOCH

$make -s dist >"$scratch/name"
archive=$PWD/$(tail -n 1 "$scratch/name")
tree=$scratch/$(basename "$archive" .tar.xz)
cp "$archive" "$scratch/first.tar.xz"
tar -C "$scratch" -xf "$archive"
mkdir "$scratch/bin"
printf '#!/bin/sh\necho "git was called: $*" >&2\nexit 1\n' >"$scratch/bin/git"
chmod +x "$scratch/bin/git"

again() {
    (umask 077 && TZ=Asia/Tokyo LC_ALL=C $make -s dist)
    cmp "$archive" "$scratch/first.tar.xz"
}
committed() {
    diff <(git ls-tree -r --name-only HEAD | sort) <(cd "$tree" && find . -type f | sed 's,^\./,,' | sort)
}
# What it says of every file: owner, time.
stamped() {
    SOURCE_DATE_EPOCH=86400 $make -s dist
    local entries
    entries=$(tar --numeric-owner --utc --full-time -tvf "$archive" | awk '{ print $2, $4, $5 }' | sort -u)
    [ "$entries" = '0/0 1970-01-02 00:00:00' ] || { echo "$entries"; return 1; }
}
unpacked() { # TARGET...
    PATH=$scratch/bin:$PATH $make -s -C "$tree" "$@"
}
same() {
    unpacked dist
    cmp "$tree/build/$(basename "$archive")" "$scratch/first.tar.xz"
}

check 'times are those of SOURCE_DATE_EPOCH' stamped
check 'made again: the same bytes' again
if [ -e .git ]; then check 'it holds what is committed' committed; fi
check 'unpacked: builds' unpacked all
check 'unpacked: gives the committed bits' unpacked check-vectors
check 'unpacked: installs' unpacked check-install
check 'unpacked: makes the same archive' same
finish check-dist
