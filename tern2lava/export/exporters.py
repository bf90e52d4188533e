"""The formats of `export --to`, each an entry of EXPORTERS. Nothing heavy is imported before one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava.errors import InputError
from tern2lava.registry import Registry, entry_of

if TYPE_CHECKING:
    from tern2lava.compiler.ir.graph import Graph
    from tern2lava.sim.executable import Executable


@dataclass(frozen=True, eq=False, kw_only=True)
class Order:
    """What is to be exported, and how.

    graph: the network, IMPORTED, or TERNARY for the stage "real". executable: the bundle's programs and core images
    (None: the source is not a bundle); target: the target of the bundle. out: the file or folder to write.
    write_file(fill): calls `fill(path)` with a temporary path and moves the finished file to `out`, so that `out` is
    complete or unchanged. options: those that were given, by name. version: the version of tern2lava.
    """

    graph: Graph
    executable: Executable | None
    target: str
    out: Path
    write_file: Callable[[Callable[[Path], Any]], None]
    options: dict[str, Any] = field(default_factory=dict)
    version: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written. files: the names of the files in the folder `out`; (): `out` is the file. notes: what the
    format could not say, a line each."""

    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """One format. what: one line of --help. run(order) writes it and raises InputError or UnsupportedError for what it
    cannot write. options: the names of those that it takes, from the command line's own (dt, lossy, codec, stage) or
    any other, which is given as `--set NAME=VALUE`. of_bundle: it needs a bundle. refuses: the features (features.py)
    of networks that it does not write without further options, each with the words of the refusal, "requires ...; found
    ..."; docs/exports.md shows them."""

    name: str
    what: str
    run: Callable[[Order], Written]
    options: tuple[str, ...] = ()
    of_bundle: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)


EXPORTERS: Registry[Exporter] = Registry("exporter", "tern2lava.exporters", entry_of(Exporter))


def check_options(exporter: Exporter, options: dict[str, Any]) -> None:
    """Raise InputError for the first option that the format does not take."""
    for name in options:
        if name not in exporter.options:
            takers = [each.name for each in EXPORTERS.registered() if name in each.options]
            if takers:
                raise InputError(
                    name, f"requires the format {' or '.join(takers)}; found {exporter.name}; leave it out"
                )
            own = ", ".join(exporter.options) or "none"
            raise InputError(name, f"requires an option of {exporter.name} ({own}); found {name}; leave it out")


def _nir(order: Order) -> Written:
    from tern2lava.export.nir import DEFAULT_DT, write_nir

    dt, lossy = order.options.get("dt", DEFAULT_DT), order.options.get("lossy", False)
    notes: list[str] = []
    order.write_file(lambda path: notes.extend(write_nir(order.graph, path, dt=dt, lossy=lossy)))
    return Written(notes=tuple(notes))


def _netx(order: Order) -> Written:
    from tern2lava.export.netx import write_netx

    assert order.executable is not None
    program, lossy, notes = order.executable.program, order.options.get("lossy", False), list[str]()
    program = program if program.steps else replace(program, steps=order.graph.steps)
    order.write_file(lambda path: notes.extend(write_netx(program, path, lossy=lossy)))
    return Written(notes=tuple(notes))


def _images(order: Order) -> Written:
    from tern2lava.export.images import export_images

    assert order.executable is not None
    files = export_images(
        order.executable, order.out, target=order.target, version=order.version, codec=order.options.get("codec")
    )
    return Written(files=tuple(files))


def _weights(order: Order) -> Written:
    from tern2lava.export.images import export_weights

    assert order.executable is not None
    return Written(files=tuple(export_weights(order.executable.program, order.out, version=order.version)))


def _mem(order: Order) -> Written:
    from tern2lava.export.mem import export_mem

    assert order.executable is not None
    form, word = order.options.get("format", "mem"), order.options.get("word", 32)
    program = order.executable.program
    return Written(files=tuple(export_mem(program, order.out, version=order.version, form=form, word=word)))


def _lava(order: Order) -> Written:
    from tern2lava.export.lava import export_lava

    assert order.executable is not None
    steps = order.executable.program.steps
    wanted = order.options.get("processes", "cores")
    if wanted not in ("cores", "layers"):
        raise InputError("processes", f"requires cores or layers; found {wanted!r}; write --set processes=layers")
    files = export_lava(order.executable, order.out, version=order.version, steps=steps, layers=wanted == "layers")
    return Written(files=tuple(files))


def _c(order: Order) -> Written:
    from tern2lava.export.c.names import PREFIX
    from tern2lava.export.c.write import export_c

    assert order.executable is not None
    prefix = order.options.get("prefix", PREFIX)
    return Written(files=tuple(export_c(order.executable.program, order.out, version=order.version, prefix=prefix)))


_NIR_SAYS = "requires a reset and a comparison that NIR can say; found"
_NIR_NEURON = "requires a neuron that NIR can say; found"
_NIR_SCORES = (
    "requires scores that are the readout of neurons (NIR has no field for more); found class sums, step weights or an "
    "offset that the host applies"
)
_NETX_LAYERS = "requires layers that each read one, the one before (netx); found"
_NETX_NEURON = "requires neurons that netx runs (a LIF of Lava); found"

EXPORTERS.add(
    Exporter(
        name="nir", what="a NIR file (docs/nir.md)", run=_nir, options=("dt", "lossy", "stage"),
        refuses={
            "uneven padding": "requires both ends padded alike (NIR); found padding (1, 0, 0, 1)",
            "moved elements": "requires layers that NIR has; found a map that moves, pads or averages elements",
            "fire >=": f"{_NIR_SAYS} fire=ge",
            "refractory": f"{_NIR_SAYS} refractory=2",
            "signed": f"{_NIR_NEURON} signed spikes",
            "adaptive": f"{_NIR_NEURON} an adaptive threshold",
            "rearm": f"{_NIR_SAYS} reset=subtract, rearm=true",
            "scores": _NIR_SCORES,
            "lava-dl integers": f"{_NIR_NEURON} integers with truncated decays",
        },
    )
)  # fmt: skip
EXPORTERS.add(
    Exporter(
        name="image", what="its core images (docs/image-format.md)", run=_images, options=("codec",), of_bundle=True
    )
)
EXPORTERS.add(Exporter(name="weights", what="its codes, entropy-coded", run=_weights, of_bundle=True))
EXPORTERS.add(
    Exporter(
        name="lava", what="a Lava program with a process for each core, which needs lava-nc alone (docs/lava.md)",
        run=_lava, options=("processes",), of_bundle=True,
    )
)  # fmt: skip
EXPORTERS.add(
    Exporter(
        name="netx",
        what="a lava-dl file, which Intel's netx loads (docs/exports.md)",
        run=_netx,
        options=("lossy",),
        of_bundle=True,
        refuses={
            "loop of layers": f"{_NETX_LAYERS} x and n",
            "long step": f"{_NETX_LAYERS} x and n",
            "skip": f"{_NETX_LAYERS} h and x",
            "two inputs": "requires one input (a .net file); found 2 inputs",
            "bias of the current": f"{_NETX_NEURON} a bias of the current",
            "reset to a value": f"{_NETX_NEURON} potentials that do not begin at 0",
            "soft reset": f"{_NETX_NEURON} reset subtract",
            "fire >=": f"{_NETX_NEURON} a gain, threshold or bias that is no multiple of 64 (one unit of a weight)",
            "first potential": f"{_NETX_NEURON} potentials that do not begin at 0",
            "refractory": f"{_NETX_NEURON} kind refractory",
            "signed": f"{_NETX_NEURON} kind signed",
            "adaptive": f"{_NETX_NEURON} kind adaptive",
            "rearm": f"{_NETX_NEURON} kind rearm",
            "relay": f"{_NETX_NEURON} kind relay",
            "scores": _NIR_SCORES.replace("(NIR", "(a .net file"),
            "nearest decays": f"{_NETX_NEURON} decays to the nearest whole number",
        },
    )
)  # fmt: skip
EXPORTERS.add(
    Exporter(
        name="c", what="a C program without heap, floating point or libraries (docs/c-export.md)", run=_c,
        options=("prefix",), of_bundle=True,
    )
)  # fmt: skip
EXPORTERS.add(
    Exporter(
        name="mem", what="memory files for FPGAs, .mem, .coe or .hex (docs/mem-format.md)", run=_mem,
        options=("format", "word"), of_bundle=True,
    )
)  # fmt: skip
