"""Writing a bundle, and replacing its report."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tern2lava.bundle.check import digest_in
from tern2lava.bundle.contents import contents, entry_of
from tern2lava.bundle.manifest import MANIFEST, REPORT, dump_manifest, make_manifest, tool_version
from tern2lava.bundle.replace import check_replaceable, replace_folder, write_aside
from tern2lava.bundle.seal import digest_of, seal, short
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.report.build import make_report
from tern2lava.report.model import Report


def write_bundle(compiled: Compiled, folder: Path, recorded: Mapping[str, Array] | None = None) -> Report:
    """Write `compiled` to `folder` and return its report. recorded: arrays of the framework's own run, if any.

    A bundle that is there already is replaced. Raises InputError where the folder holds anything else or cannot be
    written; then nothing of it is left behind. Raises RuntimeError, an error of tern2lava's own, where the core images
    are not proven to be the program.
    """
    _check_images(compiled)
    folder = Path(os.path.abspath(folder))
    report = make_report(compiled, tool_version())
    aside: Path | None = None
    made: list[Path] = []
    try:
        check_replaceable(folder)
        made = [parent for parent in folder.parents if not parent.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        report = _write(compiled, report, aside, recorded or {})
        aside.chmod(0o755)
        replace_folder(aside, folder)
    except OSError as error:
        raise InputError(
            folder,
            f"requires a folder that can be written; found {error.strerror or error}; free space or choose another",
        ) from None
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        if aside is None or not folder.exists():
            for parent in made:
                with suppress(OSError):
                    parent.rmdir()
    return report


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
    folder = Path(folder)
    found = digest_in(folder)
    if found != report.bundle:
        raise InputError(
            folder,
            f"requires the bundle that the report is of, {short(report.bundle)}; found "
            f"{'none' if found is None else short(found)}, for it was replaced meanwhile; run the command again",
        )
    data = dump_report(report).encode("utf-8")
    write_aside(folder / REPORT, lambda path: path.write_bytes(data))
