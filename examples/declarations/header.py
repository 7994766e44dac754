"""include/trb.h as lists: constants, structs, callbacks, functions.

The header keeps to a small part of C, so a few expressions read all of it. What they do not understand is an error.
"""

import re
from typing import NamedTuple


class Type(NamedTuple):
    """A C type: `base`, behind so many pointers; `const` says that what the first pointer leads to is not written."""
    base: str
    pointers: int = 0
    const: bool = False


class Name(NamedTuple):
    """A field or a parameter. `length` is that of an array within a struct, 0 for what is none."""
    name: str
    type: Type
    length: int = 0


class Function(NamedTuple):
    """A function, or the type of a callback."""
    name: str
    result: Type
    parameters: list


class Struct(NamedTuple):
    name: str
    fields: list


class Header:
    """version: (major, minor, patch); constants: [(name, value)]; structs, callbacks, functions in the order of the
    file; opaque: names of structs that only the library knows."""

    def __init__(self, text):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.version = tuple(int(re.search(rf"#define TRB_VERSION_{part}\s+(\d+)", text).group(1))
                             for part in ("MAJOR", "MINOR", "PATCH"))
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        self.constants, self.structs, self.callbacks, self.functions, self.opaque = [], [], [], [], []
        for declaration in _split("\n".join(lines).replace('extern "C" {', "")):
            self._read(declaration)

    def _read(self, text):
        for pattern, rule in self._RULES:
            match = re.fullmatch(pattern, text)
            if match:
                rule(self, match)
                return
        raise SystemExit(f"declarations: not understood: {text[:80]!r}")

    def _enum(self, match):
        for item in match[1].split(","):
            if item.strip():
                name, value = item.split("=")
                self.constants.append((name.strip(), int(value)))

    def _struct(self, match):
        fields = [_name(line) for line in match[2].split(";") if line.strip()]
        self.structs.append(Struct(match[1], fields))

    _RULES = [
        (r"enum \{(.*)\}", _enum),
        (r"typedef struct (\w+) \{(.*)\} \w+", _struct),
        (r"typedef struct (\w+) \w+", lambda self, m: self.opaque.append(m[1])),
        (r"typedef int32_t trb_status", lambda self, m: None),
        (r"typedef (.*?)\(\*(\w+)\)\((.*)\)", lambda self, m: self.callbacks.append(_function(m))),
        (r"TRB_API (.*?)(\w+)\((.*)\)", lambda self, m: self.functions.append(_function(m))),
    ]


def _split(text):
    """Declarations end at a semicolon outside of braces."""
    depth, begin = 0, 0
    for i, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and depth == 0:
            yield " ".join(text[begin:i].split())
            begin = i + 1
    rest = text[begin:].strip()
    if rest not in ("", "}"):
        raise SystemExit(f"declarations: left over: {rest[:60]!r}")


def _type(text):
    match = re.fullmatch(r"(const )?(\w+)\s*(\**)", text.strip())
    if not match:
        raise SystemExit(f"declarations: no type: {text!r}")
    return Type(match[2], len(match[3]), match[1] is not None)


def _name(text):
    match = re.fullmatch(r"(.*?)(\w+)(?:\[(\d+)\])?", text.strip())
    if not match:
        raise SystemExit(f"declarations: no field or parameter: {text!r}")
    return Name(match[2], _type(match[1]), int(match[3] or 0))


def _function(match):
    listed = match[3].strip()
    return Function(match[2], _type(match[1]), [] if listed == "void" else [_name(text) for text in listed.split(",")])
