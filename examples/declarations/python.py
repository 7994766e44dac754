"""Declarations for ctypes."""

NUMBERS = {"int32_t": "c_int32", "int64_t": "c_int64", "uint32_t": "c_uint32", "uint64_t": "c_uint64",
           "size_t": "c_size_t", "double": "c_double", "float": "c_float", "unsigned": "c_uint", "trb_status": "c_int32"}

HEAD = '''from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint,
                    c_uint32, c_uint64, c_void_p)
'''


def write(header, out):
    structs = {struct.name for struct in header.structs}

    def kind(of):
        """Structs behind a pointer are typed where the library gives them; what it takes may be any address."""
        if of.pointers == 0:
            return "None" if of.base == "void" else NUMBERS.get(of.base, of.base)
        return f"POINTER({of.base})" if of.base in structs and of.pointers == 1 else "c_void_p"

    def taken(parameters):
        return ["c_void_p" if parameter.type.pointers else kind(parameter.type) for parameter in parameters]

    def given(function):
        return "c_char_p" if function.result.base == "char" else kind(function.result)

    out.write(f'"""What trb.h declares. {header.note}"""\n\n{HEAD}\nVERSION = {header.version}\n\n')
    for name, value in header.constants:
        out.write(f"{name} = {value}\n")
    for struct in header.structs:
        out.write(f"\n\nclass {struct.name}(Structure):\n    pass\n")
    out.write("\n\n")
    for callback in header.callbacks:
        out.write(f"{callback.name} = CFUNCTYPE({', '.join([kind(callback.result), *map(kind, (p.type for p in callback.parameters))])})\n")
    for struct in header.structs:
        out.write(f"\n{struct.name}._fields_ = [\n")
        for field in struct.fields:
            length = f" * {field.length}" if field.length else ""
            out.write(f'    ("{field.name}", {kind(field.type)}{length}),\n')
        out.write("]\n")
    out.write("\nSTRUCTS = [\n" + "".join(f"    {struct.name},\n" for struct in header.structs) + "]\n")
    out.write("\nFUNCTIONS = {\n")
    for function in header.functions:
        out.write(f'    "{function.name}": ({given(function)}, [{", ".join(taken(function.parameters))}]),\n')
    out.write("}\n")
