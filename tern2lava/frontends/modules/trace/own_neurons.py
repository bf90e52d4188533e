"""Neurons that a forward writes out itself: a potential that is compared, and goes on from what its spikes left of it.

Where a comparison meets an expression of many values, it is spikes s = [P > 0] (or >=) of neurons of their own, P being
what is compared less its threshold. What is later computed from that potential of that step is expressed by P, so that
every step comes out as the same expression. Behind the run it is taken apart:

    e_t = a P_(t-1) + g (P s)_(t-1) + c s_(t-1) + inputs_t + b,    P = e - threshold

With v = e that is v' = a v + x + bias with a hard reset where g = -a, a subtraction where g = 0, none where c = 0 too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.symbols import Calls, Expression, Meaning, Symbol

if TYPE_CHECKING:
    from tern2lava.frontends.modules.trace.recorder import Recorder

SNAP = 1e-12
"""Share of a threshold below which what is left of a sum of its parts is rounding."""

_SURROGATES = ("spikingjelly.activation_based.surrogate", "snntorch.surrogate")


@dataclass(eq=False)
class _Own:
    """Neurons of a forward's own: expression `key`, their potential `pre`, what is compared with `threshold` at each
    time, and the spikes."""

    key: int
    pre: int
    threshold: Reals
    compare: Compare
    at: str
    compared: dict[int, Symbol] = field(default_factory=dict)
    spikes: dict[int, Array] = field(default_factory=dict)
    named: bool = False


@dataclass(eq=False)
class _Form:
    """A linear form: what is left of the neurons' step before, inputs (expression, steps back) and a constant."""

    p: Reals
    s: Reals
    g: Reals
    constant: Reals
    inputs: dict[tuple[int, int], Reals]


class _StrangeError(Exception):
    """What no neuron of ours computes."""


class OwnNeurons:
    """The neurons that the forward of a run writes out itself."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.neurons: dict[int, _Own] = {}
        self.potentials: dict[tuple[int, int], tuple[int, Reals, Reals]] = {}
        self.fields: dict[int, dict[str, Any]] = {}

    # While the forward runs

    def fired(self, symbol: Symbol, threshold: Reals, compare: Compare, spikes: Array, at: str) -> Symbol | None:
        """The spikes of a comparison of a symbol with a threshold; None where it is none of single steps."""
        if symbol.sequence or len(symbol.times) != 1 or symbol.times[0] < 0:
            return None
        (t,) = symbol.times
        state = self.as_state(symbol)
        base, gain, offset = self._stripped(state)
        if self._expression(base).kind == "pre":
            key = self._expression(base).args[0][0]
            own = self.neurons[key]
            same = bool(np.allclose(offset, threshold, rtol=1e-9, atol=0) and (gain > 0).all())
            return Symbol(key, symbol.times, symbol.axes) if same and own.compare is compare else None
        own = self.neurons[self._of(symbol, threshold, compare, at)]
        own.compared[t], own.spikes[t] = symbol, spikes
        # What the argument was made of by constants alone is that potential too.
        key, a, b = symbol.key, np.ones(()), threshold
        while True:
            self.potentials[key, t] = (own.key, a, b)
            e = self._expression(key)
            if e.kind != "affine" or not np.all(e.data[0] > 0):
                break
            a, b = a / e.data[0], (b - e.data[1]) / e.data[0]
            key = e.args[0][0]
        return Symbol(own.key, symbol.times, symbol.axes)

    def as_state(self, symbol: Symbol) -> Symbol:
        """A symbol expressed by the potential of neurons of that step, where it is one."""
        if len(symbol.times) != 1 or not self.potentials:
            return symbol
        known = self.potentials.get((symbol.key, symbol.times[0]))
        if known is not None:
            own, gain, offset = known
            return self._affine(Symbol(self.neurons[own].pre, symbol.times, symbol.axes), gain, offset)
        e = self._expression(symbol.key)
        if e.kind == "affine":
            inner = Symbol(e.args[0][0], symbol.times, symbol.axes)
            state = self.as_state(inner)
            return symbol if state is inner else self._affine(state, *e.data)
        return symbol

    def pair(self, a: Symbol, b: Symbol) -> tuple[Symbol, Symbol]:
        """Two symbols that are added, expressed by potentials where spikes of the same neurons, or a later step, are
        the other one."""
        if not self.potentials or len(a.times) != 1 or len(b.times) != 1:
            return a, b
        if a.times != b.times:
            return (self.as_state(a), b) if a.times[0] < b.times[0] else (a, self.as_state(b))
        return (self.as_state(a) if self._leaves(b) else a), (self.as_state(b) if self._leaves(a) else b)

    def gated(self, a: Symbol, b: Symbol, at: str) -> Meaning | None:
        """A product of spikes of a forward's own neurons and their potential; None for others."""
        for spikes, other in ((a, b), (b, a)):
            base, g, o = self._stripped(spikes)
            if base not in self.neurons or spikes.times != other.times or spikes.axes != other.axes:
                continue
            pre, gain, offset = self._stripped(self.as_state(other))
            if self._expression(pre).kind != "pre" or self._expression(pre).args[0][0] != base:
                continue
            e = self._expression(pre)
            made = Expression(kind="gate", label="mul", args=((pre, 0), (base, 0)), shape=e.shape, states=True, at=at)
            times, axes = spikes.times, spikes.axes
            gate = Symbol(self.recorder.express(made), times, axes)
            terms = [(gate, g * gain), (Symbol(base, times, axes), g * offset), (Symbol(pre, times, axes), o * gain)]
            kept = [self._affine(x, factor, np.zeros(())) for x, factor in terms if np.any(factor)]
            total = kept[0]
            for term in kept[1:]:
                total = self._sum(total, term, at)
            return self._affine(total, np.ones(()), np.asarray(o * offset))
        return None

    def left(self, name: str, module: Any, output: Any) -> None:
        """Name neurons after the module that gives out their spikes."""
        first = output[0] if isinstance(output, tuple) and output else output
        if not self.neurons or self.recorder.meaning(first) is None:
            return
        symbol = self.recorder.symbol(first)
        key, gain, offset = self._stripped(symbol) if isinstance(symbol, Symbol) else (-1, np.ones(()), np.zeros(()))
        own = self.neurons.get(key) if (gain == 1).all() and not offset.any() else None
        if own is not None and not own.named:
            own.named = not type(module).__module__.startswith(_SURROGATES)
            self._put(own.key, label=name)

    # Behind the run

    def finish(self, source: str) -> None:
        """Say of each of the neurons what they read in each step, and their fields. Raises UnsupportedError where they
        do what no neuron of ours does."""
        for own in self.neurons.values():
            label = self._expression(own.key).label
            where = f"{source}: neurons {label}{own.at}"
            calls = self.recorder.calls[own.key]
            forms = {}
            try:
                for t, symbol in sorted(own.compared.items()):
                    forms[t] = self._form(symbol.key, own, 0 if t == 0 else 1)
                    calls.read.append(self._input(forms[t], symbol, own))
                    calls.spikes.append(own.spikes[t])
                self.fields[own.key] = _fields(own, forms)
            except _StrangeError as error:
                raise UnsupportedError(
                    where, "neurons that decay, add up what they read, and are reset by their own spikes", str(error),
                    "docs/live-modules.md shows which steps are read; a neuron of the frameworks that does the same is "
                    "read as it is",
                ) from None  # fmt: skip

    def _of(self, symbol: Symbol, threshold: Reals, compare: Compare, at: str) -> int:
        """The neurons whose potential of the step before a symbol goes on from; new ones where there are none."""
        before = self._states(symbol.key)
        for key, own in self.neurons.items():
            same = own.compare is compare and np.array_equal(own.threshold, threshold)
            if same and (key in before or (not before and any(c.key == symbol.key for c in own.compared.values()))):
                return key
        shape = self._expression(symbol.key).shape
        number = len(self.neurons) + 1
        made = Expression(kind="neuron", label=f"neurons{number}", shape=shape, values=(0.0, 1.0), at=at)
        key = self.recorder.express(made, ("own", number, threshold.tobytes(), compare))
        pre = self.recorder.express(
            Expression(kind="pre", label=made.label, args=((key, 0),), shape=shape, states=True, at=at)
        )
        self._put(key, label=made.label)
        self.neurons[key] = _Own(key, pre, threshold, compare, at)
        self.recorder.calls[key] = Calls()
        return key

    def _put(self, key: int, label: str) -> None:
        taken = {e.label for k, e in enumerate(self.recorder.expressions) if e.kind == "neuron" and k != key}
        name, number = label, 2
        while name in taken:
            name, number = f"{label}.{number}", number + 1
        self.recorder.expressions[key] = replace(self._expression(key), label=name)

    def _states(self, key: int) -> set[int]:
        """The own neurons whose potentials are in a sum."""
        found, stack = set(), [key]
        while stack:
            e = self._expression(stack.pop())
            if e.kind in ("pre", "gate"):
                found.add(e.args[0][0] if e.kind == "pre" else e.args[1][0])
            elif e.kind in ("add", "affine"):
                stack += [arg for arg, _ in e.args]
        return found

    def _leaves(self, symbol: Symbol) -> bool:
        """Whether a symbol is a sum in which spikes or potentials of own neurons stand."""
        stack = [symbol.key]
        while stack:
            key = stack.pop()
            e = self._expression(key)
            if key in self.neurons or e.kind in ("pre", "gate"):
                return True
            stack += [arg for arg, _ in e.args] if e.kind in ("add", "affine") else []
        return False

    def _form(self, key: int, own: _Own, back: int) -> _Form:
        """The linear form of what is compared: states are those of `back` steps before (0: there are none)."""
        zero = np.zeros(())
        form = _Form(zero, zero, zero, zero, {})
        stack: list[tuple[int, int, Reals]] = [(key, 0, np.ones(()))]
        while stack:
            one, ago, factor = stack.pop()
            e = self._expression(one)
            if e.kind == "affine":
                form.constant = form.constant + factor * e.data[1]
                stack.append((e.args[0][0], ago, factor * e.data[0]))
            elif one == own.pre and ago == back == 1:
                form.p = form.p + factor
            elif one == own.key and ago == back == 1:
                form.s = form.s + factor
            elif e.kind == "gate" and e.args[1][0] == own.key and ago == back == 1:
                form.g = form.g + factor
            elif e.kind == "add" and (e.states or self._leaves(Symbol(one, (0,), ()))):
                stack += [(arg, ago + more, factor) for arg, more in e.args]
            elif e.states:
                what = "of other neurons" if e.kind in ("pre", "gate", "state") and ago == back else "of several steps"
                raise _StrangeError(f"a potential {what} in the sum{e.at or own.at}")
            elif np.any(factor):
                form.inputs[one, ago] = form.inputs.get((one, ago), zero) + factor
        return form

    def _input(self, form: _Form, like: Symbol, own: _Own) -> Symbol | None:
        """The inputs of a form as one symbol."""
        total: Symbol | None = None
        (t,) = like.times
        for (key, ago), factor in sorted(form.inputs.items(), key=lambda pair: pair[0]):
            term = self._affine(Symbol(key, (t - ago,), like.axes), factor, np.zeros(()))
            total = term if total is None else self._sum(total, term, own.at)
        return total

    def _stripped(self, symbol: Symbol) -> tuple[int, Reals, Reals]:
        """(expression, gain, offset) of a symbol that is gain times an expression plus an offset."""
        key, gain, offset = symbol.key, np.ones(()), np.zeros(())
        while (e := self._expression(key)).kind == "affine":
            gain, offset, key = gain * e.data[0], offset + gain * e.data[1], e.args[0][0]
        return key, gain, offset

    def _affine(self, x: Symbol, gain: Reals, offset: Reals) -> Symbol:
        key, g, o = self._stripped(x)
        gain, offset = np.asarray(gain * g), np.asarray(gain * o + offset)
        if (gain == 1).all() and not offset.any():
            return Symbol(key, x.times, x.axes)
        e = self._expression(key)
        data = tuple(np.array(v.flat[0]) if (v == v.flat[0]).all() else v for v in (gain, offset))
        plain = data[0].ndim == data[1].ndim == 0
        values = tuple(sorted({float(data[0]) * v + float(data[1]) for v in e.values})) if plain else ()
        made = Expression(
            kind="affine", label="scale", args=((key, 0),), data=data, shape=e.shape, values=values, at=e.at
        )
        identity = tuple((n.shape, n.tobytes()) for n in data)
        return Symbol(self.recorder.express(made, identity), x.times, x.axes)

    def _sum(self, a: Symbol, b: Symbol, at: str) -> Symbol:
        """The sum of two symbols of single steps."""
        (t,) = times = max(a.times, b.times)
        args = ((a.key, t - a.times[0]), (b.key, t - b.times[0]))
        made = Expression(kind="add", label="add", args=args, shape=self._expression(a.key).shape, at=at)
        return Symbol(self.recorder.express(made), times, a.axes)

    def _expression(self, key: int) -> Expression:
        return self.recorder.expressions[key]


def _fields(own: _Own, forms: dict[int, _Form]) -> dict[str, Any]:
    """The fields of ir.Neuron of the neurons."""
    first, later = forms.get(0), [form for t, form in forms.items() if t]
    if not later:
        later = [first] if first is not None else []
    form = later[0]
    for other in later[1:]:
        if any(not np.array_equal(getattr(form, n), getattr(other, n)) for n in ("p", "s", "g", "constant")):
            raise _StrangeError(f"another decay, reset or bias in some steps than in others{own.at}")
    threshold, a = own.threshold, form.p
    if a.size and (a.min() < 0 or a.max() > 1):
        raise _StrangeError(f"a potential times {float(a.max() if a.max() > 1 else a.min()):g} in each step{own.at}")
    unit = np.maximum(np.abs(threshold), SNAP)
    bias = _snapped(form.constant - a * threshold, unit)
    fields: dict[str, Any] = {"alpha_v": a, "threshold": threshold, "compare": own.compare, "bias": bias}
    left = _snapped(form.s - form.g * threshold, unit)
    safe = np.where(a == 0, 1.0, a)
    if first is not None and form is not first:
        fields["v_init"] = _snapped(np.where(a == 0, 0.0, (first.constant - bias) / safe), unit)
    if not np.any(a) and not np.any(form.g) and not np.any(left):
        return {**fields, "reset": Reset.ZERO}
    if np.allclose(form.g, -a, rtol=1e-12, atol=0) and np.any(a):
        value = _snapped(np.where(a == 0, 0.0, left / safe), unit)
        return {**fields, "reset": Reset.ZERO, "reset_value": value}
    if np.any(form.g):
        raise _StrangeError(f"a spike that takes a part of the potential away{own.at}")
    if not np.any(left):
        return {**fields, "reset": Reset.NONE}
    # After the decay, or before it by an amount that decays too.
    delayed = (a == 0).any() or (np.allclose(-left, threshold, rtol=1e-12, atol=0) and (a != 1).any())
    amount = -left if delayed else -left / safe
    return {**fields, "reset": Reset.SUBTRACT, "reset_amount": np.asarray(amount), "reset_delay": bool(delayed)}


def _snapped(value: Reals, unit: Reals) -> Reals:
    return np.where(np.abs(value) <= SNAP * unit, 0.0, value)
