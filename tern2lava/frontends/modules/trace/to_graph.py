"""The Graph of a recorded run: what its neurons read in every step, folded into one step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.graph import Delay, Graph, Readout
from tern2lava.compiler.ir.shapes import size
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules.known_modules import add_layer
from tern2lava.frontends.modules.torch_layers import IN_TRAINING, TRAINED, class_path
from tern2lava.frontends.modules.trace.emit import EMITTERS
from tern2lava.frontends.modules.trace.outputs import Chosen, choose, prune, told_instead
from tern2lava.frontends.modules.trace.recorder import NO_EXACT_FORM, Recorder
from tern2lava.frontends.modules.trace.returned import Returned
from tern2lava.frontends.modules.trace.symbols import TOTAL, ZERO, Expression, OneCallError, Symbol


class Fold:
    """One recorded run on its way into a Graph of `steps` steps."""

    def __init__(
        self, recorder: Recorder, steps: int, levels: tuple[int, int], training: bool, returned: Sequence[Returned] = ()
    ) -> None:
        self.recorder, self.levels, self.training = recorder, levels, training
        self.source = recorder.source
        self.recorded = len(recorder.expressions)
        kinds = {e.kind for e in recorder.expressions if e.kind in ("conv", "avgpool", "maxpool")}
        flat = any(
            class_path(e.module).endswith("Conv1d") if e.module is not None else e.kind in kinds and len(e.shape) == 2
            for e in recorder.expressions
        )
        self.builder = GraphBuilder(self.source, steps, one_dimensional=flat)
        self.emitted: dict[tuple[int, int], str] = {}
        self.used: set[int] = set()
        self.returned = returned
        self.chosen: list[Chosen] = []
        self.other = False
        self.told: list[str] = []

    def graph(self, readout: Readout | None) -> tuple[Graph, dict[str, str]]:
        """(the graph, the node of each neuron layer by its name in the module).

        readout: of the last layers; None: what the forward returns is read (`chosen`), or spikes where it returns
        nothing. `other`: the forward returns something else than was asked for. `told`: notes on what is read.
        """
        recorder, builder = self.recorder, self.builder
        for key, expression in enumerate(recorder.expressions):
            if expression.kind == "input":
                builder.input(expression.label, expression.shape, self.levels, self.source)
                self.emitted[key, 0] = expression.label
        if self.training and any(class_path(part) in TRAINED for part in recorder.module.modules()):
            builder.notes.append(IN_TRAINING)
        read = {key: self.read_by(key) for key in recorder.calls}
        if not read:
            raise UnsupportedError(
                self.source, "a network that ends in neurons", "no call of one, and no potential that is compared",
                "pass the whole spiking network, or a checkpoint with a net.yaml",
            )  # fmt: skip
        for key in recorder.calls:
            expression = recorder.expressions[key]
            self.emitted[key, 0] = self.free(expression.label)
            builder.promise(self.emitted[key, 0], builder.held(expression.shape))
        sinks = set(recorder.calls)
        for key, (arg, delay) in read.items():
            before = set(self.used)
            self.used = set()
            source = self.emit(arg, delay)
            sinks -= self.used - {key}
            self.used |= before
            expression = recorder.expressions[key]
            if expression.module is None:
                fields = recorder.own.fields[key]
                builder.neuron(self.emitted[key, 0], (source,), self.where(expression), **fields)
            else:
                add_layer(builder, self.emitted[key, 0], source, self.where(expression), expression.module)
        names = {recorder.expressions[key].label: self.emitted[key, 0] for key in recorder.calls}
        if readout is None and self.returned:
            self.chosen = choose(
                recorder, self.returned, builder, lambda key: self.emit(key, 0), self.source, self.told
            )
            stay = prune(builder, [one.layer.layer for one in self.chosen], self.told)
            graph = builder.finish(None, self.source, [one.layer for one in self.chosen])
            return graph, {label: node for label, node in names.items() if node in stay}
        self.refuse_unused()
        outputs = [self.emitted[key, 0] for key in recorder.calls if key in (sinks or {list(recorder.calls)[-1]})]
        if readout is not None and (told := told_instead(recorder, self.returned, readout, outputs)):
            self.told.append(told)
            self.other = True
        return builder.finish(readout, self.source, outputs), names

    def refuse_others(self, again: Recorder) -> None:
        """Raise UnsupportedError where another run of the module computed with other numbers than this one."""
        mine, others = list(self.recorder.index), list(again.index)
        for key in sorted(key for key in self.used if key < self.recorded):
            if key >= len(others) or mine[key] != others[key]:
                raise UnsupportedError(
                    self.source, "the same computation in every call of the module",
                    f"another one in the second call: {self.described(key)}",
                    "draw random numbers once, where the module is made, and keep nothing from call to call",
                )  # fmt: skip

    def where(self, expression: Expression) -> str:
        """The place of an expression for messages."""
        if expression.kind == "neuron" and expression.module is None:
            return f"{self.source}: neurons {expression.label}{expression.at}"
        if expression.module is None:
            return f"{self.source}: torch.{expression.label}{expression.at}"
        return f"{self.source}: layer {expression.label} ({type(expression.module).__name__})"

    def free(self, label: str) -> str:
        """`label`, with a number where a node has that name already."""
        taken, name, number = set(self.builder.shape) | set(self.emitted.values()), label, 2
        while name in taken:
            name, number = f"{label}_{number}", number + 1
        return name

    def read_by(self, key: int) -> tuple[int, int]:
        """(expression, steps it looks back) that a neuron layer reads in every step once all its past exists."""
        where = self.where(self.recorder.expressions[key])
        calls = self.recorder.calls[key].read
        steps = self.recorder.steps
        if all(call is None for call in calls):
            raise UnsupportedError(
                where, "neurons that read layers of this network", "numbers made outside of torch's functions",
                "use torch functions and known layers in front of it",
            )  # fmt: skip
        if any(call is not None and call.sequence for call in calls):
            if len(calls) != 1:
                raise UnsupportedError(where, "one call for a sequence", f"{len(calls)} calls", "call it once")
            (whole,) = calls
            assert whole is not None
            reads = [Symbol(whole.key, (time,), ()) if time != ZERO else None for time in whole.times]
        else:
            reads = list(calls)
        if len(reads) > steps:
            raise UnsupportedError(
                where, "one call of a neuron layer per step",
                f"{count(len(reads), 'call')} in {count(steps, 'step')}, where its state of one place goes on in the "
                "next place", "no population has two inputs one after the other in a step; layers of their own have "
                "states of their own, which is another network",
            )  # fmt: skip
        if len(reads) != steps:
            raise (OneCallError if len(reads) == 1 else UnsupportedError)(
                where, "one call of a neuron layer per step", f"{count(len(reads), 'call')} in {count(steps, 'step')}",
                "use a neuron layer of its own in each place, and as many steps as the module runs",
            )  # fmt: skip
        if any(symbol is not None and symbol.times == (TOTAL,) for symbol in reads):
            raise UnsupportedError(
                where, "neurons that read layers step by step", "a sum or mean over the steps", "read it in its steps"
            )
        seen = Counter((s.key, _delay(s, t)) for t, s in enumerate(reads) if s is not None)
        (arg, delay), _ = seen.most_common(1)[0]
        start = max(delay, 0) + self.reach(arg)
        for t, symbol in enumerate(reads):
            same = symbol is not None and (symbol.key, _delay(symbol, t)) == (arg, delay)
            # In the first steps a layer of earlier steps may be missing: its spikes are zeros then.
            if t < start and not same:
                self.require_zeros(key, symbol, arg, t)
            if delay < 0 or (not same and t >= start):
                found = (
                    f"another input in step {t} than in others: {self.difference(symbol, arg, delay, t)}"
                    if delay >= 0 else f"steps that are still to come, of {self.described(arg)}"
                )  # fmt: skip
                raise UnsupportedError(
                    where, "the same computation in every step", found, "keep the loop over time the same in every step"
                )
        return arg, max(delay, 0)

    def require_zeros(self, key: int, symbol: Symbol | None, arg: int, t: int) -> None:
        """Raise UnsupportedError where what neurons read in step `t` has other constants in it than what the usual
        expression gives of layers that have not spiked yet."""
        found = self.recorder.calls[key].constants.get(t) if symbol is None else self.of_zeros(symbol.key)
        usual = self.of_zeros(arg)
        if found is None or usual is None or torch.allclose(found.double(), usual, rtol=1e-9, atol=1e-12):
            return
        raise UnsupportedError(
            self.where(self.recorder.expressions[key]), "zeros in place of spikes of steps before the first",
            f"other numbers in step {t}, where {self.described(arg)} is read later",
            "no delay gives other numbers first: with zeros there the network is another one in its first steps",
        )  # fmt: skip

    def of_zeros(self, key: int) -> Tensor | None:
        """What an expression gives where no neuron has spiked, (1, *shape); None where that is not formed."""
        expression = self.recorder.expressions[key]
        if expression.kind in ("neuron", "input"):
            return torch.zeros((1, *expression.shape), dtype=torch.float64)
        given = [self.of_zeros(arg) for arg, _ in expression.args]
        known = [value for value in given if value is not None]
        if len(known) < len(given):
            return None
        if expression.kind == "layer":
            with torch.no_grad():
                result: Tensor = expression.module(known[0])
            return result
        if expression.kind == "add":
            return known[0] + known[1]
        if expression.kind == "affine":
            gain, offset = (torch.from_numpy(np.array(n)) for n in expression.data)
            return gain * known[0] + offset
        linear = expression.kind in ("sparse", "and", "or", "maxpool", "adaptivemax", "avgpool")
        plain = linear or (expression.kind in ("linear", "conv") and expression.data[1] is None)
        zeros = plain and not any(value.any() for value in known)
        return torch.zeros((1, *expression.shape), dtype=torch.float64) if zeros else None

    def difference(self, symbol: Symbol | None, usual: int, delay: int, t: int) -> str:
        """How what a symbol of step `t` is differs from the `usual` expression: the first layer or function that does,
        seen from the neurons."""
        if symbol is None:
            return f"numbers that do not depend on the input, in place of {self.described(usual)}"
        one, other, back = symbol.key, usual, (_delay(symbol, t), delay)
        while back[0] == back[1]:
            first, second = self.recorder.expressions[one], self.recorder.expressions[other]
            if (first.kind, first.module, len(first.args)) != (second.kind, second.module, len(second.args)):
                break
            differing = [(a, b) for a, b in zip(first.args, second.args, strict=True) if a != b]
            if len(differing) != 1:
                if not differing:
                    return f"other numbers in {self.described(one)}"
                break
            ((one, mine), (other, its)) = differing[0]
            back = (mine, its)
        return f"{self.described(one, back[0])}, in place of {self.described(other, back[1])}"

    def described(self, key: int, back: int = 0) -> str:
        """What an expression is, for messages: its layer or function, where it stands, and how long ago it was."""
        expression = self.recorder.expressions[key]
        name = expression.label if expression.module is not None or expression.kind in ("input", "neuron") else (
            f"torch.{expression.label}"
        )  # fmt: skip
        ago = f" of {count(back, 'step')} before" if back else ""
        return f"{name}{expression.at}{ago}"

    def reach(self, key: int) -> int:
        """Steps that an expression looks back at most."""
        known: dict[int, int] = {}
        stack = [key]
        while stack:
            one = stack[-1]
            args = self.recorder.expressions[one].args
            missing = [arg for arg, _ in args if arg not in known]
            if missing:
                stack += missing
            else:
                known[one] = max((delay + known[arg] for arg, delay in args), default=0)
                stack.pop()
        return known[key]

    def emit(self, key: int, delay: int) -> str:
        """The node of an expression of `delay` steps ago; delays stand at neurons and inputs, in front of biases."""
        expression = self.recorder.expressions[key]
        if expression.kind in ("neuron", "input"):
            self.used.add(key)
            if delay and (key, delay) not in self.emitted:
                name = self.free(f"{self.emitted[key, 0]}.delay{delay}")
                self.builder.add(Delay(name=name, inputs=(self.emitted[key, 0],), steps=delay), self.source)
                self.emitted[key, delay] = name
            return self.emitted[key, delay]
        if expression.kind not in EMITTERS:
            found = self.recorder.no_spikes(key) if expression.states else f"a sum over steps{expression.at}"
            raise UnsupportedError(
                self.source, "layers that read spikes, or sums of layers of the same or earlier steps", found,
                NO_EXACT_FORM,
            )  # fmt: skip
        sources = [self.emit(arg, delay + back) for arg, back in expression.args]
        self.used.add(key)
        if expression.kind == "sparse" and expression.shape == self.recorder.expressions[expression.args[0][0]].shape:
            rows, columns, values = expression.data[0]
            alone = len(sources) == 1 and len(values) == 0 and rows.size == size(expression.shape)
            if alone and (rows == columns).all():
                return sources[0]  # a delay alone
        if (key, delay) not in self.emitted:
            name = self.free(expression.label)
            EMITTERS[expression.kind](self.builder, expression, name, sources, self.where(expression))
            self.emitted[key, delay] = name
        return self.emitted[key, delay]

    def refuse_unused(self) -> None:
        """Raise UnsupportedError where a layer with weights computes what no neuron reads, as a last linear layer."""
        modules = {id(self.recorder.expressions[key].module) for key in self.used}
        for expression in self.recorder.expressions:
            weights = expression.kind in ("linear", "conv") or (
                expression.kind == "layer" and next(expression.module.parameters(), None) is not None
            )
            emitted = id(expression.module) in modules if expression.module is not None else True
            if weights and not emitted:
                raise UnsupportedError(
                    self.where(expression), "a network that ends in neurons", "a layer that no neuron reads",
                    "add a neuron layer; one without leak and reset, read as membrane_last, sums its input",
                )  # fmt: skip


def _delay(symbol: Symbol, t: int) -> int:
    (time,) = symbol.times
    return t - time if time >= 0 else 0
