"""The column of all passes, in order, and the run through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration, Samples
from tern2lava.compiler.certify.certificate import Certificate, certify
from tern2lava.compiler.certify.rounding import Rounding, list_roundings
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Level, Neuron
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.passes.canonical_neurons import canonical_neurons
from tern2lava.compiler.passes.drop_identity import drop_identity
from tern2lava.compiler.passes.fold_batchnorm import fold_batchnorm
from tern2lava.compiler.passes.fold_pooling import fold_pooling
from tern2lava.compiler.passes.fold_scale import fold_scale
from tern2lava.compiler.passes.merge_linear import merge_linear
from tern2lava.compiler.passes.rounding_limits import refuse_roundings
from tern2lava.compiler.passes.search import Choice
from tern2lava.compiler.passes.split_fan_in import split_fan_in
from tern2lava.compiler.passes.ternarize import ternarize
from tern2lava.compiler.passes.to_integer import to_integer
from tern2lava.compiler.progress import CHOICE, Progress, silent
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile
from tern2lava.memory_need import compiling, require_memory

Calibrate = Callable[[Graph, Progress], Calibration]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a pass may look at beside the graph. profile: the target; None where the network is lowered for none.
    calibrate: runs calibration samples on the last real graph, telling `progress`; None without samples. choices,
    samples: filled by to_integer."""

    options: Options
    arithmetic: Arithmetic
    profile: Profile | None = None
    calibrate: Calibrate | None = None
    progress: Progress = silent
    choices: list[Choice] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)


@dataclass(frozen=True)
class Pass:
    """One step of the lowering: `run(graph, settings)` returns the rewritten graph.

    exact: every population that was there before spikes alike afterwards, at the default Options: in real numbers
    where the graph is real, in integers where it is INTEGER. A pass behind the first INTEGER graph has to be exact, for
    the certificates speak of that graph.
    """

    name: str
    exact: bool
    run: Callable[[Graph, Settings], Graph]


def _to_integer(graph: Graph, settings: Settings) -> Graph:
    calibration = None if settings.calibrate is None else settings.calibrate(graph, settings.progress)
    if calibration is not None:
        settings.samples.append(calibration.told)
    total = len(graph.of_kind(Neuron))

    def told(choice: Choice) -> None:
        settings.choices.append(choice)
        if calibration is not None:
            settings.progress(CHOICE, len(settings.choices), total)

    return to_integer(graph, settings.arithmetic, settings.options, settings.profile, calibration, told)


PASSES: tuple[Pass, ...] = (
    Pass("drop_identity", True, lambda graph, settings: drop_identity(graph)),
    Pass("fold_batchnorm", True, lambda graph, settings: fold_batchnorm(graph)),
    Pass("fold_pooling", True, lambda graph, settings: fold_pooling(graph)),
    Pass("canonical_neurons", True, lambda graph, settings: canonical_neurons(graph)),
    Pass("merge_linear", True, lambda graph, settings: merge_linear(graph)),
    Pass("ternarize", True, lambda graph, settings: ternarize(graph, settings.options)),
    Pass("fold_scale", True, lambda graph, settings: fold_scale(graph)),
    Pass("to_integer", False, lambda graph, settings: _to_integer(graph, settings)),
    Pass("split_fan_in", True, lambda graph, settings: split_fan_in(graph, settings.profile)),
)
IMPORTED = "imported"


def stage_names() -> tuple[str, ...]:
    """The names of the stages of a lowering: the network as it was imported, then the result of each pass."""
    return (IMPORTED, *(step.name for step in PASSES))


@dataclass(frozen=True, eq=False, kw_only=True)
class Lowered(Shown):
    """A lowered network: the graph after each stage (in their order), its certificates, what to_integer rounded (worst
    first), how many quantities it did not, what it chose for each population, and on which calibration samples."""

    stages: dict[str, Graph]
    certificates: tuple[Certificate, ...]
    roundings: tuple[Rounding, ...]
    exact_quantities: int
    choices: tuple[Choice, ...] = ()
    samples: Samples | None = None

    def _shown(self) -> str:
        return f"{count(len(self.stages), 'stage')} to {self.program!r}"

    @property
    def imported(self) -> Graph:
        """The graph that was lowered."""
        return next(iter(self.stages.values()))

    @property
    def real(self) -> Graph:
        """The TERNARY graph whose real dynamics the certificates speak of: the last before the integers."""
        return [graph for graph in self.stages.values() if graph.level < Level.INTEGER][-1]

    @property
    def program(self) -> Graph:
        """The INTEGER graph that is mapped and executed: what the last pass returned."""
        return next(reversed(self.stages.values()))

    def with_program(self, program: Graph) -> Lowered:
        """The same lowering with `program` in the place of what the last pass returned."""
        return replace(self, stages=self.stages | {next(reversed(self.stages)): program})


def lower(
    graph: Graph, arithmetic: Arithmetic, options: Options | None = None, profile: Profile | None = None,
    progress: Progress = silent, calibrate: Calibrate | None = None,
) -> Lowered:  # fmt: skip
    """All stages of an IMPORTED graph down to INTEGER, checked before and after every pass. profile: the target, where
    what its cores can hold matters (split_fan_in). calibrate: runs calibration samples on a TERNARY graph, which
    options.ranges "calibrated" requires.

    The certificates and roundings speak of the first INTEGER graph; what follows changes no spike and no state. Every
    rounding is a note. Raises InputError, also for a network that takes more memory than there is, UnsupportedError and
    CapacityError as the checks and passes do, and UnsupportedError for roundings beyond options.allow_rounding.
    """
    settings = Settings(
        options=options or Options(), arithmetic=arithmetic, profile=profile, calibrate=calibrate, progress=progress
    )
    if settings.options.ranges == "calibrated" and calibrate is None:
        raise InputError(
            "ranges", 'requires calibration samples for "calibrated"; found none; give them, or choose "steps"'
        )
    _require_memory(graph)
    check(graph)
    stages = {IMPORTED: graph}
    made: _Integers | None = None
    for done, step in enumerate(PASSES):
        progress("passes", done, len(PASSES))
        before, graph = graph, step.run(graph, settings)
        check(graph)
        if made is not None and not step.exact:
            raise ValueError(f"pass {step.name} is not exact, and stands behind the integers that are certified")
        if made is None and graph.level is Level.INTEGER:
            before = _in_chosen_units(before, settings)
            stages[next(reversed(stages))] = before
            made = _integers(before, graph, settings)
            graph = made.graph
        stages[step.name] = graph
    assert made is not None
    progress("certificate", 0, 0)
    observed = {choice.population: choice.observed for choice in settings.choices if choice.observed is not None}
    certificates = certify(made.real, made.graph, settings.options, observed)
    return Lowered(
        stages=stages, certificates=certificates, roundings=made.roundings, exact_quantities=made.exact,
        choices=tuple(settings.choices), samples=next(iter(settings.samples), None),
    )  # fmt: skip


def lower_until(graph: Graph, level: Level) -> Graph:
    """`graph` (IMPORTED) after the first passes, up to the one that brings it to `level`, at default settings."""
    settings = Settings(options=Options(), arithmetic=Arithmetic())
    for step in PASSES:
        if graph.level >= level:
            break
        graph = step.run(graph, settings)
    return graph


def _in_chosen_units(real: Graph, settings: Settings) -> Graph:
    """The last real graph with every layer in the units that were chosen for it, which certificates speak of."""
    for choice in settings.choices:
        if choice.real is not None:
            layer = real.neuron(choice.population)
            names = {layer.name, *layer.inputs}
            real = real.with_nodes(choice.real[node.name] if node.name in names else node for node in real.nodes)
    return real


@dataclass(frozen=True, eq=False)
class _Integers:
    """Where real numbers became integers: the graphs on both sides, the integer one with a note for each rounding; what
    was rounded, worst first; how many quantities were not."""

    real: Graph
    graph: Graph
    roundings: tuple[Rounding, ...]
    exact: int


def _integers(real: Graph, graph: Graph, settings: Settings) -> _Integers:
    # A threshold that was moved on purpose, to pay for what was rounded, is no rounding.
    unmoved = {choice.population: choice.before_moves for choice in settings.choices}
    plain = graph.with_nodes(unmoved.get(node.name) or node for node in graph.nodes)
    refuse_roundings(real, plain, settings.options, settings.profile)
    steps = settings.options.steps or graph.steps or DEFAULT_STEPS
    roundings, exact = list_roundings(real, plain, steps)
    noted = graph.with_nodes(graph.nodes, notes=(rounding.line for rounding in roundings))
    return _Integers(real, noted, roundings, exact)


def _require_memory(graph: Graph) -> None:
    """Raise InputError where compiling `graph` would take more memory than there is."""
    each = {node.name: sum(a.size for a in vars(node).values() if isinstance(a, np.ndarray)) for node in graph.nodes}
    neurons = sum(size(neuron.shape) for neuron in graph.of_kind(Neuron))
    largest = max(each, key=lambda name: each[name], default="")
    need = compiling(sum(each.values()), each.get(largest, 0), neurons)
    what = f"compile {count(sum(each.values()), 'number')} and {count(neurons, 'neuron')}, most of them in {largest}"
    require_memory(
        graph.source or "the network", what, need,
        "use a machine with more memory, or split the layer (a dense layer into several summed ones, a convolution's "
        "input into tiles)",
    )  # fmt: skip
