#!/bin/sh
# Tests and examples of the Python package; run by `make check-bindings`.
set -eu
here=examples/python
python=
for candidate in "${PYTHON:-python3}" /usr/bin/python3; do
    if "$candidate" -c 'import numpy' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo 'python: skipped: no NumPy (Debian: python3-numpy)'; exit 77; }
export TRB_LIBRARY="$TRB_LIBDIR/libtrb.so" PYTHONPATH="$PWD/$here" PYTHONDONTWRITEBYTECODE=1
"$python" -W error::ResourceWarning -m unittest discover -s "$here/tests" 2>"$TRB_WORK/log" || { cat "$TRB_WORK/log"; exit 1; }
cat "$TRB_WORK/log"
if "$python" -c 'import torch' 2>/dev/null; then
    "$python" "$here/train_torch.py" 8
else
    echo 'python: no PyTorch (Debian: python3-torch): trb.torch is not tested'
fi
"$python" "$here/bench.py"
if command -v mypy >/dev/null; then
    (cd "$here" && mypy --cache-dir "$TRB_WORK/mypy" --ignore-missing-imports -p trb &&
        mypy --cache-dir "$TRB_WORK/mypy" --strict --follow-imports=silent tests/typed.py)
else
    echo 'python: no mypy (Debian: mypy): type hints are not tested'
fi
echo "python: $(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$TRB_WORK/log") passed, 0 failed"
