#!/usr/bin/env bash
# Installs libtrb into scratch trees, uses it there as its users would, and removes it.  Run by `make check-install`.
set -euo pipefail
cd "$(dirname "$0")/../.."

make=${MAKE:-make}
cc=${CC:-cc}
python=${PYTHON:-python3}
here=$PWD/test/install
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

version=$(sed -n 's/^#define TRB_VERSION_M[A-Z]* *\([0-9]*\).*/\1/p; s/^#define TRB_VERSION_PATCH *\([0-9]*\).*/\1/p' \
    include/trb.h | paste -sd. -)

say() { echo "check-install: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

# installed ACTION DESTDIR PREFIX LIBDIR
installed() {
    $make -s --no-print-directory "$1" DESTDIR="$2" PREFIX="$3" LIBDIR="$4" INCLUDEDIR="$3/include" \
        MANDIR="$3/share/man" DOCDIR="$3/share/doc/libtrb"
}
# Directories that libtrb shares with others may stay.
nothing_left() {
    local left
    left=$(find "$1" -mindepth 1 \( ! -type d -o -name '*trb*' \))
    [ -z "$left" ] || fail "left after uninstall: $left"
}
# pc TREE/LIBDIR ARGUMENTS...: pkg-config sees this tree and nothing else.
pc() {
    PKG_CONFIG_LIBDIR=$1/pkgconfig PKG_CONFIG_PATH='' "${PKG_CONFIG:-pkg-config}" "${@:2}" trb
}
compile() { # OUTPUT ARGUMENTS...
    $cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$here/consumer.c" -o "$@"
}

say "libtrb $version into DESTDIR"
stage=$scratch/stage
for target in install install-html; do installed $target "$stage" /opt/trb /opt/trb/lib; done
for file in include/trb.h lib/libtrb.a lib/pkgconfig/trb.pc lib/cmake/trb/trb-config.cmake \
    lib/cmake/trb/trb-config-version.cmake share/man/man3/libtrb.3 share/man/man3/trb_solve.3 \
    share/doc/libtrb/{README.md,CHANGELOG.md,docs/math.md,docs/benchmarks.svg,html/trb_8h.html}; do
    [ -s "$stage/opt/trb/$file" ] || fail "$file was not installed"
done
if grep -rIl -e '@[A-Z_]*@' -e "$stage" "$stage"; then fail "a template was not filled in, or names the stage"; fi
while read -r name; do
    grep -q "^\.Nm $name\b" docs/man/libtrb.3 || fail "docs/man/libtrb.3 does not name $name"
done < <(sed -n 's/^ *\(trb_[a-z_]*\);.*/\1/p' lib/libtrb.map)
installed uninstall "$stage" /opt/trb /opt/trb/lib
nothing_left "$stage/opt/trb"

for lib in lib lib/some-multiarch; do
    say "pkg-config, $lib"
    prefix=$scratch/first/$lib/usr
    installed install '' "$prefix" "$prefix/$lib"
    # What is installed may be moved: nothing below refers to where it was.
    moved=$scratch/moved/$lib/usr
    mkdir -p "$(dirname "$moved")"
    cp -RP "$prefix" "$moved"
    installed uninstall '' "$prefix" "$prefix/$lib"
    nothing_left "$prefix"

    [ "$(pc "$moved/$lib" --modversion)" = "$version" ] || fail "version of trb.pc"
    # shellcheck disable=SC2046
    compile "$scratch/shared" $(pc "$moved/$lib" --cflags --libs) -Wl,-rpath,"$moved/$lib"
    "$scratch/shared"

    say "CMake, $lib"
    cmake -S "$here" -B "$scratch/cmake/$lib" -DWANTED="$version" -DCMAKE_C_COMPILER="${cc%% *}" \
        -DCMAKE_PREFIX_PATH="$moved;$moved/$lib/cmake/trb" >"$scratch/log" || { cat "$scratch/log"; fail "cmake"; }
    cmake --build "$scratch/cmake/$lib" >"$scratch/log" || { cat "$scratch/log"; fail "cmake --build"; }
    "$scratch/cmake/$lib/shared"
    "$scratch/cmake/$lib/static"

    say "Python, $lib"
    library=$(find "$moved/$lib" -name 'libtrb.so.[0-9]' -o -name 'libtrb.[0-9].dylib')
    "$python" "$here/consumer.py" "$library" test/abi/layout.txt "$version"

    say "static, $lib"
    rm -f "$moved/$lib"/libtrb*.so* "$moved/$lib"/libtrb*.dylib
    # shellcheck disable=SC2046
    compile "$scratch/static" $(pc "$moved/$lib" --static --cflags --libs)
    "$scratch/static"
done

say "LIBDIR outside PREFIX"
installed install '' "$scratch/apart/usr" "$scratch/apart/libraries"
# shellcheck disable=SC2046
compile "$scratch/shared" $(pc "$scratch/apart/libraries" --cflags --libs) -Wl,-rpath,"$scratch/apart/libraries"
"$scratch/shared"
cmake -S "$here" -B "$scratch/cmake/apart" -DWANTED="$version" \
    -DCMAKE_PREFIX_PATH="$scratch/apart/libraries/cmake/trb" >"$scratch/log" || { cat "$scratch/log"; fail "cmake"; }
installed uninstall '' "$scratch/apart/usr" "$scratch/apart/libraries"
nothing_left "$scratch/apart"

say "the header as C and C++"
for compiler in gcc clang; do
    command -v $compiler >/dev/null || fail "$compiler is not installed"
    for standard in c99 c11 c17; do
        $compiler -std=$standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c include/trb.h
    done
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || fail "$compiler is not installed"
    for standard in c++11 c++17 c++20; do
        $compiler -std=$standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Iinclude -x c++ - <<<'#include "trb.h"
int main() { return trb_version() == 0; }'
    done
done
say "passed"
