"""The sources of networks, each an entry of SOURCES: what `load` takes and how it is told apart. Nothing heavy is
imported before something is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava import arguments
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, PluginWarning
from tern2lava.extras import require
from tern2lava.findings import stopping
from tern2lava.registry import Registry, entry_of, one_of

if TYPE_CHECKING:
    from tern2lava.compiler.ir.graph import Graph
    from tern2lava.frontends.files.hdf5 import Tree
    from tern2lava.frontends.modules.known_modules import Loaded

Options = dict[str, Any]


@dataclass(eq=False)
class Offer:
    """What is to be loaded: a Path, or a live object; and how much is tried for it."""

    source: Any
    effort: Effort = NORMAL

    @property
    def path(self) -> Path | None:
        """The file; None for a live object."""
        return self.source if isinstance(self.source, Path) else None

    @cached_property
    def tree(self) -> Tree | None:
        """The content of an HDF5 file; None where it is no such file. Raises InputError for a damaged one."""
        from tern2lava.frontends.files.hdf5 import is_hdf5, read_hdf5

        return read_hdf5(self.path) if self.path is not None and is_hdf5(self.path) else None


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of source. what: it in words, with its article. many: the same in the plural.

    recognises(offer): whether it is one, told by the first bytes of a file where it can be; of several the first one
    has it, those of tern2lava before those of plugins. read(offer, options): the network. options: the names of the
    options that it takes ("net": a net.yaml). instead: what to do instead of giving one that it does not take.
    suffixes: how its files are usually named; no plugin is asked for a file named like those of tern2lava.
    last: asked after all others.
    """

    name: str
    what: str
    many: str
    recognises: Callable[[Offer], bool]
    read: Callable[[Offer, Options], Graph | Loaded]
    options: tuple[str, ...] = ()
    instead: str = "leave it out"
    suffixes: tuple[str, ...] = ()
    last: bool = False


SOURCES: Registry[Source] = Registry("source", "tern2lava.sources", entry_of(Source))


def accepted() -> str:
    """What can be loaded, in words."""
    return one_of(tuple(source.what for source in SOURCES.registered()))


def files() -> str:
    """The files that can be loaded, in words."""
    return one_of(tuple(source.what for source in SOURCES.registered() if source.suffixes))


def read_source(source: Any, options: Options, effort: Effort = NORMAL) -> Graph | Loaded:
    """The network of `source` by the kind that recognises it. Raises InputError for options that it does not take, and
    where nothing recognises it."""
    offer = Offer(source, effort)
    kind = _recognised(offer)
    options = {name: value for name, value in options.items() if value is not None}
    for name in options:
        if name not in kind.options:
            raise _refused(name, kind, offer)
    return kind.read(offer, options)


def _recognised(offer: Offer) -> Source:
    own = SOURCES.registered()
    for kind in own:
        if not kind.last and kind.recognises(offer):
            return kind
    if offer.path is None or not any(offer.path.suffix.lower() in kind.suffixes for kind in own):
        for kind in SOURCES.plugins():
            try:
                if kind.recognises(offer):
                    return kind
            except Exception as error:
                text = (
                    f"source {kind.name} cannot tell whether it reads {offer.source} ({type(error).__name__}: {error})"
                )
                warnings.warn(f"{text}; it was left out", PluginWarning, stacklevel=2)
    if offer.tree is not None:
        held = ", ".join(list(offer.tree)[:6]) or "nothing"
        raise InputError(
            offer.source,
            f"requires NIR (/node) or lava-dl (/layer); found HDF5 that holds {held}; export the network again",
        )
    for kind in own:
        if kind.last and kind.recognises(offer):
            return kind
    raise arguments.refused("source", "a network", offer.source, f"give {accepted()}, or a Graph")


def _refused(option: str, kind: Source, offer: Offer) -> InputError:
    if option == "net" and offer.path is not None:
        return InputError(
            offer.path,
            "requires no net.yaml, for it says itself how its layers are wired; found --net; leave --net out",
        )
    if option == "net":
        return InputError(
            "net", f"requires no net.yaml for {kind.what}, which brings its own wiring; found one; leave net out"
        )
    where = offer.path or type(offer.source).__qualname__
    takers = [other.many for other in SOURCES.registered() if option in other.options]
    if not takers:
        return InputError(
            where,
            f"requires an option that {kind.many} take; found {option}; choose from "
            f"{', '.join(kind.options) or 'none'}",
        )
    whose = " and ".join(filter(None, (", ".join(takers[:-1]), takers[-1])))
    return InputError(where, f"requires {whose} for option {option}; found {kind.what}; {kind.instead}")


def _is_nir(offer: Offer) -> bool:
    from tern2lava.frontends.nir.file import is_nir

    return offer.tree is not None and is_nir(offer.tree)


def _read_nir(offer: Offer, options: Options) -> Graph:
    from tern2lava.frontends.nir import read as nir

    assert offer.path is not None
    assert offer.tree is not None
    return nir.read_tree(offer.tree, offer.path.name, offer.path, **options)


def _is_lavadl(offer: Offer) -> bool:
    from tern2lava.frontends.lavadl import read as lavadl

    return offer.tree is not None and lavadl.is_lavadl(offer.tree)


def _read_lavadl(offer: Offer, options: Options) -> Graph:
    from tern2lava.frontends.lavadl import read as lavadl

    assert offer.path is not None
    assert offer.tree is not None
    if "dt" in options:
        raise InputError(
            "--dt",
            "requires a network that counts in seconds; found a lava-dl network, which counts in steps; leave it out",
        )
    return lavadl.read_tree(offer.tree, offer.path.name, offer.path, **options)


def _read_checkpoint(offer: Offer, options: Options) -> Graph:
    from tern2lava.frontends.netyaml.read import load_checkpoint

    assert offer.path is not None
    if offer.path.suffix.lower() in (".yaml", ".yml"):
        raise InputError(
            offer.path, "requires a checkpoint; found its description; give the checkpoint, then --net FILE.yaml"
        )
    if not offer.path.exists():
        raise InputError(offer.path, "requires the path of a checkpoint; found no file there; check the path")
    if "net" not in options:
        raise InputError(
            offer.path,
            "requires a description of how its layers are wired; found none; add --net NET.yaml (docs/net-yaml.md)",
        )
    return load_checkpoint(offer.path, options["net"], weights=options.get("weights"))


def is_module(value: object) -> bool:
    """Whether `value` is a torch.nn.Module, told without importing torch."""
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(value).__mro__)


def _read_module(offer: Offer, options: Options) -> Loaded:
    require("torch", why="live modules need it")
    from tern2lava.frontends.modules.read import read_module

    missing = [name for name in ("input_shape", "steps") if name not in options]
    if missing:
        raise InputError(
            type(offer.source).__qualname__,
            f"requires {' and '.join(missing)} for a live module; found none; give them",
        )
    # How a forward is called is tried: a way that fails is no refusal.
    with stopping():
        return read_module(offer.source, effort=offer.effort, **options)


SOURCES.add(
    Source(
        name="nir", what="a NIR file (.nir)", many="NIR files", recognises=_is_nir, read=_read_nir,
        options=("dt", "assume", "steps"), instead="say readout and levels with assume", suffixes=(".nir",),
    )
)  # fmt: skip
SOURCES.add(
    Source(
        name="lava-dl", what="a lava-dl file (.net)", many="lava-dl files", recognises=_is_lavadl, read=_read_lavadl,
        options=("dt", "assume", "steps"), instead="say readout and levels with assume", suffixes=(".net",),
    )
)  # fmt: skip
SOURCES.add(
    Source(
        name="checkpoint", what="a torch (.pt), npz or safetensors file with its net.yaml",
        many="checkpoints with a net.yaml", recognises=lambda offer: offer.path is not None, read=_read_checkpoint,
        options=("net", "weights"), instead="the net.yaml says it here",
        suffixes=(".pt", ".pth", ".ckpt", ".bin", ".npz", ".safetensors", ".yaml", ".yml"), last=True,
    )
)  # fmt: skip
SOURCES.add(
    Source(
        name="module", what="a torch module of snnTorch, SpikingJelly or Norse neurons", many="live modules",
        recognises=lambda offer: is_module(offer.source), read=_read_module,
        options=("input_shape", "steps", "readout", "levels", "call"),
    )
)  # fmt: skip
OWN = len(SOURCES.registered())
"""Number of the sources here, without those that were added."""
