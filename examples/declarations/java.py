"""Declarations for JNA, in its direct mapping."""

import textwrap

NUMBERS = {"int32_t": "int", "int64_t": "long", "uint32_t": "int", "uint64_t": "long", "size_t": "long",
           "double": "double", "float": "float", "unsigned": "int", "trb_status": "int"}

HEAD = """package trb;

import com.sun.jna.Callback;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import java.util.List;
"""

TAIL = """    static {
        Library.register(Declarations.class);
    }

    private Declarations() {}
}
"""


def kind(of):
    """Whatever is behind a pointer is an address; only texts become strings."""
    if of.pointers:
        return "String" if of.base == "char" and of.pointers == 1 and of.const else "Pointer"
    return "void" if of.base == "void" else NUMBERS.get(of.base, of.base)


def listed(indent, begin, items, end):
    """begin + items + end, on as many lines as it takes."""
    line = f"{indent}{begin}{', '.join(items)}{end}"
    if len(line) <= 120:
        return line + "\n"
    whole = ", ".join(item.replace(" ", "~") for item in items)
    inner = textwrap.fill(whole, 118, initial_indent=indent + " " * 8, subsequent_indent=indent + " " * 8)
    return f"{indent}{begin}\n{inner.replace('~', ' ')}{end}\n"


def signature(indent, function, begin, name):
    parameters = [f"{kind(p.type)} {p.name}" for p in function.parameters]
    return listed(indent, f"{begin}{kind(function.result)} {name}(", parameters, ");")


def write(header, out):
    out.write(f"{HEAD}\n/** What trb.h declares. {header.note} */\npublic final class Declarations {{\n")
    for part, number in zip(("MAJOR", "MINOR", "PATCH"), header.version):
        out.write(f"    public static final int TRB_VERSION_{part} = {number};\n")
    out.write("\n")
    for name, value in header.constants:
        out.write(f"    public static final int {name} = {value};\n")
    for callback in header.callbacks:
        out.write(f"\n    public interface {callback.name} extends Callback {{\n"
                  + signature(" " * 8, callback, "", "callback") + "    }\n")
    for struct in header.structs:
        out.write("\n" + listed(" " * 4, "@FieldOrder({", [f'"{field.name}"' for field in struct.fields], "})"))
        out.write(f"    public static class {struct.name} extends Structure {{\n")
        for field in struct.fields:
            java = "Pointer" if field.type.pointers else kind(field.type)
            array = f"[] {field.name} = new {java}[{field.length}]" if field.length else f" {field.name}"
            out.write(f"        public {java}{array};\n")
        made = " size = size(); " if struct.fields[0].name == "size" else ""
        out.write(f"\n        public {struct.name}() {{{made}}}\n\n"
                  f"        public {struct.name}(Pointer at) {{\n            super(at);\n        }}\n    }}\n")
    out.write("\n    /** All structs. Those that begin with `size` may be larger in the library. */\n"
              "    public static final List<Class<? extends Structure>> STRUCTS = List.of(\n")
    out.write(",\n".join(f"            {struct.name}.class" for struct in header.structs) + ");\n\n")
    for function in header.functions:
        out.write(signature(" " * 4, function, "public static native ", function.name) + "\n")
    out.write(TAIL)
