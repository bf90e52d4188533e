"""One door for every source: a live module, a file (its kind told by its first bytes), or a Graph as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava.compiler.ir import Graph
from tern2lava.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    import torch

ACCEPTED = (
    "a torch, npz or safetensors file with its net.yaml, or an nn.Sequential of torch layers and snnTorch Leaky neurons"
)
_HDF5 = b"\x89HDF\r\n\x1a\n"


def load(source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, **options: Any) -> Graph:
    """The Graph (IMPORTED) of `source`: a checkpoint wired by the net.yaml `net`, or a live module.

    `options` are those of load_module (input_shape, steps, readout, levels). A Graph comes back as it is.
    Raises InputError or UnsupportedError naming what was found and what is accepted.
    """
    if isinstance(source, Graph):
        return source
    if isinstance(source, str | Path):
        return _load_file(Path(source), net, options)
    if is_module(source):
        from tern2lava.frontends.module import load_module

        if net is not None:
            raise InputError("net", "a live module brings its own wiring; leave net out")
        missing = [name for name in ("input_shape", "steps") if name not in options]
        if missing:
            raise InputError(type(source).__qualname__, f"a live module needs {' and '.join(missing)} as well")
        return load_module(source, **options)
    raise InputError("source", f"is a {type(source).__name__}; expected {ACCEPTED}")


def is_module(value: object) -> bool:
    """Whether `value` is a torch.nn.Module, told without importing torch."""
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(value).__mro__)


def _load_file(path: Path, net: str | Path | None, options: dict[str, Any]) -> Graph:
    if options:
        names = ", ".join(sorted(options))
        raise InputError(path, f"options {names} are for live modules; the net.yaml says them here")
    if path.suffix.lower() in (".yaml", ".yml"):
        raise InputError(path, "is the description, not the checkpoint; give the checkpoint, then --net FILE.yaml")
    if path.is_file():
        with path.open("rb") as stream:
            first = stream.read(8)
        if first == _HDF5:
            found = "HDF5 (NIR or lava-dl)"
            raise UnsupportedError(str(path), "files are of a known kind", found, f"expected {ACCEPTED}")
    if net is None:
        raise InputError(path, "says nothing of how its layers are wired; add --net NET.yaml (docs/net-yaml.md)")
    from tern2lava.frontends.netyaml import load_checkpoint

    return load_checkpoint(path, net)
