"""The C function of a population: its step, by the equations of ir.Population and the mechanisms that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Population, Reset
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import Ints, broadcast, size
from tern2lava.compiler.neurons.mechanism import kind_names, kinds_of
from tern2lava.errors import UnsupportedError
from tern2lava.export.c.ctypes import INT32, INT64, CType, computing, least, least_signed
from tern2lava.export.c.layout import Member
from tern2lava.export.c.names import comment
from tern2lava.export.c.ranges import Held, held
from tern2lava.export.c.spikes import Source
from tern2lava.export.c.synapses import Synapses
from tern2lava.export.c.tables import Parameter, Tables, parameter

# The mechanisms that `step_function` writes; others have no C.
WRITTEN = ("refractory", "signed", "rearm", "adaptive", "relay")


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A population in C: its source of spikes, what it receives, its ranges, and the type it computes in.

    reads_v: whether a readout needs its potential."""

    population: Population
    arithmetic: Arithmetic
    source: Source
    received: tuple[Synapses, ...]
    held: Held
    reads_v: bool
    kind: CType = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", computing(self.held.largest))

    @property
    def id(self) -> str:
        return self.source.id

    @property
    def has_u(self) -> bool:
        """Whether the current is kept from step to step."""
        return bool(np.any(self.population.decay_u != 1 << self.arithmetic.decay_bits))

    @property
    def has_v(self) -> bool:
        """Whether the potential is kept, from step to step or for who reads it."""
        p = self.population
        if p.levels is not None:
            return self.reads_v
        held_back = p.refractory > 0 or p.rearm
        return self.reads_v or held_back or bool(np.any(p.decay_v != 1 << self.arithmetic.decay_bits))

    @property
    def u_type(self) -> CType:
        return least_signed(*self.held.u)

    @property
    def v_type(self) -> CType:
        return least_signed(*self.held.v)

    def first(self, tables: Tables) -> str:
        """The potential of neuron i before the first step."""
        values = broadcast(self.population.v_init, self.population.shape).reshape(-1)
        return parameter(tables, f"first_{self.id}", values, (values.size,), self.v_type).text

    def members(self) -> list[Member]:
        """What it keeps from step to step, beside its spikes."""
        p, name, count = self.population, self.id, self.source.size
        found = []
        if self.has_u:
            found.append(Member(f"u_{name}", self.u_type, (count,)))
        if self.has_v:
            found.append(Member(f"v_{name}", self.v_type, (count,)))
        if p.gain_a is not None:
            found.append(Member(f"b_{name}", least_signed(*self.held.b), (count,)))
        if p.refractory > 0:
            found.append(Member(f"rest_{name}", least(0, p.refractory), (count,)))
        return found


def cells(graph: Graph, population: Population, source: Source, received: Sequence[Synapses], steps: int | None,
          reads_v: bool) -> Cells:  # fmt: skip
    """A population in C. Raises UnsupportedError for a mechanism that has no C."""
    assert graph.arithmetic is not None
    for kind in kind_names(population):
        if kind not in WRITTEN:
            raise UnsupportedError(
                population.name, f"neurons of a kind that has C ({', '.join(WRITTEN)})", f"neurons of kind {kind}",
                "export to another format",
            )  # fmt: skip
    return Cells(
        population=population, arithmetic=graph.arithmetic, source=source, received=tuple(received),
        held=held(graph, population, steps), reads_v=reads_v,
    )  # fmt: skip


class _Writer:
    """Writes the step of one population; parameters become tables on the way."""

    def __init__(self, made: Cells, tables: Tables) -> None:
        self.made, self.tables, self.population = made, tables, made.population
        self.kind = made.kind.name
        self.by_channel = False

    def parameter(self, name: str, values: Ints) -> Parameter:
        """A parameter that broadcasts over the neurons."""
        return self.flat(name, broadcast(values, self.population.shape).reshape(-1))

    def flat(self, name: str, values: Ints) -> Parameter:
        found = parameter(self.tables, f"{name}__{self.made.id}", values, self.population.shape, self.made.kind)
        self.by_channel |= found.by_channel
        return found

    # Tables are made for what is written: those of parameters without effect would not be used.
    @property
    def threshold(self) -> str:
        return self.parameter("threshold", self.population.threshold).text

    @property
    def amount(self) -> str:
        return self.parameter("amount", self.population.reset_amount).text

    def decayed(self, x: str, name: str, decay: Ints, largest: int) -> str | None:
        """x after its decay; None where nothing is left."""
        whole = 1 << self.made.arithmetic.decay_bits
        kept = self.flat(name, whole - broadcast(decay, self.population.shape).reshape(-1))
        if kept.constant == 0:
            return None
        if kept.constant == whole:
            return x
        near = self.population.decays is Decays.NEAREST
        # Widths beside 32 bits are computed in 64.
        narrow = (largest + 1) * whole < INT32.high and self.made.kind is INT32
        wide, factor = (INT32 if narrow else INT64).name, kept.text.replace(f"({self.kind})", "")
        called = f"decay_{'nearest' if near else 'truncate'}_{32 if narrow else 64}"
        found = f"{called}(({wide}){x}, ({wide}){factor})"
        return found if narrow or self.made.kind is INT64 else f"({self.kind}){found}"

    def sum(self) -> str | None:
        """What the neuron receives in this step."""
        parts = []
        for wire in self.made.received:
            gain = self.flat(f"gain_{wire.id}", per_neuron(wire.projection.gain, wire.projection))
            sums = f"({self.kind})m->sums.of_{self.made.id}.by_{wire.id}[i]"
            parts.append(sums if gain.constant == 1 else f"{sums} * {gain.text}")
        return " + ".join(parts) or None

    def body(self, readouts: Sequence[str]) -> list[str]:
        """The step of neuron i."""
        made, p, kind = self.made, self.population, self.kind
        names, top = [m.name for m in kinds_of(p)], made.arithmetic.state_max
        state_u, state_v = f"m->u_{made.id}[i]", f"m->v_{made.id}[i]"
        largest_u, largest_v = (max(-low, high) for low, high in (made.held.u, made.held.v))
        lines = []
        old_u = self.decayed(state_u, "keep_u", p.decay_u, largest_u)
        if old_u == state_u:
            old_u = f"({kind}){state_u}"
        lines.append(f"{kind} u = {self._added(old_u, self.sum(), self.parameter('bias_u', p.bias_u))};")
        if made.has_v:
            lines.append(f"const {kind} before = {state_v};")
        old_v = self.decayed("before", "keep_v", p.decay_v, largest_v) if made.has_v else None
        lines.append(f"{kind} v, s;")
        if made.held.wraps:
            lines += [f"if (u > {top + 1})", f"    u -= {2 * (top + 1)};", f"else if (u <= -{top + 1})"]
            lines.append(f"    u += {2 * (top + 1)};")
        if made.has_u:
            lines.append(f"{state_u} = ({made.u_type.name})u;")
        lines.append(f"v = {self._added(old_v, 'u', self.parameter('bias', p.bias))};")
        lines += self._adapted(top) if "adaptive" in names else []
        lines += _clipped("v", top) if made.held.clips else []
        if "refractory" in names:
            lines += [f"if (m->rest_{made.id}[i] > 0)", "    v = before;"]
        met = "v"
        if "rearm" in names:
            met = "met"
            lines.append(f"const {kind} met = before > {self.threshold} ? v - {self.amount} : v;")
        if "relay" not in names:
            lines.append(f"s = {met} > {self.threshold}{' + b' * ('adaptive' in names)} ? 1 : 0;")
        if p.threshold_low is not None:
            lines += [f"if ({met} < {self.parameter('low', p.threshold_low).text})", "    s -= 1;"]
        if "relay" in names:
            lines.append(f"s = {met};")
        if "refractory" in names:
            lines += self._rested()
        lines += [] if "adaptive" in names else self._reset(top)
        if made.has_v:
            lines.append(f"{state_v} = ({made.v_type.name})v;")
        found = [*lines, *made.source.write("s"), *readouts]
        # Of a potential that is kept for its readers alone.
        used = sum(line.count("before") for line in found) - sum(line.count("row_before") for line in found) > 1
        return [line for line in found if used or not line.startswith(f"const {kind} before")]

    def _added(self, first: str | None, second: str | None, bias: Parameter) -> str:
        parts = [part for part in (first, second) if part is not None]
        if bias.constant != 0:
            parts.append(bias.text)
        return " + ".join(parts) or "0"

    def _adapted(self, top: int) -> list[str]:
        made, p, kind = self.made, self.population, self.kind
        assert p.gain_a is not None
        state = f"m->b_{made.id}[i]"
        old = self.decayed(state, "keep_b", p.decay_a, made.held.b[1])
        old = f"({kind}){state}" if old == state else old
        gain = self.parameter("gain_a", p.gain_a)
        raised = f"{gain.text} * fired"
        return [
            f"const {kind} fired = {made.source.read('i', 1)};",
            f"{kind} b = {raised if old is None else f'{old} + {raised}'};",
            *(_clipped("b", top) if made.held.b_clips else []),
            f"{state} = ({least_signed(*made.held.b).name})b;",
            f"v -= ({self.amount} + b) * fired;",
        ]

    def _rested(self) -> list[str]:
        rest = f"m->rest_{self.made.id}[i]"
        kind = least(0, self.population.refractory).name
        return [
            f"if ({rest} > 0) {{", "    s = 0;", f"    {rest} = ({kind})({rest} - 1);", "} else if (s != 0) {",
            f"    {rest} = {self.population.refractory};", "}",
        ]  # fmt: skip

    def _reset(self, top: int) -> list[str]:
        if self.population.reset is Reset.NONE:
            return []
        if self.population.reset is Reset.ZERO:
            return ["if (s != 0)", "    v = 0;"]
        if self.made.source.low >= 0:
            clipped = _clipped("v", top) if self.made.held.clips else []
            return ["if (s != 0) {", f"    v -= {self.amount};", *("    " + line for line in clipped), "}"]
        return [f"v -= {self.amount} * s;", *(_clipped("v", top) if self.made.held.clips else [])]


def _clipped(x: str, top: int) -> list[str]:
    return [f"if ({x} > {top})", f"    {x} = {top};", f"else if ({x} < -{top})", f"    {x} = -{top};"]


def step_function(
    made: Cells, tables: Tables, state: str, *, readouts: Sequence[str], before: Sequence[str], after: Sequence[str]
) -> list[str]:  # fmt: skip
    """step_ID: receives the spikes of a step and makes its own. readouts: lines for each neuron i (s, v); before,
    after: lines around all of them."""
    writer = _Writer(made, tables)
    body = writer.body(readouts)
    sums = f"m->sums.of_{made.id}"
    received = []
    for wire in made.received:
        received += [f"for (i = 0; i < {made.source.size}; i++)", f"    {sums}.by_{wire.id}[i] = 0;"]
        received.append(f"receive_{wire.id}__{made.id}(m, {sums}.by_{wire.id});")
    shape = made.population.shape
    if writer.by_channel:
        area = size(shape) // shape[0]
        loop = ["i = 0;", f"for (c = 0; c < {shape[0]}; c++) {{", f"    for (j = 0; j < {area}; j++, i++) {{"]
        loop += [*("        " + line for line in body), "    }", "}"]
    else:
        loop = [f"for (i = 0; i < {made.source.size}; i++) {{", *("    " + line for line in body), "}"]
    said = f"{made.source.size} neurons, reset {made.population.reset.value}"
    kinds = ", ".join(kind_names(made.population))
    lines = [*before, *received, *made.source.clear(), *loop, *after]
    return [
        f"/* {comment(made.population.name)}: {said}{', ' if kinds else ''}{kinds}. */",
        f"static void step_{made.id}({state} *m)", "{",
        "    uint32_t " + ("i, c, j;" if writer.by_channel else "i;"), *("    " + line for line in lines), "}", "",
    ]  # fmt: skip
