"""Declarations for Rust."""

NUMBERS = {"int32_t": "i32", "int64_t": "i64", "uint32_t": "u32", "uint64_t": "u64", "size_t": "usize", "double": "f64",
           "float": "f32", "unsigned": "u32", "trb_status": "i32", "char": "c_char", "void": "c_void"}

HEAD = """#![allow(non_camel_case_types, clippy::all)]

use std::mem::size_of;
use std::os::raw::{c_char, c_void};
"""


def kind(of):
    """The outermost pointers lead to what is written; `const` is about the innermost."""
    base = NUMBERS.get(of.base, of.base)
    for depth in range(of.pointers):
        base = ("*const " if of.const and depth == 0 else "*mut ") + base
    return base


def result(of):
    return "" if of.base == "void" and of.pointers == 0 else f" -> {kind(of)}"


def write(header, out):
    callbacks = {callback.name for callback in header.callbacks}
    out.write(f"//! What trb.h declares. {header.note}\n\n{HEAD}\n")
    out.write(f"pub const VERSION: (u32, u32, u32) = {header.version};\n\n")
    for name, value in header.constants:
        out.write(f"pub const {name}: i32 = {value};\n")
    for name in header.opaque:
        out.write(f"\n#[repr(C)]\npub struct {name} {{\n    _opaque: [u8; 0],\n}}\n")
    for callback in header.callbacks:
        parameters = "".join(f"    {kind(parameter.type)},\n" for parameter in callback.parameters)
        out.write(f'\npub type {callback.name} = Option<unsafe extern "C" fn(\n'
                  f"{parameters}){result(callback.result)}>;\n")
    for struct in header.structs:
        shown = "" if any(field.type.base in callbacks for field in struct.fields) else ", Debug"
        out.write(f"\n#[repr(C)]\n#[derive(Clone, Copy{shown})]\npub struct {struct.name} {{\n")
        for field in struct.fields:
            inner = kind(field.type)
            out.write(f"    pub {field.name}: {f'[{inner}; {field.length}]' if field.length else inner},\n")
        out.write(f"}}\n\nimpl Default for {struct.name} {{\n    fn default() -> Self {{\n"
                  "        // SAFETY: numbers, pointers and optional functions may all be zero.\n"
                  "        unsafe { std::mem::zeroed() }\n    }\n}\n")
    out.write("\n/// Name and size of each struct, and whether it starts with its size and so may grow at its end.\n"
              "pub const STRUCTS: &[(&str, usize, bool)] = &[\n")
    for struct in header.structs:
        grows = "true" if struct.fields[0].name == "size" else "false"
        out.write(f'    ("{struct.name}", size_of::<{struct.name}>(), {grows}),\n')
    out.write('];\n\n#[link(name = "trb")]\nextern "C" {\n')
    for function in header.functions:
        parameters = [f"{parameter.name}: {kind(parameter.type)}" for parameter in function.parameters]
        line = f"    pub fn {function.name}({', '.join(parameters)}){result(function.result)};\n"
        if len(line) > 100:
            inner = "".join(f"        {parameter},\n" for parameter in parameters)
            line = f"    pub fn {function.name}(\n{inner}    ){result(function.result)};\n"
        out.write(line)
    out.write("}\n")
