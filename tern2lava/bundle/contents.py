"""The files of a bundle but its manifest and report: what is in each, and what the manifest says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import yaml

from tern2lava.bundle.manifest import HOST_IMAGE, PROFILE, RECORDED, image_names
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_files, npz
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.ir.text import print_graph
from tern2lava.sim.reading.pack import pack


def entry_of(data: bytes) -> dict[str, Any]:
    """What the manifest says of a file of this content: its bytes and their SHA-256, in hexadecimal."""
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def contents(compiled: Compiled, recorded: Mapping[str, Array]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of the bundle of `compiled` but manifest and report, one after the other."""
    lowered, mapped = compiled.lowered, compiled.mapped
    for name, graph in (("imported", lowered.imported), ("real", lowered.real), ("program", lowered.program)):
        document, arrays = graph_files(graph)
        yield f"graphs/{name}.json", document
        yield f"graphs/{name}.npz", arrays
    for index, (stage, graph) in enumerate(lowered.stages.items()):
        yield f"ir/{index:02d}-{stage}.txt", print_graph(graph).encode("utf-8")
    yield from zip(image_names(mapped.images), mapped.images, strict=True)
    yield HOST_IMAGE, mapped.host_image
    profile = compiled.profile.model_dump(mode="json")
    yield PROFILE, yaml.safe_dump(profile, sort_keys=False, width=120).encode("utf-8")
    if recorded:
        yield RECORDED, npz(dict(pack(recorded)))
