"""Writing a bundle, and replacing its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tern2lava.bundle.manifest import (
    HOST_IMAGE,
    MANIFEST,
    PROFILE,
    RECORDED,
    REPORT,
    dump_manifest,
    image_names,
    make_manifest,
    tool_version,
)
from tern2lava.bundle.replace import check_replaceable
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document, save_graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.ir.text import print_graph
from tern2lava.errors import InputError
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.report.build import make_report
from tern2lava.report.model import Report
from tern2lava.sim.reading.pack import pack
from tern2lava.writing import change_files, write_folder


def write_bundle(compiled: Compiled, folder: Path, recorded: Mapping[str, Array] | None = None) -> Report:
    """Write `compiled` to `folder` and return its report. recorded: arrays of the framework's own run, if any.

    A bundle that is there already is replaced. Raises InputError where the folder holds anything else or cannot be
    written; then nothing of it is left behind. Raises RuntimeError, an error of tern2lava's own, where the core images
    are not proven to be the program.
    """
    _check_images(compiled)
    report = make_report(compiled, tool_version())
    write_folder(Path(folder), lambda aside: _write(compiled, report, aside, recorded or {}), check_replaceable)
    return report


def _check_images(compiled: Compiled) -> None:
    """RuntimeError unless the core images are proven to be the program."""
    mapped = compiled.mapped
    found = prove_images(mapped.images, mapped.host_image, program_of(*graph_document(compiled.lowered.program)))
    if not found.proven:
        raise RuntimeError(f"the core images {found}")


def _write(compiled: Compiled, report: Report, folder: Path, recorded: Mapping[str, Array]) -> None:
    lowered, mapped = compiled.lowered, compiled.mapped
    for name in ("graphs", "ir", "cores"):
        (folder / name).mkdir()
    for name, graph in (("imported", lowered.imported), ("real", lowered.real), ("program", lowered.program)):
        save_graph(graph, folder / "graphs" / name)
    for index, (stage, graph) in enumerate(lowered.stages.items()):
        (folder / "ir" / f"{index:02d}-{stage}.txt").write_text(print_graph(graph), encoding="utf-8")
    for name, image in zip(image_names(mapped.images), mapped.images, strict=True):
        (folder / name).write_bytes(image)
    (folder / HOST_IMAGE).write_bytes(mapped.host_image)
    profile = compiled.profile.model_dump(mode="json")
    (folder / PROFILE).write_text(yaml.safe_dump(profile, sort_keys=False, width=120), encoding="utf-8")
    if recorded:
        arrays: dict[str, Any] = dict(pack(recorded))
        np.savez_compressed(folder / RECORDED, **arrays)
    (folder / REPORT).write_text(dump_report(report), encoding="utf-8")
    (folder / MANIFEST).write_text(dump_manifest(make_manifest(compiled)), encoding="utf-8")


def holds(folder: Path, compiled: Compiled) -> bool:
    """Whether `folder` is the bundle of `compiled`: its manifest and every image, byte by byte."""
    wanted = {MANIFEST: dump_manifest(make_manifest(compiled)).encode(), HOST_IMAGE: compiled.mapped.host_image}
    wanted |= dict(zip(image_names(compiled.mapped.images), compiled.mapped.images, strict=True))
    try:
        return all((folder / name).read_bytes() == data for name, data in wanted.items())
    except OSError:
        return False


def dump_report(report: Report) -> str:
    """The report as JSON text."""
    return report.model_dump_json(indent=1) + "\n"


def save_report(folder: Path, report: Report, manifest: Mapping[str, Any] | None = None) -> None:
    """Replace the bundle's report.json in one step. manifest: that of the bundle which `report` is about.

    Raises InputError where the folder cannot be written, or holds another bundle since.
    """

    def check(place: Path) -> None:
        if manifest is not None and _manifest(place) != manifest:
            raise InputError(
                folder,
                "requires the bundle that was read; found another, written there meanwhile; give the command again",
            )

    change_files(Path(folder), {REPORT: dump_report(report).encode("utf-8")}, check)


def _manifest(folder: Path) -> Any:
    try:
        return json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
