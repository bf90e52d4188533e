"""What compiling a network would refuse, all of it, before it is compiled."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava import arguments
from tern2lava.api.compiling import advised_error, calibration_runs, checked_profile, with_effort
from tern2lava.api.data import SpikesLike
from tern2lava.arguments import public
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.mapper.placement.slots import check_placement
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.progress import Progress, silent
from tern2lava.effort import Effort
from tern2lava.errors import CapacityError, InputError, Tern2LavaError
from tern2lava.findings import alone, collecting, named, unseen
from tern2lava.frontends.load import load_with_run
from tern2lava.hw_profiles import Profile

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One refusal. where: the node, or file, line and key; kind: "input", "unsupported" or "capacity"; exit_code: that
    of `compile` if it stopped here; line: what it would say."""

    where: str
    kind: str
    exit_code: int
    line: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """All refusals, in the order in which `compile` would meet them, and what stands behind one and was not looked
    at. exit_code: that of `compile`, 0 where it compiles."""

    source: str
    target: str
    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]

    @property
    def compiles(self) -> bool:
        """Whether nothing is refused."""
        return not self.findings

    @property
    def exit_code(self) -> int:
        """The exit code of `compile`: 0, or that of the first refusal."""
        return self.findings[0].exit_code if self.findings else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "compiles": self.compiles, "exit_code": self.exit_code}


@public
def check(
    source: str | Path | Graph | torch.nn.Module,
    target: str | Path | Profile = "loihi2",
    *,
    net: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    calibrate: SpikesLike | None = None,
    any_steps: bool = False,
    pad: bool = False,
    effort: Effort | str | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Check:
    """All that `compile` with the same arguments would refuse, node by node: what its readers, passes, rules and mapper
    say, each finding being the line at which `compile` would stop if it stopped there. calibrate, any_steps, pad: as
    for `compile`, whose integers they choose.

    What a refused node feeds is looked at as if ordinary neurons stood in its place, or is named under `unseen` where
    that cannot be. Where nothing is refused the network was mapped, as `compile` does it: it compiles. The result has
    `findings`, `unseen`, `compiles`, `exit_code` and `to_dict()`. Raises ProfileError, and InputError for arguments
    that are none.
    """
    profile = checked_profile(target, "target")
    options, chosen = with_effort(options, map_options, effort), map_options or MapOptions()
    check_placement(chosen.placement)
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    tell = progress or silent
    graph: Graph | None = None
    with collecting() as found, alone():
        tell("network", 0, 0)
        loaded = load_with_run(source, net, effort=options.effort, **load_options)
        graph = loaded if isinstance(loaded, Graph) else loaded.graph
        if found.refused and calibrate is not None:
            raise unseen("the integers that the samples choose")
        runs = calibration_runs(calibrate, graph, options, any_steps, pad)
        build(graph, profile, options, chosen, None, tell, runs)
    refused = found.refused
    if graph is not None and refused and isinstance(refused[0], CapacityError):
        tell("what would fit", 0, 0)
        refused = [advised_error(refused[0], graph, profile, options, chosen), *refused[1:]]
    name = Path(source).name if isinstance(source, (str, os.PathLike)) else type(source).__qualname__
    return Check(
        source=name, target=profile.name, findings=tuple(_finding(error) for error in refused),
        unseen=tuple(found.unseen) if refused else (),
    )  # fmt: skip


def _finding(error: Tern2LavaError) -> Finding:
    kind = "capacity" if isinstance(error, CapacityError) else "input" if isinstance(error, InputError) else ""
    return Finding(where=named(error), kind=kind or "unsupported", exit_code=error.exit_code, line=str(error))
