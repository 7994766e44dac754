#!/usr/bin/env bash
# Checks Debian packages: by lintian, and unpacked into a scratch root as programs would use them.  With PACKAGES_INSTALL=1
# dpkg also installs them on this machine, as root, and removes them.  Run by `make check-packages`.
#
# usage: run.sh DIRECTORY, which holds the packages
set -euo pipefail
packages=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
. test/packages/checks.sh

cc=${CC:-cc}
python=/usr/bin/python3 # whose modules Debian's packages are
names='libtrb0 libtrb-dev libtrb-doc python3-trb'
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
root=$scratch/root
mkdir "$root"
for name in $names; do dpkg-deb -x "$packages/$name"_*.deb "$root"; done

say() { echo "check-packages: $*"; }

# The first C program of README.md, and what it prints.
awk '/^```/ { if (on) exit; on = $0 == "```c"; next } on' README.md >"$scratch/program.c"
awk '/^```/ { if (on) exit; c = c || $0 == "```c"; on = c && $0 == "```text"; next } on' README.md >"$scratch/expected"
[ -s "$scratch/program.c" ] && [ -s "$scratch/expected" ]
prints() { # COMMAND...
    "$@" | diff "$scratch/expected" -
}
from_root() { # COMMAND...: with the scratch root's trb.pc, and its libraries before the system's
    env PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$root/usr/lib/$triplet/pkgconfig" \
        LD_LIBRARY_PATH="$root/usr/lib/$triplet" PYTHONPATH="$root/usr/lib/python3/dist-packages" "$@"
}

complete() {
    local file
    for file in "lib/$triplet/libtrb.so.0" "lib/$triplet/libtrb.so" include/trb.h share/man/man3/libtrb.3.gz \
        share/doc/libtrb-dev/{README.md,docs/embedding.md,html/trb_8h.html,examples/blend.c}; do
        [ -s "$root/usr/$file" ] || { echo "$file is missing"; return 1; }
    done
    sed -n 's/^ *\(trb_[a-z0-9_]*\);.*/\1/p' lib/libtrb.map | while read -r file; do
        [ -s "$root/usr/share/man/man3/$file.3.gz" ] || { echo "no manual page of $file"; return 1; }
    done
}
shared() { # ENVIRONMENT
    # shellcheck disable=SC2046
    $cc -std=c11 "$scratch/program.c" -o "$scratch/shared" $($1 pkg-config --cflags --libs trb)
    readelf -d "$scratch/shared" | grep -q 'NEEDED.*\[libtrb\.so\.0\]'
    prints $1 "$scratch/shared"
}
static() {
    # shellcheck disable=SC2046
    $cc -std=c11 "$scratch/program.c" -o "$scratch/static" $(from_root pkg-config --cflags trb) \
        "$root/usr/lib/$triplet/libtrb.a" -lm -lpthread
    prints env -u LD_LIBRARY_PATH "$scratch/static"
}
by_cmake() {
    cmake -S test/install -B "$scratch/cmake" -DWANTED="$(from_root pkg-config --modversion trb)" \
        -DCMAKE_C_COMPILER="${cc%% *}" -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF
    cmake --build "$scratch/cmake"
    "$scratch/cmake/shared"
    "$scratch/cmake/static"
}
# python_in ENVIRONMENT ROOT: module and library must be those below ROOT.
python_in() {
    cd /
    $1 "$python" -B - "$2" <<'END'
import os, sys
import numpy
import trb

blend = trb.solve(numpy.array([2, 1, 0, -1], "f4"), numpy.array([0, 3, 1, -1], "f4"), budget=0.05)
assert f"{blend.beta:.3f}" == "0.171", blend.beta
with open("/proc/self/maps") as maps:
    library = next(line.split()[-1] for line in maps if "/libtrb.so" in line)
print(trb.__file__, library)
for path in (trb.__file__, library):
    assert os.path.realpath(path).startswith(os.path.realpath(sys.argv[1] + "/usr/lib") + "/"), path
END
}

# What follows is for the machine itself.
absent() {
    local name
    for name in $names; do
        if dpkg-query -W -f='${db:Status-Status}' $name 2>/dev/null | grep -v -e not-installed; then
            echo "$name is known to dpkg on this machine"
            return 1
        fi
    done
}
install_all() {
    local name debs=()
    for name in $names; do debs+=("$packages/$name"_*.deb); done
    dpkg -i "${debs[@]}"
}
remove_all() {
    # shellcheck disable=SC2086
    dpkg -r $names
    absent
    local left
    left=$(cd "$root" && find . ! -type d -o -name '*trb*' | while read -r file; do
        if [ -e "/$file" ] || [ -L "/$file" ]; then echo "/$file"; fi
    done)
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}

check 'lintian' lintian --allow-root --fail-on error,warning "$packages"/*.changes
check 'what should be there is' complete
check 'C, shared, by pkg-config' shared from_root
check 'C, static' static
check 'CMake' by_cmake
check 'Python' python_in from_root "$root"
if [ "${PACKAGES_INSTALL:-0}" = 1 ]; then
    check 'this machine has none of them' absent
    if [ "$failed" = 0 ]; then
        say "installing and removing them on this machine: $names"
        check 'dpkg -i' install_all
        check 'installed: C by pkg-config' shared env
        check 'installed: Python' python_in env ''
        check 'dpkg -r leaves nothing' remove_all
    fi
else
    say "nothing was installed on this machine, because PACKAGES_INSTALL is not 1"
fi
finish check-packages
