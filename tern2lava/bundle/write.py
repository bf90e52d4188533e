"""Writing a bundle, and replacing its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tern2lava.bundle.check import digest_in
from tern2lava.bundle.contents import contents, entry_of
from tern2lava.bundle.manifest import MANIFEST, REPORT, dump_manifest, make_manifest, tool_version
from tern2lava.bundle.replace import check_outside, check_replaceable
from tern2lava.bundle.seal import digest_of, seal, short
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.report.build import make_report
from tern2lava.report.model import Report
from tern2lava.writing import change_files, write_folder


def write_bundle(compiled: Compiled, folder: Path, recorded: Mapping[str, Array] | None = None) -> Report:
    """Write `compiled` to `folder` and return its report. recorded: arrays of the framework's own run, if any.

    A bundle that is there already is replaced. Raises InputError where the folder holds anything else or cannot be
    written; then nothing of it is left behind. Raises RuntimeError, an error of tern2lava's own, where the core images
    are not proven to be the program.
    """
    check_outside(Path(folder))
    _check_images(compiled)
    report = make_report(compiled, tool_version())
    written: list[Report] = []

    def fill(aside: Path) -> None:
        written.append(_write(compiled, report, aside, recorded or {}))

    write_folder(Path(folder), fill, check_replaceable)
    return written[-1]


def _check_images(compiled: Compiled) -> None:
    """RuntimeError unless the core images are proven to be the program."""
    mapped = compiled.mapped
    found = prove_images(mapped.images, mapped.host_image, program_of(*graph_document(compiled.lowered.program)))
    if not found.proven:
        raise RuntimeError(f"the core images {found}")


def _write(compiled: Compiled, report: Report, folder: Path, recorded: Mapping[str, Array]) -> Report:
    """Fill `folder` and return the report, which names the bundle's digest."""
    files = {}
    for name, data in contents(compiled, recorded):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        files[name] = entry_of(data)
    manifest = dump_manifest(make_manifest(compiled, files)).encode("utf-8")
    report = report.model_copy(update={"bundle": digest_of(manifest)})
    (folder / REPORT).write_bytes(dump_report(report).encode("utf-8"))
    (folder / MANIFEST).write_bytes(manifest)
    return report


def dump_report(report: Report) -> str:
    """The report as JSON text, sealed."""
    return seal(report.model_dump_json(indent=1))


def save_report(folder: Path, report: Report) -> None:
    """Replace the report.json of the bundle in `folder`, whose report it is, in one step.

    Raises InputError where the folder holds another bundle by now, or cannot be written."""

    def check(place: Path) -> None:
        found = digest_in(place)
        if found != report.bundle:
            raise InputError(
                folder,
                f"requires the bundle that the report is of, {short(report.bundle)}; found "
                f"{'none' if found is None else short(found)}, for it was replaced meanwhile; run the command again",
            )

    change_files(Path(folder), {REPORT: dump_report(report).encode("utf-8")}, check)
