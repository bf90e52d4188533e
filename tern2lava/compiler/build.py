"""The whole compilation: passes, rules, mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.passes.pipeline import Calibrate, Lowered, lower
from tern2lava.compiler.progress import Progress, silent
from tern2lava.compiler.shown import Shown, brief
from tern2lava.counts import count
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Something given that the compilation was made of. what: "network", "net.yaml", "profile", "data" (traffic was
    measured on them) or "recorded" (the framework's own run); file: its name, "" where arrays were given; sha256: of
    its bytes (of the values of arrays, in C order)."""

    what: str
    file: str
    sha256: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Compiled(Shown):
    """A network lowered to integers and mapped onto a target. source_bytes: size of the file it came from, if any;
    described: what says how its neurons compute, in words that follow "the float model"; made_of: what was given;
    libraries: packages beside those of every installation that read the network."""

    lowered: Lowered
    mapped: Mapped
    profile: Profile
    options: Options
    source_bytes: int | None = None
    described: str = "as the graph describes it"
    made_of: tuple[Origin, ...] = ()
    libraries: tuple[str, ...] = ()

    def _shown(self) -> str:
        program = self.lowered.program
        populations = program.of_kind(Population)
        neurons = sum(size(population.shape) for population in populations)
        verdicts = Counter(certificate.verdict.value for certificate in self.lowered.certificates)
        return (
            f"{brief(program.source or 'graph')} on {self.profile.name}: {count(len(populations), 'population')}, "
            f"{count(neurons, 'neuron')}, {count(len(self.mapped.images), 'core')}, "
            f"{', '.join(f'{verdict} {count}' for verdict, count in verdicts.items())}"
        )


def build(
    graph: Graph, profile: Profile, options: Options | None = None, map_options: MapOptions | None = None,
    measure: Callable[[Graph], dict[str, Array]] | None = None, progress: Progress = silent,
    calibrate: Calibrate | None = None,
) -> Compiled:  # fmt: skip
    """`graph` (IMPORTED) compiled for `profile`. measure: what runs the INTEGER program on sample data and returns
    spikes per neuron and step by population (see traffic.traffic); without it a rate is assumed. calibrate: as for
    lower. progress is told of the passes, the certificate, the activity measured, the mapping and the core images.

    Raises InputError, also for a network that takes more memory than there is, UnsupportedError (passes and rules) and
    CapacityError (mapping).
    """
    chosen = options or Options()
    lowered = lower(graph, Arithmetic(**profile.arithmetic_values()), chosen, profile, progress, calibrate)
    rates = None
    if measure:
        progress("activity on data", 0, 0)
        rates = measure(lowered.program)
    mapped = map_program(lowered.program, profile, map_options, rates, progress, chosen.effort)
    return Compiled(lowered=lowered, mapped=mapped, profile=profile, options=chosen)
