"""What a checkpoint holds, for a person: every tensor, which weights are ternary and how far the others are from it."""

from __future__ import annotations

from pathlib import Path

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.errors import InputError
from tern2lava.files.npz import RATIO
from tern2lava.files.opening import MIB, FileError
from tern2lava.frontends.files.checkpoint import Checkpoint, read_checkpoint
from tern2lava.frontends.files.hdf5 import is_hdf5
from tern2lava.frontends.inspect.facts import Inspection, NeuronFacts, tensor_facts
from tern2lava.frontends.inspect.stored_parts import quantisation_settings, written_parts

NEURON_PARAMETERS = ("alpha", "beta", "tau", "threshold", "reset_mechanism_val", "graded_spikes_factor")
MOST = 256 * MIB
"""Bytes that the tensors of a file may unpack to together, unless RATIO times what they take in it is more."""
SNNTORCH_RESETS = ("subtract", "zero", "none")


def inspect_file(path: str | Path, weights: str | None = None) -> Inspection:
    """What the checkpoint at `path` holds. weights: as for read_checkpoint. Raises InputError where it cannot be
    read (see there)."""
    if is_hdf5(Path(path)):
        if weights is not None:
            raise InputError(
                path, "requires a torch file to choose weights from; found HDF5, which holds one set; leave weights out"
            )
        from tern2lava.frontends.inspect.hdf5 import inspect_hdf5

        return inspect_hdf5(Path(path))
    checkpoint = read_checkpoint(path, weights)
    _check_size(checkpoint)
    return Inspection(
        path=str(path),
        format=checkpoint.format,
        content=checkpoint.content,
        prefix=checkpoint.prefix,
        tensors=tuple(
            tensor_facts(name, array, attribute=name in checkpoint.attributes)
            for name, array in checkpoint.tensors.items()
        ),
        unreadable=checkpoint.unreadable,
        neurons=neuron_facts(checkpoint),
        modules=checkpoint.modules,
        left_out=checkpoint.left_out,
        values=checkpoint.values,
        notes=checkpoint.notes,
        settings=quantisation_settings(checkpoint),
        written=written_parts(checkpoint),
    )


def _check_size(checkpoint: Checkpoint) -> None:
    """Raise FileError where all tensors together unpack to over MOST bytes and RATIO times what they take."""
    stored = checkpoint.tensors.stored.values()
    size, packed = sum(tensor.size for tensor in stored), sum(tensor.packed for tensor in stored)
    allowed = max(MOST, RATIO * packed)
    if size > allowed:
        raise FileError(
            checkpoint.path, f"tensors of at most {allowed:,} bytes together, {RATIO} times what they take in the file",
            f"{size:,}, as in a zip bomb", "save them uncompressed",
        )  # fmt: skip


def neuron_facts(checkpoint: Checkpoint) -> tuple[NeuronFacts, ...]:
    """The neuron layers whose parameters the checkpoint holds, in the order of their tensors."""
    groups: dict[str, dict[str, Array]] = {}
    for name in checkpoint.tensors:
        prefix, _, key = name.rpartition(".")
        if key in NEURON_PARAMETERS:
            groups.setdefault(prefix, {})[key] = checkpoint.tensors[name]
    result = []
    for prefix, found in groups.items():
        snntorch = "reset_mechanism_val" in found
        said = {key for key in ("reset_delay",) if isinstance(checkpoint.values.get(f"{prefix}.{key}"), bool)}
        said |= set(found) | ({"reset"} if snntorch else set())
        parameters = {
            key: (float(value.min()), float(value.max()))
            for key, value in found.items()
            if key != "reset_mechanism_val" and value.size
        }
        result.append(
            NeuronFacts(
                prefix=prefix,
                framework="snnTorch" if snntorch else "unknown",
                parameters=parameters,
                reset=_reset(found.get("reset_mechanism_val")),
                missing=tuple(key for key in ("threshold", "reset", "reset_delay", "fire") if key not in said),
            )
        )
    return tuple(result)


def _reset(value: Ints | None) -> str | None:
    if value is None or value.size != 1 or value.item() not in (0, 1, 2):
        return None
    return SNNTORCH_RESETS[int(value.item())]
