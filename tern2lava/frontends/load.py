"""One door for every source: a live module, a file (its kind told by its first bytes), or a Graph as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.frontends.files.hdf5 import is_hdf5, read_hdf5

if TYPE_CHECKING:
    import torch

    from tern2lava.frontends.modules.known_modules import Loaded

ACCEPTED = (
    "a NIR or lava-dl file, a torch, npz or safetensors file with its net.yaml, or a torch module of snnTorch, "
    "SpikingJelly or Norse neurons"
)
_FILE_OPTIONS = ("dt", "assume")


def load(source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, **options: Any) -> Graph:
    """The Graph (IMPORTED) of `source`: a NIR or lava-dl file, a checkpoint wired by a net.yaml, or a live module.

    `options` are those of load_module (input_shape, steps, readout, levels, call), for NIR and lava-dl files dt
    and assume (see load_nir, load_lavadl). A Graph comes back as it is.
    Raises InputError or UnsupportedError naming what was found and what is accepted.
    """
    found = load_with_run(source, net, **options)
    return found if isinstance(found, Graph) else found.graph


def load_with_run(
    source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, **options: Any
) -> Graph | Loaded:
    """As `load`; a live module comes with what is known of its own way to run."""
    if isinstance(source, Graph):
        return source
    if isinstance(source, str | Path):
        return _load_file(Path(source), net, options)
    if is_module(source):
        require("torch", why="live modules need it")
        from tern2lava.frontends.modules.read import read_module

        if net is not None:
            raise InputError("net", "a live module brings its own wiring; leave net out")
        missing = [name for name in ("input_shape", "steps") if name not in options]
        if missing:
            raise InputError(type(source).__qualname__, f"a live module needs {' and '.join(missing)} as well")
        return read_module(source, **options)
    raise InputError("source", f"is a {type(source).__name__}; expected {ACCEPTED}")


def is_module(value: object) -> bool:
    """Whether `value` is a torch.nn.Module, told without importing torch."""
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(value).__mro__)


def _load_file(path: Path, net: str | Path | None, options: dict[str, Any]) -> Graph:
    options = {key: value for key, value in options.items() if value is not None or key not in _FILE_OPTIONS}
    if is_hdf5(path):
        return _load_hdf5(path, net, options)
    if (said := [key for key in _FILE_OPTIONS if key in options]) and path.is_file():
        raise InputError(path, f"{said[0]} is for NIR and lava-dl files; the net.yaml says it here")
    if options:
        names = ", ".join(sorted(options))
        raise InputError(path, f"options {names} are for live modules; the net.yaml says them here")
    if path.suffix.lower() in (".yaml", ".yml"):
        raise InputError(path, "is the description, not the checkpoint; give the checkpoint, then --net FILE.yaml")
    if net is None:
        raise InputError(path, "says nothing of how its layers are wired; add --net NET.yaml (docs/net-yaml.md)")
    from tern2lava.frontends.netyaml.read import load_checkpoint

    return load_checkpoint(path, net)


def _load_hdf5(path: Path, net: str | Path | None, options: dict[str, Any]) -> Graph:
    from tern2lava.frontends.lavadl import read as lavadl
    from tern2lava.frontends.nir import read as nir
    from tern2lava.frontends.nir.file import is_nir

    if net is not None:
        raise InputError(path, "says itself how its layers are wired; leave --net out")
    other = [key for key in options if key not in (*_FILE_OPTIONS, "steps")]
    if other:
        raise InputError(path, f"option {other[0]} is for live modules; say readout and levels with assume")
    tree = read_hdf5(path)
    if is_nir(tree):
        return nir.read_tree(tree, path.name, path, **options)
    if lavadl.is_lavadl(tree):
        if options.pop("dt", None) is not None:
            raise InputError("--dt", "lava-dl networks count in steps; leave it out")
        return lavadl.read_tree(tree, path.name, path, **options)
    held = ", ".join(list(tree)[:6]) or "nothing"
    raise InputError(path, f"is HDF5 but neither NIR (/node) nor lava-dl (/layer): it holds {held}")
