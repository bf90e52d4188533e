"""What the C code forms of a readout, in integers, and what is left to its caller (docs/readouts.md has the equations).

Of spikes the scores themselves where all numbers are whole; of potentials sums, last values, maxima or votes in last
bits, which the caller multiplies by the size of one; else nothing, and the caller reads every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Output, Population, Readout
from tern2lava.compiler.ir.shapes import Ints, Reals, broadcast
from tern2lava.export.c.ctypes import INT32, INT64, CType, number
from tern2lava.export.c.layout import Member
from tern2lava.export.c.spikes import Source
from tern2lava.export.c.tables import Parameter, Tables, parameter

# Beyond it an origin could make equal real numbers of different potentials.
_FAR = float(1 << 28)
# Numbers below it are whole ones of the integer reference too (sim/data/readout.py).
_WHOLE = float(1 << 31)


@dataclass(frozen=True, eq=False, kw_only=True)
class Score:
    """An Output in C. formed: sum, last, most, least or votes of each neuron, or "" where nothing is formed.

    weights: whole ones of each step (None: 1 in each). classes, offset: whole ones, applied to what is summed.
    exact: what is formed are the scores. ordered: the largest of it is the class of the largest score. caller: what is
    left to who calls it.
    """

    output: Output
    id: str
    population: Population
    source: Source
    kind: CType
    formed: str
    weights: Ints | None = None
    classes: Ints | None = None
    offset: Ints | None = None
    exact: bool = False
    ordered: bool = False
    caller: str = ""

    @property
    def counts(self) -> int:
        """Numbers that are formed."""
        return self.source.size if self.classes is None else len(self.classes)

    @property
    def reads_spikes(self) -> bool:
        return self.output.readout is Readout.SPIKE_COUNT

    @property
    def array(self) -> str:
        return f"score_{self.id}"

    @property
    def first(self) -> int:
        """What each neuron's number is before the first step."""
        return {"most": self.kind.low, "least": self.kind.high}.get(self.formed, 0)

    def members(self) -> list[Member]:
        return [Member(self.array, self.kind, (self.source.size,))] if self.formed else []

    def before(self, tables: Tables, step: str) -> list[str]:
        """Lines before the neurons of a step, `step` of the population's own."""
        if not self.formed:
            return []
        lines = [f"{self.kind.name} best_{self.id} = 0;", f"uint32_t winner_{self.id} = 0;"]
        lines = lines if self.formed == "votes" else []
        if self.weights is not None:
            if self.weights.ndim:
                weight = f"{tables.add(f'weights_{self.id}', self.weights)}[{step}]"
            else:
                weight = number(int(self.weights))
            lines.append(f"const {self.kind.name} weight_{self.id} = {weight};")
        return lines

    def lines(self, tables: Tables) -> list[str]:
        """Lines for neuron i of potential v and spike s."""
        if not self.formed:
            return []
        kind, here = self.kind.name, f"m->{self.array}[i]"
        value, weighted = f"({kind}){'s' if self.reads_spikes else 'v'}", self.weights is not None
        if not self.reads_spikes and self.population.record_before_reset:
            value = f"({value} + ({kind})s * {self._amount(tables).text})"
        match self.formed:
            case "last":
                return [f"{here} = {value};"]
            case "most" | "least":
                better = f"{value} {'>' if self.formed == 'most' else '<'} {here}"
                return [f"if ({f'weight_{self.id} != 0 && ' * weighted}{better})", f"    {here} = {value};"]
            case "votes":
                return [
                    f"if (i == 0 || {value} > best_{self.id}) {{", f"    best_{self.id} = {value};",
                    f"    winner_{self.id} = i;", "}",
                ]  # fmt: skip
            case _:
                return [f"{here} = {self._add}({here}, {value}{f' * weight_{self.id}' * weighted});"]

    def after(self) -> list[str]:
        """Lines behind the neurons of a step."""
        if self.formed != "votes":
            return []
        here = f"m->{self.array}[winner_{self.id}]"
        return [f"{here} = {self._add}({here}, {'1' if self.weights is None else f'weight_{self.id}'});"]

    @property
    def _add(self) -> str:
        return "sum_32" if self.kind is INT32 else "sum_64"

    def _amount(self, tables: Tables) -> Parameter:
        values = broadcast(self.population.reset_amount, self.population.shape).reshape(-1)
        # By neuron: the loop around has channels only where the population itself needs them.
        return parameter(tables, f"read_{self.id}", values, (values.size,), self.kind)

    def document(self) -> dict[str, Any]:
        """For readout.json: what is formed, and every number that is left to the caller."""
        output, p = self.output, self.population
        said: dict[str, Any] = {
            "output": output.name, "population": p.name, "readout": output.readout.value,
            "formed": self.formed or "nothing", "numbers": self.counts if self.formed else 0, "exact": self.exact,
            "caller": self.caller,
        }  # fmt: skip
        for name, array in (
            ("classes", output.classes if self.classes is None else None),
            ("offset", output.offset if self.offset is None else None),
            ("step_weights", output.step_weights if self.weights is None or self.formed in ("most", "least") else None),
            ("weights_applied", self.weights if self.formed == "sum" else None),
            ("lsb", None if self.reads_spikes else p.lsb), ("origin", None if self.reads_spikes else p.origin),
        ):  # fmt: skip
            if array is not None:
                said[name] = array.tolist()
        return said


def score(output: Output, name: str, population: Population, source: Source, wide: bool) -> Score:
    """An Output in C. wide: the population computes in 64 bits."""
    shared: dict[str, Any] = {"output": output, "id": name, "population": population, "source": source}
    weights, whole = _weights(output)
    if output.readout is Readout.SPIKE_COUNT:
        return _spikes(shared, weights, whole)
    # The sizes of a last bit, and which way potentials of the source grow.
    lsb, origin = population.lsb, population.origin
    one_unit = bool(np.all(lsb == lsb.reshape(-1)[0]) and np.all(origin == origin.reshape(-1)[0]))
    plain = one_unit and bool(np.all(lsb > 0)) and output.classes is None and output.offset is None
    near = plain and abs(float(origin.reshape(-1)[0])) < _FAR * float(lsb.reshape(-1)[0])
    narrow = INT64 if wide else INT32
    by_step = _by_step(output)
    unit = "lsb * number + origin"
    match output.readout:
        case Readout.MEMBRANE_SUM if whole or not by_step:
            given = weights if by_step else None
            says = "with n the sum over the steps (of weight times potential where steps have weights of their own)"
            return Score(
                **shared, kind=INT64, formed="sum", weights=given, ordered=plain and _positive(output) and not by_step,
                caller=f"{says}, the sum is lsb n + origin times the sum of the weights; times step_weights where that "
                "is one number, by classes, plus offset",
            )  # fmt: skip
        case Readout.MEMBRANE_LAST:
            return Score(
                **shared, kind=narrow, formed="last", ordered=plain and _positive(output),
                caller=f"{unit}, times step_weights, by classes, plus offset",
            )  # fmt: skip
        case Readout.MEMBRANE_MAX:
            found = _largest(output, lsb)
            if found is not None:
                return Score(
                    **shared, kind=narrow, formed=found[0], weights=found[1], ordered=plain and _positive(output),
                    caller=f"{unit}, times the weight of a step, by classes, plus offset",
                )  # fmt: skip
        case Readout.MEMBRANE_ARGMAX if near and (whole or not by_step):
            return Score(
                **shared, kind=narrow if weights is None else INT64, formed="votes", weights=weights, exact=whole,
                ordered=whole or _positive(output), caller="" if whole else "times step_weights",
            )  # fmt: skip
        case _:
            pass
    return Score(**shared, kind=narrow, formed="", caller=_EVERY_STEP)


_EVERY_STEP = (
    "everything: read the spikes or potentials (lsb * number + origin) after every step, and form the scores of them"
)


def _spikes(shared: dict[str, Any], weights: Ints | None, whole: bool) -> Score:
    output, source = shared["output"], shared["source"]
    if _by_step(output) and not whole:
        return Score(**shared, kind=INT32, formed="", caller=_EVERY_STEP)
    classes = _whole(output.classes)
    applied = output.classes is None or classes is not None
    given = weights if whole and output.step_weights is not None else None
    one_weight = output.step_weights is None or given is not None
    offset = _whole(output.offset) if applied and one_weight else None
    exact = applied and one_weight and (output.offset is None or offset is not None)
    small = given is None and classes is None and offset is None and source.low >= -1 and source.high <= 1
    left = []
    if not one_weight:
        left.append("times step_weights")
    if not applied:
        left.append("by classes")
    if output.offset is not None and offset is None:
        left.append("plus offset")
    ordered = exact or (applied and output.offset is None and _positive(output))
    return Score(
        **shared, kind=INT32 if small else INT64, formed="sum", weights=given, classes=classes, offset=offset,
        exact=exact, ordered=ordered, caller=", ".join(left),
    )  # fmt: skip


def _whole(values: Reals | None) -> Ints | None:
    """Whole numbers as integers; None where one is not, or is too large for sums of 64 bits."""
    if values is None or not np.all((values == np.rint(values)) & (np.abs(values) < _WHOLE)):
        return None
    return values.astype(np.int64)


def _weights(output: Output) -> tuple[Ints | None, bool]:
    """The weights of steps in integers, one or one for each step, and whether they are whole."""
    if output.step_weights is None:
        return None, True
    found = _whole(output.step_weights)
    return found, found is not None


def _by_step(output: Output) -> bool:
    """Whether each step has a weight of its own."""
    return output.step_weights is not None and output.step_weights.ndim > 0


def _positive(output: Output) -> bool:
    """Whether one positive number weighs all steps."""
    return output.step_weights is None or (output.step_weights.ndim == 0 and float(output.step_weights) > 0)


def _largest(output: Output, lsb: Reals) -> tuple[str, Ints | None] | None:
    """Whether the largest or the least potential in last bits makes the maximum, and which steps count (1, not 0)."""
    weights = np.ones(()) if output.step_weights is None else output.step_weights
    used = weights[weights != 0]
    if used.size == 0 or np.any(used != used.reshape(-1)[0]):
        return None
    signs = np.sign(lsb) * np.sign(used.reshape(-1)[0])
    if not (np.all(signs > 0) or np.all(signs < 0)):
        return None
    steps = None if weights.ndim == 0 else (weights != 0).astype(np.int64)
    return ("most" if np.all(signs > 0) else "least"), steps
