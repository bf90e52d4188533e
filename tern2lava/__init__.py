"""A compiler backend for ternary spiking neural networks, down to neuro-cores and verified Intel Lava processes.

    import tern2lava

    network = tern2lava.compile("net.pt", "loihi2", net="net.yaml")    # exact integers on the target's cores
    report = tern2lava.verify(network, spikes)                          # proven spike by spike, in Lava too
    result = tern2lava.simulate(network, spikes)                        # result.predictions, result.scores

load       the Graph of a checkpoint, NIR or lava-dl file, or live torch module
check      all that compile would refuse, node by node
compile    a network in integers, mapped onto a target; a folder (bundle) where out= is given
what_if    the same network on several targets, one row for each
record     the framework's own run of a module, for verify to hold the network against
simulate   a run on spikes: scores, predictions, spikes, states
prove      whether the core images are the program, for every input
worst      the inputs on which integers part furthest from real numbers, as a search finds them
verify     five verdicts on data: execution, arithmetic, reading, ranges, images
conformance  traces of any back end held against the network's own equations
bench      NeuroBench's numbers, on spikes
report     everything that is known of a compiled network
export     NIR, core images, weights

Options (of the passes) and MapOptions (of the mapping) go to compile. Every error is a Tern2LavaError of one line:
where, what is required, what was found, what to do. docs/python.md shows it all; `tern2lava --help` the command line.
Nothing heavy is imported before one of these names is used.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tern2lava.api import (
        bench,
        check,
        compile,
        conformance,
        export,
        load,
        prove,
        record,
        report,
        simulate,
        verify,
        what_if,
        worst,
    )
    from tern2lava.compiler.options import MapOptions, Options
    from tern2lava.errors import Tern2LavaError

    __version__: str

__all__ = [
    "MapOptions",
    "Options",
    "Tern2LavaError",
    "bench",
    "check",
    "compile",
    "conformance",
    "export",
    "load",
    "prove",
    "record",
    "report",
    "simulate",
    "verify",
    "what_if",
    "worst",
]
_ELSEWHERE = {
    "MapOptions": "tern2lava.compiler.options",
    "Options": "tern2lava.compiler.options",
    "Tern2LavaError": "tern2lava.errors",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tern2lava")
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_ELSEWHERE.get(name, "tern2lava.api")), name)
    raise AttributeError(f"module 'tern2lava' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # Importing the subpackage tern2lava.report would put it in the place of the function of that name.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
