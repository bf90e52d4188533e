"""The README of exported C: how it is called, what its numbers are, and what it takes in flash and RAM."""

from __future__ import annotations

from string import Template

from tern2lava.export.c.calls import argument
from tern2lava.export.c.layout import Member, struct_bytes
from tern2lava.export.c.model import Model
from tern2lava.export.c.names import comment
from tern2lava.export.c.source import member_bytes

README = """\
# $title

Written by tern2lava $version. `$file.h` and `$file.c` are the network: C11, no heap, no floating point, no library.
`main.c` runs samples through it on a computer, `readout.json` holds what is left to you of a readout.

    static ${prefix}_t net;
    ${prefix}_reset(&net);
    for (step = 0; step < steps; step++)
        ${prefix}_step(&net, $arguments);
$calls
Build it with your own compiler, for example `arm-none-eabi-gcc -std=c11 -Os -mcpu=cortex-m4 -mthumb -c $file.c`; on a
computer `gcc -std=c11 -O2 $file.c main.c -o $file && ./$file STEPS < samples`.

## Memory

| what | bytes | where |
|---|---|---|
| the state, `sizeof(${prefix}_t)` | $ram | RAM |
| weights and parameters | $tables | flash |

The code comes to that: `size $file.o` says how much with your compiler. The state of the populations and the weights:

| population | neurons | state, bytes | sums of its inputs, bytes |
|---|---|---|---|
$populations

The sums are in use one population at a time and share the largest one's memory.

| projection | codes | form | bytes |
|---|---|---|---|
$projections

Equal arrays are stored once; gains and other parameters of neurons are not in this table.

## Readouts

$readouts
"""


def readme(model: Model, file: str, table_bytes: int, version: str) -> str:
    """The text of README.md."""
    sums = model.sums()
    populations = [
        f"| {_cell(made.population.name)} | {made.source.size} | {member_bytes(_state(model, made.id))} | "
        f"{struct_bytes(sums.get(made.id, []))[0]} |"
        for made in model.cells
    ]
    projections = [
        f"| {_cell(wire.projection.name)} | {wire.codes.rows} x {wire.codes.columns} | {wire.codes.form.value} | "
        f"{wire.codes.bytes} |"
        for wire in dict.fromkeys(model.synapses)
    ]
    calls = [f"    ${{prefix}}_scores_{each.id}(&net, numbers);\n" for each in model.scores if each.formed]
    if model.plan.latency:
        calls.insert(0, "    ${prefix}_drain(&net);  /* " + f"{model.plan.latency} times */\n")
    readouts = [
        f"- {_cell(each.output.name)} ({each.output.readout.value}): "
        + (f"`{model.prefix}_scores_{each.id}`, {each.counts} integers" if each.formed else "nothing is formed here")
        + (", the scores themselves." if each.exact else f". Yours: {each.caller}.")
        for each in model.scores
    ]
    said = {"prefix": model.prefix, "file": file}
    return Template(README).substitute(
        said, title=_cell(model.graph.source or "A network"), version=version,
        arguments=", ".join(argument(each) for each in model.inputs),
        calls=Template("".join(calls)).substitute(said), ram=model.ram_bytes, tables=table_bytes,
        populations="\n".join(populations), projections="\n".join(projections), readouts="\n".join(readouts),
    )  # fmt: skip


def _state(model: Model, name: str) -> list[Member]:
    own = {f"sent_{name}", f"head_{name}", f"u_{name}", f"v_{name}", f"b_{name}", f"rest_{name}"}
    return [member for member in model.members() if member.name in own]


def _cell(text: str) -> str:
    """A name for Markdown: ASCII, its own marks escaped."""
    return "".join(f"\\{c}" if c in "|`*_<>[]#\\" else c for c in comment(text))
