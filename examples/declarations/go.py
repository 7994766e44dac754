"""What Go adds to trb.h, which cgo reads itself: exported names for records and constants."""

WORDS = {"kl": "KL", "lse": "LSE", "tv": "TV", "ids": "IDs", "jsd": "JSD", "nll": "NLL", "avx2": "AVX2", "avx512": "AVX512",
         "skd": "SKD", "ok": "OK", "f32": "F32", "f16": "F16", "bf16": "BF16", "isa": "ISA"}

RECORDS = {"trb_blend": "Blend", "trb_draw": "Draw", "trb_verdict": "Verdict", "trb_loss_row": "LossRow", "trb_term": "Term",
           "trb_sparse_blend": "SparseBlend", "trb_totals": "Totals", "trb_train_report": "TrainReport"}

NUMBERS = {"double": "float64", "float": "float32", "int64_t": "int64", "size_t": "uint64", "int32_t": "int32"}

FIELDS = {"status": "RowStatus", "verdict": "VerdictKind", "clipped": "Clipped"}

# Constants begin with one of these: the name of their type, and what their own begin with.
ENUMS = {"ROW": ("RowStatus", "Row"), "ISA": ("ISA", "ISA"), "F32": ("Dtype", "Dtype"), "F16": ("Dtype", "Dtype"),
         "BF16": ("Dtype", "Dtype"), "SCHEDULE": ("ScheduleKind", "Schedule"), "METHOD": ("Method", "Method"),
         "VERDICT": ("VerdictKind", "Verdict"), "FORM": ("Form", "Form"), "SUPPORT": ("Support", "Support"),
         "DIVERGENCE": ("DivergenceKind", "Divergence"), "ESTIMATOR": ("Estimator", "Estimator"),
         "CLIPPED": ("Clipped", "Clipped"), "BEHAVIOR": ("Behavior", "Behavior"), "STOP": ("Stop", "Stop"),
         "OBJECTIVE": ("Objective", "Objective"), "NORM": ("Norm", "Norm")}


def camel(name):
    return "".join(WORDS.get(word, word.capitalize()) for word in name.lower().split("_"))


def aligned(rows, indent):
    """Columns as gofmt sets them."""
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "".join(indent + " ".join([*map(str.ljust, row, width), row[-1]]).rstrip() + "\n" for row in rows)


def field(of):
    if of.name == "reserved":
        return ("_", "int32")
    if of.name == "size":
        return ("size", "uint64")
    kind = RECORDS.get(of.type.base) or NUMBERS[of.type.base]
    if kind == "int32":
        kind = FIELDS.get(of.name, kind)
    return (camel(of.name), f"[{of.length}]{kind}" if of.length else kind)


def write(header, out):
    out.write(f"package trb\n\n// What trb.h declares. {header.note}\n\n// #include \"shims.h\"\nimport \"C\"\n\nimport \"unsafe\"\n")
    enums = {}
    for name, value in header.constants:
        prefix, _, rest = name.removeprefix("TRB_").partition("_")
        if prefix in ENUMS:
            kind, begin = ENUMS[prefix]
            enums.setdefault(kind, []).append((begin + camel(rest or prefix), kind, f"= {value}"))
    for kind, constants in enums.items():
        begin = ENUMS[next(prefix for prefix in ENUMS if ENUMS[prefix][0] == kind)]
        about = "element types" if kind == "Dtype" else f"TRB_{next(p for p in ENUMS if ENUMS[p] == begin)}_*"
        out.write(f"\n// {kind}: {about} in trb.h.\ntype {kind} int32\n\nconst (\n{aligned(constants, chr(9))})\n")
    for struct in header.structs:
        if struct.name in RECORDS:
            out.write(f"\n// {RECORDS[struct.name]} is {struct.name} in trb.h.\ntype {RECORDS[struct.name]} struct {{\n")
            out.write(aligned([field(of) for of in struct.fields], "\t") + "}\n")
    out.write("\n// They lie in memory as the library's do.\nvar (\n")
    sizes = [("_", f"[unsafe.Sizeof({go}{{}})]byte", f"= [C.sizeof_{c}]byte{{}}") for c, go in RECORDS.items()]
    out.write(aligned(sizes, "\t") + ")\n")
