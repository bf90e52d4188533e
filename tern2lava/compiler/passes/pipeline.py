"""The column of all passes, in order, and the run through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tern2lava.compiler.certify.certificate import Certificate, certify
from tern2lava.compiler.certify.rounding import Rounding, list_roundings
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import Arithmetic, Graph
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.passes.canonical_neurons import canonical_neurons
from tern2lava.compiler.passes.drop_identity import drop_identity
from tern2lava.compiler.passes.fold_batchnorm import fold_batchnorm
from tern2lava.compiler.passes.fold_pooling import fold_pooling
from tern2lava.compiler.passes.fold_scale import fold_scale
from tern2lava.compiler.passes.merge_linear import merge_linear
from tern2lava.compiler.passes.rounding_limits import refuse_roundings
from tern2lava.compiler.passes.split_fan_in import split_fan_in
from tern2lava.compiler.passes.ternarize import ternarize
from tern2lava.compiler.passes.to_integer import to_integer
from tern2lava.compiler.progress import Progress, silent
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.hw_profiles import Profile

Pass = Callable[[Graph, Options, Arithmetic, Profile | None], Graph]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("drop_identity", lambda graph, options, arithmetic, profile: drop_identity(graph)),
    ("fold_batchnorm", lambda graph, options, arithmetic, profile: fold_batchnorm(graph)),
    ("fold_pooling", lambda graph, options, arithmetic, profile: fold_pooling(graph)),
    ("canonical_neurons", lambda graph, options, arithmetic, profile: canonical_neurons(graph)),
    ("merge_linear", lambda graph, options, arithmetic, profile: merge_linear(graph)),
    ("ternarize", lambda graph, options, arithmetic, profile: ternarize(graph, options)),
    ("fold_scale", lambda graph, options, arithmetic, profile: fold_scale(graph)),
    ("to_integer", lambda graph, options, arithmetic, profile: to_integer(graph, arithmetic, options, profile)),
    ("split_fan_in", lambda graph, options, arithmetic, profile: split_fan_in(graph, profile)),
)
STAGES: tuple[str, ...] = ("imported", *(name for name, _ in PASSES))


@dataclass(frozen=True, eq=False, kw_only=True)
class Lowered(Shown):
    """A lowered network: the graph after each stage (STAGES order), its certificates, what to_integer rounded (worst
    first), and how many quantities it did not."""

    stages: dict[str, Graph]
    certificates: tuple[Certificate, ...]
    roundings: tuple[Rounding, ...]
    exact_quantities: int

    def _shown(self) -> str:
        return f"{count(len(self.stages), 'stage')} to {self.program!r}"

    @property
    def imported(self) -> Graph:
        return self.stages["imported"]

    @property
    def real(self) -> Graph:
        """The TERNARY graph whose real dynamics the certificates speak of."""
        return self.stages["fold_scale"]

    @property
    def program(self) -> Graph:
        """The INTEGER graph that is mapped and executed."""
        return self.stages["split_fan_in"]


def lower(
    graph: Graph, arithmetic: Arithmetic, options: Options | None = None, profile: Profile | None = None,
    progress: Progress = silent,
) -> Lowered:  # fmt: skip
    """All stages of an IMPORTED graph down to INTEGER, checked before and after every pass. profile: the target, where
    what its cores can hold matters (split_fan_in).

    The certificates and roundings speak of what to_integer made; what follows changes no spike and no state. Every
    rounding is a note. Raises InputError, UnsupportedError and CapacityError as the checks and passes do, and
    UnsupportedError for roundings beyond options.allow_rounding.
    """
    chosen = options or Options()
    check(graph)
    stages = {"imported": graph}
    roundings: tuple[Rounding, ...] = ()
    exact = 0
    for done, (name, rewrite) in enumerate(PASSES):
        progress("passes", done, len(PASSES))
        graph = rewrite(graph, chosen, arithmetic, profile)
        check(graph)
        if name == "to_integer":
            real = stages["fold_scale"]
            refuse_roundings(real, graph, chosen, profile)
            roundings, exact = list_roundings(real, graph, chosen.steps or graph.steps or DEFAULT_STEPS)
            graph = graph.with_nodes(graph.nodes, notes=(rounding.line for rounding in roundings))
        stages[name] = graph
    progress("certificate", 0, 0)
    certificates = certify(stages["fold_scale"], stages["to_integer"], chosen)
    return Lowered(stages=stages, certificates=certificates, roundings=roundings, exact_quantities=exact)
