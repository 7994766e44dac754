#!/usr/bin/env python3
"""Compares the binary interface of libtrb with the committed one.

usage: abi.py check|update SHARED STATIC     (from the top of the tree; `make abi-check`, `make abi-update`)

1. The dynamic symbols of SHARED are the names of lib/libtrb.map and the functions that include/trb.h declares, and
   SHARED needs nothing but the C library at run time.
2. STATIC defines no global symbol but trb_* and trbi_*.
3. Size of every public struct, type and offset of every field and value of every constant are those of
   test/abi/layout.txt (LP64).  The names come from the header, so none can be forgotten.
4. abidiff finds no difference between the types that SHARED uses and the dump in test/abi/libtrb.abi.

A difference in 3 or 4 is printed and fails, unless the section [Unreleased] of CHANGELOG.md has a line that begins
with "ABI:" and so declares it.  Everything else fails always.
"""

import difflib
import os
import re
import subprocess
import sys
import tempfile

HEADER = "include/trb.h"
MAP = "lib/libtrb.map"
CHANGELOG = "CHANGELOG.md"
LAYOUT = "test/abi/layout.txt"
DUMP = "test/abi/libtrb.abi"
MAY_NEED = re.compile(r"libc|libm|libpthread|libSystem|ld-linux[a-z0-9_-]*")


def run(*command):
    """Standard output of a command that must succeed."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    except FileNotFoundError:
        sys.exit(f"abi: {command[0]} is not installed; `make deps` installs it")
    except subprocess.CalledProcessError as error:
        sys.exit(f"abi: {' '.join(command)} failed with status {error.returncode}")


class Header:
    """What the public header declares: functions, structs with their fields, constants."""

    def __init__(self, path):
        text = open(path, encoding="utf-8").read()
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        self.constants = []
        text = re.sub(r"^#.*(\\\n.*)*$", "", text, flags=re.M)
        self.functions = re.findall(r"\bTRB_API\b[^;(]*?(\w+)\s*\(", text)
        for body in re.findall(r"\benum\b[^{;]*\{(.*?)\}", text, flags=re.S):
            self.constants += re.findall(r"(?:^|,)\s*(\w+)", body)
        self.structs = {}
        for name, body, alias in re.findall(r"\bstruct\s+(\w+)\s*\{(.*?)\}\s*(\w*)\s*;", text, flags=re.S):
            if name != alias:
                sys.exit(f"abi: struct {name} needs a typedef of the same name")
            self.structs[name] = [self.field(name, item) for item in body.split(";") if item.strip()]
        self.opaque = set(re.findall(r"\btypedef\s+struct\s+(\w+)\s+\w+\s*;", text))
        self.count_declarations(text)

    @staticmethod
    def field(struct, declaration):
        """(type, name, length) of one declaration, which must declare one plain field or array."""
        match = re.fullmatch(r"\s*([\w\s*]*[\s*])(\w+)((?:\[\w+\])?)\s*", declaration)
        if not match:
            sys.exit(f"abi: cannot read a field of {struct}: {' '.join(declaration.split())}")
        return re.sub(r"\s+", " ", match.group(1)).lstrip(), match.group(2), match.group(3)

    def count_declarations(self, text):
        """The patterns above must have seen every declaration."""
        seen = {"struct bodies": (len(re.findall(r"\bstruct\b[^;{(]*\{", text)), len(self.structs)),
                "unions": (len(re.findall(r"\bunion\b", text)), 0),
                "TRB_API": (len(re.findall(r"\bTRB_API\b", text)), len(self.functions))}
        for what, (there, read) in seen.items():
            if there != read:
                sys.exit(f"abi: {HEADER} has {there} {what}, of which {read} could be read")


def layout(header):
    """The table of sizes, offsets and constants, printed by a program compiled from the header."""
    lines = ["#include <stdio.h>", "#include \"trb.h\"", "int main(void) {"]
    for struct, fields in header.structs.items():
        lines.append(f'  printf("sizeof({struct}) = %zu, alignment %zu\\n", sizeof({struct}), _Alignof({struct}));')
        for kind, name, length in fields:
            lines.append(f'  printf("  %3zu +%zu  {kind}{name}{length}\\n", offsetof({struct}, {name}), '
                         f"sizeof((({struct} *)0)->{name}));")
    for name in header.constants:
        lines.append(f'  printf("{name} = %lld\\n", (long long){name});')
    lines.append("}")
    with tempfile.TemporaryDirectory() as scratch:
        source, program = os.path.join(scratch, "layout.c"), os.path.join(scratch, "layout")
        with open(source, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        run(*os.environ.get("CC", "cc").split(), "-std=c11", "-Iinclude", source, "-o", program)
        return run(program)


def dump(shared, path):
    """Writes the types that the exported functions use, without a path or a line number of this machine."""
    run("abidw", "--headers-dir", "include", "--drop-private-types", "--exported-interfaces-only", "--no-corpus-path",
        "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed", "--no-architecture", "--type-id-style", "hash",
        "--out-file", path, shared)


def symbols(path, *flags):
    """Names of defined global symbols."""
    names = set()
    for line in run("nm", "--defined-only", "--extern-only", "--format=posix", *flags, path).splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[1] != "A":  # A: the version node itself
            names.add(fields[0].split("@")[0])
    return names


def declared():
    """The lines of the changelog that declare a change of the binary interface."""
    if not os.path.exists(CHANGELOG):
        return []
    text = open(CHANGELOG, encoding="utf-8").read()
    section = re.search(r"^## \[Unreleased\](.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    return re.findall(r"^(?:[-*] )?ABI:.*", section.group(1), flags=re.M) if section else []


class Checks:
    """Runs checks one after another and remembers failures."""

    def __init__(self):
        self.failed = False
        self.excuses = declared()

    def report(self, what, differences, excusable=False):
        if not differences:
            print(f"abi: ok: {what}")
            return
        print(f"abi: DIFFERENT: {what}")
        for line in differences:
            print(f"    {line}")
        if excusable and self.excuses:
            print(f"abi: declared in {CHANGELOG}:")
            for line in self.excuses:
                print(f"    {line}")
            return
        if excusable:
            print(f'abi: a change on purpose is declared by a line "ABI: ..." under [Unreleased] in {CHANGELOG};'
                  " `make abi-update` accepts it")
        self.failed = True


def set_difference(left_name, left, right_name, right):
    return [f"{name}: in {left_name}, not in {right_name}" for name in sorted(left - right)] + \
           [f"{name}: in {right_name}, not in {left_name}" for name in sorted(right - left)]


def check(header, shared, static):
    checks = Checks()
    exported = symbols(shared, "--dynamic")
    mapped = set(re.findall(r"^\s*(trb_\w+);", open(MAP, encoding="utf-8").read(), flags=re.M))
    functions = set(header.functions)
    checks.report(f"{len(functions)} functions of {HEADER} are exported",
                  set_difference(HEADER, functions, "the exports", exported))
    checks.report(f"{MAP} names them", set_difference(HEADER, functions, MAP, mapped))
    needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", run("readelf", "--dynamic", "--wide", shared))
    checks.report("the shared library needs only the C library",
                  [name for name in needed if not MAY_NEED.fullmatch(name.split(".so")[0])])
    checks.report("the static library keeps to trb_ and trbi_",
                  [name for name in sorted(symbols(static)) if not re.match(r"trbi?_", name)])

    committed = open(LAYOUT, encoding="utf-8").read().splitlines()
    current = layout(header).splitlines()
    checks.report(f"layouts and constants are those of {LAYOUT}",
                  list(difflib.unified_diff(committed, current, "committed", "current", lineterm="", n=1)), True)

    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "libtrb.abi")
        dump(shared, path)
        try:
            result = subprocess.run(["abidiff", "--harmless", "--no-show-locs", DUMP, path],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except FileNotFoundError:
            sys.exit("abi: abidiff is not installed; `make deps` installs it")
    if result.returncode & 3:
        sys.exit(f"abi: abidiff failed\n{result.stdout}")
    output = result.stdout.strip().splitlines()
    checks.report(f"abidiff finds the types of {DUMP}", (output or ["no text"]) if result.returncode else output, True)
    return checks.failed


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("check", "update"):
        sys.exit(__doc__)
    action, shared, static = sys.argv[1:]
    header = Header(HEADER)
    if action == "check":
        sys.exit(check(header, shared, static))
    with open(LAYOUT, "w", encoding="utf-8") as file:
        file.write(layout(header))
    dump(shared, DUMP)
    print(f"abi: wrote {LAYOUT} and {DUMP}")


if __name__ == "__main__":
    main()
