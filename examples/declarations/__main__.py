"""Writes what languages that cannot read a C header need to know of include/trb.h.

usage: python3 examples/declarations write    write every language's declarations
       python3 examples/declarations check    fail if one of them is not what would be written
"""

import difflib
import importlib
import io
import pathlib
import sys

from header import Header

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent

# Each of them is a module here with a function write(header, out).
WRITTEN = {
    "python": "python/trb/_declarations.py",
    "lua": "lua/trb/declarations.lua",
    "rust": "rust/src/sys.rs",
    "go": "go/records.go",
    "java": "java/trb/Declarations.java",
}


def main(arguments):
    if arguments not in (["write"], ["check"]):
        raise SystemExit("\n".join(__doc__.splitlines()[2:]))
    header = Header((EXAMPLES.parent / "include" / "trb.h").read_text(encoding="utf-8"))
    header.note = "Written by examples/declarations, not by hand."
    stale = False
    for language, path in WRITTEN.items():
        out, file = io.StringIO(), EXAMPLES / path
        importlib.import_module(language).write(header, out)
        if arguments == ["write"]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(out.getvalue(), encoding="utf-8")
            continue
        found = file.read_text(encoding="utf-8") if file.exists() else ""
        difference = list(difflib.unified_diff(found.splitlines(), out.getvalue().splitlines(), str(file), "include/trb.h",
                                               lineterm=""))
        if difference:
            stale = True
            print("\n".join(difference[:40]))
    if stale:
        raise SystemExit("declarations: out of date: run `make declarations`")


main(sys.argv[1:])
