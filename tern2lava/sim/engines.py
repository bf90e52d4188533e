"""The engines of `simulate`, each an entry of ENGINES; all give the same spikes and states. Nothing heavy is imported
before one runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tern2lava.registry import Registry

if TYPE_CHECKING:
    from tern2lava.compiler.ir.shapes import Spikes
    from tern2lava.compiler.progress import Progress
    from tern2lava.effort import Effort
    from tern2lava.sim.data.trace import Trace
    from tern2lava.sim.executable import Executable

    Parts = Iterable[dict[str, Spikes]]
    Run = Callable[[Executable, Parts, bool, Progress | None, Effort], "Streamed"]


@dataclass(frozen=True, eq=False)
class Streamed:
    """The traces of the parts, in their order, made as they are asked for, and (population, reason) of what the fast
    engine left to the integer reference."""

    traces: Iterator[Trace]
    fallbacks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One way to simulate. what: one line of --help. needs: the addition (extras.py) that it runs with, "" for none.

    run(executable, parts, states, progress, effort): parts are inputs by name, spikes (samples, steps, *shape); states:
    whether the traces keep v and u; effort: how much is held at a time.
    """

    name: str
    what: str
    run: Run
    needs: str = ""


ENGINES: Registry[Engine] = Registry("engine")


def _fast(executable: Executable, parts: Parts, states: bool, progress: Progress | None, effort: Effort) -> Streamed:
    from tern2lava.sim.engine.program import prepare
    from tern2lava.sim.engine.run import stream

    ready = prepare(executable.program, progress, effort)
    left = tuple((use.population, use.reason) for use in ready.uses if use.engine == "reference")
    return Streamed((run.trace for run in stream(ready, parts, states=states)), left)


def _reference(
    executable: Executable, parts: Parts, states: bool, progress: Progress | None, effort: Effort
) -> Streamed:
    from tern2lava.sim.reference import integer

    return Streamed(integer.run(executable.program, part, states=states) for part in parts)


def _images(executable: Executable, parts: Parts, states: bool, progress: Progress | None, effort: Effort) -> Streamed:
    from tern2lava.compiler.certify.wrapping import refuse_unbounded
    from tern2lava.sim.cores import reference

    def run(part: dict[str, Spikes]) -> Trace:
        refuse_unbounded(executable.program, next(iter(part.values())).shape[1])
        return reference.run(executable.images, executable.host_image, part, states=states)

    return Streamed(run(part) for part in parts)


def _ray(executable: Executable, parts: Parts, states: bool, progress: Progress | None, effort: Effort) -> Streamed:
    from tern2lava.sim.verify.ray import map_on_ray
    from tern2lava.sim.verify.shard import engine_trace

    return Streamed(map_on_ray(engine_trace, executable.program, ((part, states) for part in parts)))


ENGINES.add(Engine(name="fast", what="compiled kernels", run=_fast))
ENGINES.add(Engine(name="reference", what="the integer program, step by step", run=_reference))
ENGINES.add(Engine(name="images", what="core by core from the packed core images", run=_images))
ENGINES.add(Engine(name="ray", what="`fast` in Ray tasks", run=_ray, needs="ray"))
