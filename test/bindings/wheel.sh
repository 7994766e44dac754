#!/bin/sh
# Builds the wheel, installs it into an empty virtual environment and runs the package's tests there.
# usage: test/bindings/wheel.sh LIBRARY OUT
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
"$python" -c 'import numpy, setuptools, wheel, venv' 2>/dev/null || python=/usr/bin/python3
mkdir -p "$2"
out=$(cd "$2" && pwd)
rm -rf "$out/source" "$out/venv" "$out"/*.whl
cp -R examples/python "$out/source"
cp "$1" "$out/source/trb/$(objdump -p "$1" | sed -n 's/^ *SONAME *//p')"
strip --strip-unneeded "$out"/source/trb/libtrb.so.*

# What the library wants of glibc is what the wheel says (PEP 600).
needed=$(objdump -p "$1" | sed -n 's/^ *NEEDED *//p' | grep -v -x -e libc.so.6 -e libm.so.6 -e 'ld-linux.*' || true)
[ -z "$needed" ] || { echo "wheel: the library needs $needed, which a wheel may not count on"; exit 1; }
minor=$(objdump -T "$1" | sed -n 's/.*GLIBC_2\.\([0-9]*\).*/\1/p' | sort -n | tail -n 1)
export TRB_PLATFORM="manylinux_2_${minor}_$(uname -m)"

# NumPy, setuptools and wheel are the system's.
"$python" -m venv --system-site-packages "$out/venv"
"$out/venv/bin/python" -m pip --disable-pip-version-check wheel -q --no-deps --no-build-isolation --no-index \
    -w "$out" "$out/source"
rm -rf "$out/source"
"$out/venv/bin/python" -m pip --disable-pip-version-check install -q --no-deps --no-index "$out"/trb-*.whl
cd "$out"
unset TRB_LIBRARY PYTHONPATH
venv/bin/python - <<'EOF'
import pathlib, sys
import trb
from trb._library import library
where = pathlib.Path(library._name)
assert where.parent == pathlib.Path(trb.__file__).parent and "venv" in where.parts, where
EOF
venv/bin/python -m unittest discover -s "$OLDPWD/examples/python/tests" -t "$OLDPWD/examples/python/tests"
ls trb-*.whl
