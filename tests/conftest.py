"""Random networks as front ends import them, for the tests of passes, certificates and simulators."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from drawn import Inputs, Network
from slow import is_slow
from tern2lava.compiler.ir.check import output_shape
from tern2lava.compiler.ir.graph import (
    Add,
    Arithmetic,
    ChannelAffine,
    Compare,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Population,
    Readout,
    Reset,
)
from tern2lava.compiler.ir.shapes import conv_out, frozen, size
from tern2lava.compiler.passes.pipeline import Lowered
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import NeuronState, run_float
from tern2lava.sim.verify.threshold_margin import Tracker

# The same examples in every run of the same code and the same files; TERN2LAVA_FUZZ=1 draws new ones. An edit anywhere
# may bring others, since hypothesis also draws numbers that it finds in the modules that are loaded: a property must
# hold for whatever comes, and what is counted over examples needs seeds of its own (random_programs.numbers).
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("fuzz", deadline=None)
settings.load_profile("fuzz" if os.environ.get("TERN2LAVA_FUZZ") else "repeatable")

# Packages that only extras and the group `dev` bring.
OPTIONAL = {
    "torch", "snntorch", "spikingjelly", "norse", "nir", "nirtorch", "tensorboard", "ray", "mtkahypar", "ortools",
}  # fmt: skip


class TestFile(pytest.Module):
    """A test file that is skipped where it imports a package of OPTIONAL, at its top, that is not installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            cause = error.__cause__
            if isinstance(cause, ModuleNotFoundError) and (cause.name or "").partition(".")[0] in OPTIONAL:
                pytest.skip(f"{cause.name} is not installed", allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> TestFile:
    """Tests of extras are skipped, with the reason, where these are not installed."""
    return TestFile.from_parent(parent, path=module_path)


Shape = tuple[int, ...]


FORKS = ("tests/writing/test_killed.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test as slow (helpers/slow.py) or fast. Files that fork go first, since a fork takes four times as
    long in a process that other tests have filled; then slow ones, then those of most tests, so that workers end
    together."""
    tests = Counter(item.nodeid.partition("::")[0] for item in items)
    files = {
        file: (file not in FORKS, not is_slow(file.removeprefix("tests/")), -number) for file, number in tests.items()
    }
    items.sort(key=lambda item: files[item.nodeid.partition("::")[0]])
    for item in items:
        name = item.nodeid.partition("[")[0].removeprefix("tests/")
        item.add_marker(pytest.mark.slow if is_slow(name) else pytest.mark.fast)


@dataclass
class Sketch:
    """A network drawn layer by layer. All numbers are dyadic with few bits, so that float64 computes it exactly and a
    potential can hit its threshold exactly; `leak` lets decays be other than 0 and 1."""

    rng: np.random.Generator
    leak: bool
    nodes: list[Node] = field(default_factory=list)
    shape: dict[str, Shape] = field(default_factory=dict)

    def add(self, node: Node) -> str:
        """The name of `node`, now part of the network."""
        self.nodes.append(node)
        self.shape[node.name] = output_shape(node, [self.shape[name] for name in node.inputs])
        return node.name

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.nodes)}"

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def weight(self, *shape: int) -> NDArray[Any]:
        """Ternary codes times a power of two, of the tensor or of each row."""
        codes = self.rng.integers(-1, 2, shape).astype(np.float64)
        scale = 2.0 ** self.rng.integers(-3, 2, shape[0] if self.chance(0.4) else ())
        return frozen(codes * np.reshape(scale, (-1, *([1] * (len(shape) - 1))) if scale.ndim else ()))

    def bias(self, count: int) -> NDArray[Any] | None:
        return frozen(self.rng.integers(-4, 5, count) / 8) if self.chance(0.5) else None

    def dense(self, source: str, out: int, bias: bool = True) -> str:
        weight = self.weight(out, size(self.shape[source]))
        return self.add(
            Dense(name=self.name("dense"), inputs=(source,), weight=weight, bias=self.bias(out) if bias else None)
        )

    def conv(self, source: str) -> str:
        """A convolution that fits its source: stride, uneven padding, dilation, groups."""
        channels, height, width = self.shape[source]
        groups = self.pick(*(g for g in (1, 1, 2, channels) if channels % g == 0))
        out = groups * self.pick(1, 2)
        kernel = (min(self.pick(1, 2, 3), height), min(self.pick(1, 2, 3), width))
        padding = (self.pick(0, 0, 1), self.pick(0, 0, 1), self.pick(0, 0, 2), self.pick(0, 0, 1))
        dilation = (1, self.pick(1, 1, 2))
        if conv_out(width, kernel[1], 1, padding[2] + padding[3], dilation[1]) < 1:
            dilation = (1, 1)
        weight = self.weight(out, channels // groups, *kernel)
        return self.add(
            Conv2d(
                name=self.name("conv"), inputs=(source,), weight=weight, bias=self.bias(out),
                stride=(self.pick(1, 1, 2), self.pick(1, 1, 2)), padding=padding, dilation=dilation, groups=groups,
            )
        )  # fmt: skip

    def pool(self, source: str) -> str:
        """Sums over any window, averages over areas that are powers of two; windows overlap where strides are less."""
        _, height, width = self.shape[source]
        kind = self.pick(PoolKind.SUM, PoolKind.AVG)
        sides = (1, 2, 3) if kind is PoolKind.SUM else (1, 2)
        kernel = (min(self.pick(*sides), height), min(self.pick(*sides), width))
        padding = (self.pick(0, 0, 1), 0, 0, self.pick(0, 0, 1)) if self.chance(0.3) else (0, 0, 0, 0)
        stride = (self.pick(*range(1, kernel[0] + 1)), self.pick(*range(1, kernel[1] + 1)))
        return self.add(
            Pool2d(name=self.name("pool"), inputs=(source,), kind=kind, kernel=kernel, stride=stride, padding=padding)
        )

    def affine(self, source: str) -> str:
        """Gains of either sign and offsets, per channel or one for all."""
        shape = (self.shape[source][0],) if self.chance(0.7) else ()
        gain = np.asarray(self.rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], shape))
        offset = np.asarray(self.rng.integers(-4, 5, shape) / 8)
        return self.add(ChannelAffine(name=self.name("affine"), inputs=(source,), gain=gain, offset=offset))

    def neuron(self, *sources: str, **fixed: Any) -> str:
        """Neurons of any kind: every convention, parameters for all, per channel or per neuron."""
        rng, shape = self.rng, self.shape[sources[0]]

        def values(draw: Callable[[tuple[int, ...]], Any]) -> NDArray[Any]:
            per_neuron = () if self.chance(0.6) else (shape[0],) if self.chance(0.5) else shape
            return frozen(draw(per_neuron), np.float64)

        reset, delay = self.pick(*Reset), self.chance(0.4)
        decays = [0.0, 0.25, 0.5, 0.75, 0.875, 1.0] if self.leak else [0.0, 1.0, 1.0]
        # A subtraction after the decay is one before it of amount / alpha: exact where alpha is a power of two.
        if delay and reset is Reset.SUBTRACT:
            decays = [0.25, 0.5, 1.0] if self.leak else [1.0]
        parameters: dict[str, Any] = {
            "alpha_u": values(lambda s: rng.choice([0.0, 0.5, 1.0] if self.leak else [0.0, 0.0, 1.0], s)),
            "alpha_v": values(lambda s: rng.choice(decays, s)),
            "gain_u": values(lambda s: rng.choice([0.5, 1.0, 2.0], s)),
            "gain_v": values(lambda s: rng.choice([0.5, 1.0], s)),
            "bias_u": values(lambda s: rng.integers(-1, 2, s) / 4),
            "bias": values(lambda s: rng.integers(-2, 3, s) / 4),
            "v_init": values(lambda s: rng.integers(-4, 5, s) / 4),
            "threshold": values(lambda s: rng.integers(4, 13, s) / 4),
            "compare": self.pick(*Compare),
            "reset": reset,
            "reset_value": values(lambda s: rng.integers(-3, 3, s) / 4),
            "reset_amount": values(lambda s: rng.integers(1, 9, s) / 4),
            "reset_delay": delay,
        }
        parameters |= self.kind(reset, delay)
        return self.add(Neuron(name=self.name("neuron"), inputs=sources, shape=shape, **(parameters | fixed)))

    def kind(self, reset: Reset, delay: bool) -> dict[str, Any]:
        """Nothing, or what makes the neurons refractory, signed or rearming where the reset allows it."""
        if self.chance(0.6):
            return {}
        kinds: list[dict[str, Any]] = [{"threshold_low": frozen(self.pick(-6.0, -2.0, -1.25))}]
        if not (delay and reset is Reset.SUBTRACT):
            kinds += [{"refractory": self.pick(1, 2)}, kinds[0] | {"refractory": 1}]
        if reset is Reset.SUBTRACT and not delay:
            kinds.append({"rearm": True})
        return dict(self.pick(*kinds))


def _image_stage(sketch: Sketch, source: str) -> str:
    """Linear layers on an image: what stands in front of a convolution, the convolution, what follows it."""
    if sketch.chance(0.2):
        source = sketch.add(Delay(name=sketch.name("delay"), inputs=(source,), steps=sketch.pick(0, 1, 2)))
    if sketch.chance(0.4):
        source = sketch.pool(source)
    elif sketch.chance(0.2):
        source = sketch.affine(source)
    if sketch.chance(0.2):
        source = sketch.add(Identity(name=sketch.name("dropout"), inputs=(source,)))
    source = sketch.conv(source)
    return sketch.affine(source) if sketch.chance(0.5) else source


def draw_network(
    seed: int, *, leak: bool = False, image: bool | None = None, loops: bool = True, **fixed: Any
) -> Network:
    """A random IMPORTED network of one to three populations and inputs for it; `fixed` are fields of its neurons."""
    rng = np.random.default_rng(seed)
    sketch = Sketch(rng, leak)
    images = sketch.chance(0.5) if image is None else image
    shape: Shape = (sketch.pick(3, 5),)
    if images:
        shape = (sketch.pick(1, 2, 3), sketch.pick(3, 4, 5), sketch.pick(3, 4, 5))
    levels = sketch.pick((0, 1), (0, 1), (-2, 3))
    source = sketch.add(Input(name="x", shape=shape, levels=levels))
    for _ in range(sketch.pick(1, 2, 3)):
        if len(sketch.shape[source]) == 3 and sketch.chance(0.7):
            feeds = [_image_stage(sketch, source)]
        else:
            flat = source
            if len(sketch.shape[source]) == 3 and sketch.chance(0.5):
                flat = sketch.add(Flatten(name=sketch.name("flatten"), inputs=(source,)))
            feeds = [sketch.dense(flat, sketch.pick(2, 4, 5))]
            if sketch.chance(0.3):
                feeds = [sketch.affine(feeds[0])]
        same = [name for name in sketch.shape if sketch.shape[name] == sketch.shape[feeds[0]] and _spikes(sketch, name)]
        if same and sketch.chance(0.7):
            feeds = [sketch.add(Add(name=sketch.name("add"), inputs=(feeds[0], sketch.pick(*same))))]
        if loops and sketch.chance(0.3):
            feeds.append(_loop(sketch, feeds[0], fixed))
            source = sketch.nodes[-1].name
        else:
            source = sketch.neuron(*feeds, **fixed)
    sketch.add(Output(name="output", inputs=(source,), readout=Readout.SPIKE_COUNT))
    steps = int(rng.integers(3, 8))
    graph = Graph(level=Level.IMPORTED, nodes=tuple(sketch.nodes), source="random", steps=steps)
    inputs = {"x": rng.integers(levels[0], levels[1] + 1, (3, steps, *shape))}
    return graph, inputs


def _spikes(sketch: Sketch, name: str) -> bool:
    return any(node.name == name and isinstance(node, Neuron | Input) for node in sketch.nodes)


def _loop(sketch: Sketch, feed: str, fixed: dict[str, Any]) -> str:
    """Neurons that also read their own spikes of `wait` steps ago; the name of the recurrent layer."""
    shape, wait = sketch.shape[feed], sketch.pick(1, 2)
    count = len(sketch.nodes)
    delay, back, neuron = f"delay{count}", f"back{count}", f"neuron{count + 2}"
    if len(shape) > 1:
        feed = sketch.add(Flatten(name=f"flatten{count}", inputs=(feed,)))
        shape, neuron = sketch.shape[feed], f"neuron{count + 3}"
    sketch.shape[neuron] = shape
    sketch.add(Delay(name=delay, inputs=(neuron,), steps=wait))
    sketch.add(Dense(name=back, inputs=(delay,), weight=sketch.weight(size(shape), size(shape))))
    assert sketch.neuron(feed, back, **fixed) == neuron
    return back


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Network]:
    """draw_network: a random IMPORTED graph and inputs by seed."""
    return draw_network


def draw_leaky(seed: int) -> Network:
    """A random IMPORTED chain of one or two dense layers with decays, scales, thresholds and biases that no integer
    holds exactly, and spikes for it."""
    rng = np.random.default_rng(seed)
    sketch = Sketch(rng, leak=True)
    source = sketch.add(Input(name="x", shape=(6,)))
    for _ in range(sketch.pick(1, 1, 2)):
        scale = rng.uniform(0.05, 0.5, (4, 1) if sketch.chance(0.5) else ())
        weight = frozen(rng.integers(-1, 2, (4, sketch.shape[source][0])) * scale)
        bias = frozen(rng.uniform(-0.05, 0.05, 4)) if sketch.chance(0.5) else None
        source = sketch.add(Dense(name=sketch.name("dense"), inputs=(source,), weight=weight, bias=bias))
        reset, delay = sketch.pick(*Reset), sketch.chance(0.3)
        source = sketch.neuron(
            source,
            alpha_u=frozen(sketch.pick(0.0, rng.uniform(0, 0.9))),
            alpha_v=frozen(rng.uniform(0.1, 1.0, sketch.pick((), (4,)))),
            gain_u=frozen(1.0), gain_v=frozen(sketch.pick(1.0, rng.uniform(0.2, 1.0))),
            bias_u=frozen(0.0), bias=frozen(sketch.pick(0.0, rng.uniform(-0.02, 0.02))),
            v_init=frozen(sketch.pick(0.0, rng.uniform(-0.3, 0.3))),
            threshold=frozen(rng.uniform(0.2, 0.9, sketch.pick((), (4,)))), reset=reset, reset_delay=delay,
            reset_value=frozen(sketch.pick(0.0, -0.1)), reset_amount=frozen(rng.uniform(0.1, 0.8)),
            **{"refractory": 0, "rearm": False, "threshold_low": None} | sketch.kind(reset, delay),
        )  # fmt: skip
    sketch.add(Output(name="output", inputs=(source,)))
    steps = int(rng.integers(4, 25))
    graph = Graph(level=Level.IMPORTED, nodes=tuple(sketch.nodes), source="random", steps=steps)
    return graph, {"x": rng.integers(0, 2, (4, steps, 6))}


@pytest.fixture(scope="session")
def make_leaky() -> Callable[[int], Network]:
    """draw_leaky: a random leaky chain and spikes for it by seed."""
    return draw_leaky


def draw_adaptive(seed: int) -> Network:
    """A random IMPORTED layer of adaptive neurons, half of them recurrent, with thresholds that may be 0 and decays,
    scales and adaptations that no integer holds exactly, and spikes for it."""
    rng = np.random.default_rng(seed)
    sketch = Sketch(rng, leak=True)
    source = sketch.add(Input(name="x", shape=(6,)))
    scale = rng.uniform(0.05, 0.5, (4, 1) if sketch.chance(0.5) else ())
    bias = frozen(rng.uniform(-0.05, 0.1, 4)) if sketch.chance(0.5) else None
    weight = frozen(rng.integers(-1, 2, (4, 6)) * scale)
    feeds = [sketch.add(Dense(name=sketch.name("dense"), inputs=(source,), weight=weight, bias=bias))]
    kind: dict[str, Any] = {
        "alpha_u": frozen(sketch.pick(0.0, rng.uniform(0, 0.9))),
        "alpha_v": frozen(rng.uniform(0.1, 1.0, sketch.pick((), (4,)))),
        "gain_u": frozen(1.0), "gain_v": frozen(sketch.pick(1.0, rng.uniform(0.2, 1.0))),
        "bias_u": frozen(0.0), "bias": frozen(0.0), "v_init": frozen(sketch.pick(0.0, rng.uniform(-0.3, 0.3))),
        "threshold": frozen(sketch.pick(0.0, rng.uniform(0.1, 0.5, 4))), "compare": Compare.GT,
        "reset": Reset.SUBTRACT, "reset_delay": True, "reset_value": frozen(0.0),
        "reset_amount": frozen(sketch.pick(0.0, rng.uniform(0.1, 0.5))),
        "alpha_a": frozen(rng.uniform(0.3, 1.0, sketch.pick((), (4,)))),
        "gain_a": frozen(rng.uniform(0.01, 0.2, sketch.pick((), (4,)))),
        "refractory": 0, "rearm": False, "threshold_low": None,
    }  # fmt: skip
    if sketch.chance(0.5):
        feeds.append(_loop(sketch, feeds[0], kind))
        source = sketch.nodes[-1].name
    else:
        source = sketch.neuron(*feeds, **kind)
    sketch.add(Output(name="output", inputs=(source,)))
    steps = int(rng.integers(8, 40))
    graph = Graph(level=Level.IMPORTED, nodes=tuple(sketch.nodes), source="random", steps=steps)
    return graph, {"x": rng.integers(0, 2, (4, steps, 6))}


@pytest.fixture(scope="session")
def make_adaptive() -> Callable[[int], Network]:
    """draw_adaptive: a random layer of adaptive neurons and spikes for it by seed."""
    return draw_adaptive


@dataclass(frozen=True, eq=False, kw_only=True)
class Lockstep:
    """Real and integer execution of one population side by side, arrays (batch, steps, neurons).

    difference: |v_int / 2^e - v_real| where they meet the threshold; bound: its running bound, both
    in units of the synapses' scale; agreed (batch, steps, 1): whether all spikes before this step, and those of the
    populations in front in this step, were equal; saturated: where the integer stands at the end of its range.
    """

    difference: NDArray[Any]
    bound: NDArray[Any]
    agreed: NDArray[Any]
    saturated: NDArray[Any]


def run_lockstep(lowered: Lowered, inputs: Inputs) -> dict[str, Lockstep]:
    """The populations of a lowered network, real (after fold_scale) and integer side by side."""
    program, real = lowered.program, lowered.real
    assert program.arithmetic is not None
    populations = program.of_kind(Population)
    steps = next(iter(inputs.values())).shape[1]
    trackers = {p.name: Tracker(real, program, p, steps) for p in populations}
    met: dict[str, list[NDArray[Any]]] = {p.name: [] for p in populations}
    bound: dict[str, list[NDArray[Any]]] = {p.name: [] for p in populations}

    def observe(name: str, state: NeuronState, potential: NDArray[Any]) -> None:
        met[name].append(potential.copy())
        bound[name].append(trackers[name].step(state, potential))

    floats = run_float(real, inputs, observe=observe)
    integers = integer.run(program, inputs)
    same = {name: (floats.spikes[name] == integers.spikes[name]).all(axis=2) for name in floats.spikes}
    so_far = np.stack(list(same.values())).all(axis=0).cumprod(axis=1).astype(bool)
    agreed = np.concatenate([np.ones((so_far.shape[0], 1), bool), so_far[:, :-1]], axis=1)
    result = {}
    for p in populations:
        found = _met_in_integers(p, program.arithmetic, integers.v[p.name], integers.u[p.name], integers.spikes[p.name])
        unit = trackers[p.name].terms.unit
        result[p.name] = Lockstep(
            difference=np.abs(found / unit - np.stack(met[p.name], axis=1)),
            bound=np.stack(bound[p.name], axis=1) / unit,
            agreed=agreed[:, :, None],
            saturated=np.abs(found) >= program.arithmetic.state_max,
        )
        agreed = agreed & same[p.name]
    return result


def _met_in_integers(p: Population, arithmetic: Arithmetic, v: Any, u: Any, spikes: Any) -> NDArray[Any]:
    """Potentials that met the threshold, from the recorded states (which stand after the reset)."""

    def flat(value: Any) -> NDArray[Any]:
        return np.asarray(np.broadcast_to(value, p.shape)).reshape(1, 1, -1)

    before = np.concatenate([np.broadcast_to(flat(p.v_init), v[:, :1].shape), v[:, :-1]], axis=1)
    top = arithmetic.state_max
    met = np.clip(integer.decay(before, flat(p.decay_v), arithmetic.decay_bits, p.decays) + u + flat(p.bias), -top, top)
    for k in range(met.shape[1]):
        held = (spikes[:, max(0, k - p.refractory) : k] != 0).any(axis=1)
        met[:, k] = np.where(held, before[:, k], met[:, k])
    if p.gain_a is not None:
        b = np.zeros_like(met)
        for k in range(1, met.shape[1]):
            kept = integer.decay(b[:, k - 1], flat(p.decay_a)[0], arithmetic.decay_bits, p.decays)
            b[:, k] = kept + flat(p.gain_a)[0] * spikes[:, k - 1].astype(np.int64)
        # The recorded potential has lost what its last spike cost, and meets the risen threshold.
        met = v - b
    if p.rearm:
        met = met - flat(p.reset_amount) * (before > flat(p.threshold))
    return np.asarray(met)


@pytest.fixture(scope="session")
def lockstep() -> Callable[[Lowered, Inputs], dict[str, Lockstep]]:
    """run_lockstep: real and integer dynamics of a lowered network side by side."""
    return run_lockstep


@pytest.fixture(scope="session", params=["shift 6", "shift 0"])
def arithmetic(request: pytest.FixtureRequest) -> Arithmetic:
    """Loihi's formats (thresholds are multiples of 64), and ones in which every integer has a code."""
    if request.param == "shift 6":
        return Arithmetic()
    return FINE


FINE = Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0)


@pytest.fixture(scope="session")
def fine() -> Arithmetic:
    """Integer formats in which every integer of the state's width is a threshold and a bias."""
    return FINE
