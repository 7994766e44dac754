"""Declarations for the FFI of LuaJIT."""


def write(header, out):
    structs = {struct.name: struct for struct in header.structs}

    def declared(name, type, length=0):
        const = "const " if type.const else ""
        return f"{const}{type.base} {'*' * type.pointers}{name}{f'[{length}]' if length else ''}"

    def prototype(function, name):
        parameters = ", ".join(declared(p.name, p.type) for p in function.parameters)
        return f"{declared(name, function.result)}({parameters or 'void'});\n"

    def plain(struct):
        """A struct of numbers alone, which a Lua table can stand for."""
        return all(not field.type.pointers and (field.type.base not in structs or plain(structs[field.type.base]))
                   and not field.type.base.endswith("_fn") for field in struct.fields)

    def entry(field):
        of = f', "{field.type.base}"' if field.type.base in structs else f", {field.length}" if field.length else ""
        return f'{{ "{field.name}"{of} }}'

    out.write(f'-- What trb.h declares. {header.note}\nlocal ffi = require "ffi"\n\nffi.cdef [[\n')
    out.write("typedef int32_t trb_status;\n")
    for name in [*header.opaque, *structs]:
        out.write(f"typedef struct {name} {name};\n")
    for callback in header.callbacks:
        out.write("typedef " + prototype(callback, f"(*{callback.name})"))
    for struct in header.structs:
        out.write(f"struct {struct.name} {{\n")
        for field in struct.fields:
            out.write(f"  {declared(*field)};\n")
        out.write("};\n")
    for function in header.functions:
        out.write(prototype(function, function.name))
    out.write("]]\n\nlocal declarations = {}\n")
    out.write(f"\ndeclarations.version = {{ {', '.join(map(str, header.version))} }}\n")
    out.write("\ndeclarations.constants = {\n")
    out.write("".join(f"  {name} = {value},\n" for name, value in header.constants))
    out.write("}\n\ndeclarations.structs = {\n")
    out.write("".join(f'  "{name}",\n' for name in structs))
    out.write("}\n\n-- Structs of numbers alone: their fields, with the length of an array or the type of a struct.\n")
    out.write("declarations.records = {\n")
    for struct in filter(plain, header.structs):
        out.write(f"  {struct.name} = {{\n")
        for field in struct.fields:
            if field.name not in ("size", "reserved"):
                out.write(f"    {entry(field)},\n")
        out.write("  },\n")
    out.write("}\n\nreturn declarations\n")
