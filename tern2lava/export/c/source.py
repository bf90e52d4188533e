"""The text of model.h and model.c."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template

from tern2lava.export.c.calls import argument, block, called_functions, parameters
from tern2lava.export.c.layout import Member, by_width, union_bytes
from tern2lava.export.c.model import Model
from tern2lava.export.c.names import comment
from tern2lava.export.c.neurons import Cells, step_function
from tern2lava.export.c.readouts import Score
from tern2lava.export.c.spikes import Kept, Source
from tern2lava.export.c.synapses import add_function, receive_function
from tern2lava.export.c.tables import Tables
from tern2lava.export.c.templates import HEADER, HELPERS, SOURCE


def sources(model: Model, file: str, version: str) -> tuple[str, str, int]:
    """The header, the source, and the bytes of its constant arrays."""
    tables = Tables()
    state = f"{model.prefix}_t"
    functions: list[str] = []
    for number, wire in enumerate(model.synapses):
        if wire not in model.synapses[:number]:
            functions += add_function(wire, tables)
    for made in model.cells:
        for wire in made.received:
            lag = model.plan.lags[wire.projection.name, made.population.name]
            functions += receive_function(wire, made.id, lag, state)
        functions += _step_of(model, made, tables)
    functions += called_functions(model, tables)
    text = "\n".join(functions)
    assert model.graph.arithmetic is not None
    bits = model.graph.arithmetic.decay_bits
    helpers = [
        Template(helper).substitute(bits=bits, whole=1 << bits, half=1 << bits >> 1)
        for name, helper in HELPERS.items()
        if re.search(rf"\b{name}\(", text)
    ]
    said = {
        "title": f"{comment(model.graph.source or 'a network')}, {len(model.cells)} populations.",
        "version": comment(version), "file": file, "prefix": model.prefix, "upper": model.prefix.upper(),
    }  # fmt: skip
    source = Template(SOURCE).substitute(
        said, tables="\n".join(tables.text), helpers="\n".join(helpers), functions=text.rstrip("\n") + "\n"
    )
    return _header(model, said, tables.total), source, tables.total


def _header(model: Model, said: dict[str, str], table_bytes: int) -> str:
    prefix, upper = model.prefix, model.prefix.upper()
    macros = [
        ("STEPS", model.graph.steps, "steps of a sample that it was compiled for; 0: not known"),
        ("LATENCY", model.plan.latency, "calls after the last input until the last population has made as many steps"),
        ("RAM_BYTES", model.ram_bytes, "the state"),
        ("TABLE_BYTES", table_bytes, "constant arrays, in flash; the code comes to them"),
    ]
    if model.most is not None:
        macros.append(("MOST_STEPS", model.most, "of a sample"))
    macros += [(f"SIZE_{each.id.upper()}", each.size, comment(each.name)) for each in model.sources.values()]
    macros += [
        (f"SCORES_{each.id.upper()}", each.counts, f"numbers of {comment(each.output.name)}")
        for each in model.scores
        if each.formed
    ]
    width = max(len(name) for name, _, _ in macros) + len(upper) + 1
    usage = [("reset(&net);", "before each sample")]
    usage.append((f"step(&net, {', '.join(argument(each) for each in model.inputs)});", "for each step"))
    if model.plan.latency:
        usage.append(("drain(&net);", f"{model.plan.latency} times, after the last step of a sample"))
    for each in model.scores:
        if each.formed:
            usage.append((f"scores_{each.id}(&net, numbers);", f"at its end: {each.counts} integers"))
    column = max(len(call) for call, _ in usage)
    given = " ".join(
        f"{argument(each)}: {each.size} values of {comment(each.name)}, {_values(each)}." for each in model.inputs
    )
    declarations = []
    if model.plan.latency:
        declarations.append(
            f"\n/* One of the {upper}_LATENCY calls after the last step. */\nint {prefix}_drain({prefix}_t *m);"
        )
    for each in model.scores:
        declarations.append(_declared(model, each))
    return Template(HEADER).substitute(
        said, ram=model.ram_bytes,
        usage="\n".join(f"       {prefix}_{call:<{column}}  {text}" for call, text in usage),
        macros="\n".join(f"#define {f'{upper}_{name}':<{width}} {value} /* {text} */" for name, value, text in macros),
        members="\n".join(block(_members(model))),
        latency_said="" if model.plan.latency else " of every population",
        given=given, parameters=parameters(model.inputs), declarations="\n".join(declarations),
        accessors="\n".join(_accessors(model)),
    )  # fmt: skip


def _values(source: Source) -> str:
    if source.kept is Kept.BITS:
        return "0 or (any other value) a spike"
    return f"from {source.low} to {source.high}"


def _declared(model: Model, each: Score) -> str:
    prefix, left = model.prefix, each.caller
    name = comment(each.output.name)
    if not each.formed:
        return f"\n/* {name} ({each.output.readout.value}) forms nothing here. Yours: {left}. */"
    what = "the scores" if each.exact else f"{each.formed} of {'spikes' if each.reads_spikes else 'potentials'}"
    yours = f" Yours: {left} (readout.json)." if left else ""
    lines = [
        f"\n/* {name} ({each.output.readout.value}): {what}, {each.counts} integers.{yours} */",
        f"void {prefix}_scores_{each.id}(const {prefix}_t *m, {each.kind.name} *numbers);",
    ]
    if each.ordered:
        lines += [
            "\n/* The class of the largest, of equals the first. */",
            f"uint32_t {prefix}_class_{each.id}(const {prefix}_t *m);",
        ]
    return "\n".join(lines)


def _accessors(model: Model) -> list[str]:
    lines = []
    for made in model.cells:
        source, name = made.source, f"{model.prefix}_{{}}_{made.id}(const {model.prefix}_t *m, uint32_t i)"
        kind = "int64_t" if source.read("i").startswith("(int64_t)") else "int32_t"
        lines += [
            "", f"/* What neuron i of {comment(source.name)} sent in the last step. */",
            f"static inline {kind} {name.format('spike')}", "{", f"    return {source.read('i')};", "}",
        ]  # fmt: skip
        if made.has_v:
            lines += [
                "", "/* Its potential behind that step, in last bits. */",
                f"static inline {made.v_type.name} {name.format('potential')}",
                "{", f"    return m->v_{made.id}[i];", "}",
            ]  # fmt: skip
    return lines


def _members(model: Model) -> list[str]:
    """The state: its members and the sums, of which those of one population are in use at a time."""
    sums = model.sums()
    _, wide = union_bytes(list(sums.values()))
    ordered = by_width(model.members())
    shared = ["union {"]
    for name, members in sums.items():
        shared += ["    struct {", *block([m.text for m in by_width(members)], 2), f"    }} of_{name};"]
    shared = [*shared, "} sums;"] if sums else []
    before = [m.text for m in ordered if m.kind.bytes >= wide]
    return [*before, *shared, *(m.text for m in ordered if m.kind.bytes < wide)]


def _step_of(model: Model, made: Cells, tables: Tables) -> list[str]:
    begin = model.plan.begins[made.population.name]
    step = "m->calls" if not begin else f"m->calls - {begin}"
    read = [each for each in model.scores if each.population is made.population]
    return step_function(
        made, tables, f"{model.prefix}_t",
        readouts=[line for each in read for line in each.lines(tables)],
        before=[line for each in read for line in each.before(tables, step)],
        after=[line for each in read for line in each.after()],
    )  # fmt: skip


def member_bytes(members: Sequence[Member]) -> int:
    """Bytes of members."""
    return sum(member.bytes for member in members)
