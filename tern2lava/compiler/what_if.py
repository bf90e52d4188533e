"""One network on several targets: compiled for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapped import Mapped
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.passes.pipeline import Calibrate
from tern2lava.compiler.progress import Progress, silent
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class Tried:
    """A network on a target. mapped: None where it does not fit or the target lacks something, for `reason`."""

    target: str
    mapped: Mapped | None
    reason: str | None = None


def try_targets(
    graph: Graph,
    profiles: Sequence[Profile],
    options: Options | None = None,
    map_options: MapOptions | None = None,
    measure: Callable[[Graph], dict[str, Array]] | None = None,
    progress: Progress = silent,
    calibrate: Calibrate | None = None,
) -> Iterator[Tried]:
    """For each target `graph` (IMPORTED) compiled and mapped as it would be for that target alone."""
    for profile in profiles:

        def tell(stage: str, done: int, total: int, target: str = profile.name) -> None:
            progress(f"{target}: {stage}", done, total)

        try:
            yield Tried(profile.name, build(graph, profile, options, map_options, measure, tell, calibrate).mapped)
        except (CapacityError, UnsupportedError) as error:
            yield Tried(profile.name, None, str(error))
