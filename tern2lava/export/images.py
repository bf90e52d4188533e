"""Core images and entropy-coded weights as folders of files for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs import CODECS, PLAIN, STORAGE
from tern2lava.compiler.image.codecs.stream import write_stream
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.linear import code_bits
from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.sim.verify.verify import Executable
from tern2lava.writing import write_folder

INDEX = "images.json"
WEIGHTS = "weights.json"


def ternary_codecs() -> tuple[str, ...]:
    """The names of the codecs that hold any matrix of ternary codes."""
    return tuple(codec.name for codec in CODECS if codec.ternary and not codec.lists)


def export_images(
    executable: Executable, folder: Path, *, target: str, version: str, codec: str | None = None
) -> list[str]:
    """Write core-NNNNN.img, host.img (docs/image-format.md) and images.json, which says what the images are, to a new
    folder; the names of the files. codec: of all ternary weights, by name, instead of what each core stores; see
    `recoded`. Raises InputError where the folder holds something or cannot be written, or for no such codec."""
    program = executable.program
    images = executable.images if codec is None else [recoded(data, codec) for data in executable.images]
    names = [f"core-{k:05d}.img" for k in range(len(executable.images))]
    index = {
        "written_by": f"tern2lava {version}",
        "source": program.source,
        "target": target,
        "codec": codec or "as mapped",
        "steps": program.steps,
        "slowdown": program.slowdown,
        "inputs": [
            {"name": node.name, "shape": list(node.shape), "levels": list(node.levels)}
            for node in program.of_kind(Input)
        ],
        "populations": [
            {"name": node.name, "shape": list(node.shape), "start": node.start} for node in program.of_kind(Population)
        ],
        "outputs": [output_document(node) for node in program.of_kind(Output)],
        "images": names,
        "host_image": "host.img",
    }

    def write(aside: Path) -> None:
        for name, data in zip(names, images, strict=True):
            (aside / name).write_bytes(data)
        (aside / "host.img").write_bytes(executable.host_image)
        _write_json(aside / INDEX, index)

    write_new_folder(folder, write)
    return [*names, "host.img", INDEX]


def output_document(node: Output) -> dict[str, Any]:
    """How the host forms scores (ir.Output), arrays as lists, what there is none of left out."""
    arrays = {"classes": node.classes, "step_weights": node.step_weights, "offset": node.offset}
    said = {name: array.tolist() for name, array in arrays.items() if array is not None}
    return {"population": node.inputs[0], "readout": node.readout.value, **said}


def recoded(data: bytes, codec: str) -> bytes:
    """A core image with the ternary weights of every block in one codec, wider ones as they were; it executes alike.

    The target's own decoder may not have the codec: such images are for files and transport, or for other programs.
    Raises InputError for a name that is no codec of ternary weights."""
    if codec not in ternary_codecs():
        raise InputError("codec", f"requires {one_of(ternary_codecs())}; found '{codec}'; choose one of them")
    image = decode_core(data)
    blocks = tuple(
        replace(block, codec=codec) if code_bits(block.local.weight) == 2 else block for block in image.blocks
    )
    return encode_core(replace(image, blocks=blocks))


def export_weights(program: Graph, folder: Path, *, version: str) -> list[str]:
    """Write the codes of each projection as an entropy-coded stream (codecs/stream.py; 8-bit codes as they are) and
    weights.json with shapes and gains to a new folder; the names of the files. Raises InputError as above."""
    streams: dict[str, bytes] = {}
    entries = []
    for number, node in enumerate(program.of_kind(Projection)):
        groups = 1 if node.geometry is None else node.geometry.groups
        codec = (STORAGE if node.bits == 2 else PLAIN).name
        name = f"weights-{number:03d}.t2w"
        streams[name] = write_stream(code_rows(node.weight, groups), codec)
        entries.append(
            {
                "projection": node.name, "file": name, "codec": codec, "shape": list(node.weight.shape),
                "groups": groups, "bits": node.bits, "delay": node.delay, "gain": np.asarray(node.gain).tolist(),
            }
            | ({} if node.reads is None else {"reads": node.reads.ranges(), "part_of": node.part_of})
        )  # fmt: skip

    def write(aside: Path) -> None:
        for name, data in streams.items():
            (aside / name).write_bytes(data)
        _write_json(aside / WEIGHTS, {"written_by": f"tern2lava {version}", "projections": entries})

    write_new_folder(folder, write)
    return [*streams, WEIGHTS]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def write_new_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder that is then put at `folder`: whole or absent."""

    def check(place: Path) -> None:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(folder, "requires a new or empty folder; found one with files in it; choose another")
        if place.exists() and place.samefile(Path.cwd()):
            raise InputError(
                folder, "requires a folder that can be replaced; found the working directory; name a folder in it"
            )

    write_folder(Path(folder), write, check)
