"""The compiled artefact on disk: one folder, written aside and renamed, so that it is whole or absent.

The same compilation writes the same bytes: no time, no folder's name and no order of a set is in them.

build/
  manifest.json            what was compiled, for which target, by which version; the list of core images
  profile.yaml             the hardware profile it was compiled for
  graphs/{imported,real,program}.{json,npz}   the graph as imported, its real dynamics, the INTEGER program
  ir/NN-stage.txt          the graph as text after every pass
  cores/core-NNNNN.img     one packed image per core; cores/host.img: the inputs and their routes
  recorded.npz             a few samples of the framework's own run of a live module, packed (docs/oracle.md)
  report.json              the report; verify adds its result
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError

from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document, load_graph, save_graph
from tern2lava.compiler.ir.graph import Input, Level
from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.ir.text import print_graph
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.progress import Progress
from tern2lava.compiler.shown import Shown
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.prove.arithmetic.graphs import network_of, read_network
from tern2lava.prove.arithmetic.run import Claim, Induction, prove_arithmetic
from tern2lava.prove.program import program_of, read_program
from tern2lava.prove.run import Translation, prove_images
from tern2lava.report.build import make_report
from tern2lava.report.model import Report
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.kept_run import kept_arrays, kept_run
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.pack import pack
from tern2lava.sim.verify.verify import Executable

FORMAT = 2
TOOL = "tern2lava"
MANIFEST = "manifest.json"
RECORDED = "recorded.npz"
HOST_IMAGE = "cores/host.img"
ENTRIES = (MANIFEST, "profile.yaml", "graphs", "ir", "cores", RECORDED, "report.json")


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Shown):
    """A bundle read back: where it lies, its manifest, what can be run, its report.

    One that was never written has no folder; its profile and the recorded run it would keep are then here."""

    folder: Path | None
    manifest: dict[str, Any]
    executable: Executable
    report: Report
    profile: Profile | None = None
    recorded: Mapping[str, Array] = field(default_factory=dict)

    def _shown(self) -> str:
        return f"{self.folder or 'in memory'}, {self.report!r}"


def tool_version() -> str:
    """Version of tern2lava that is running."""
    return package_version("tern2lava")


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
        _check_replaceable(folder)
        made = [parent for parent in folder.parents if not parent.exists()]
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        _write(compiled, report, aside, recorded or {})
        aside.chmod(0o755)
        _replace(aside, folder)
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


def _check_replaceable(folder: Path) -> None:
    """InputError where `folder` holds anything that is not a bundle's: it would be lost. May raise OSError."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(folder, "requires a folder for the bundle; found a file; choose another name")
    if folder.samefile(Path.cwd()):
        # Replaced by another of its name, it would be gone under whoever works in it.
        raise InputError(
            folder, "requires a folder that can be replaced; found the working directory; name a folder in it"
        )
    found = sorted(entry.name for entry in folder.iterdir())
    if not found:
        return
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("tool") != TOOL:
        raise InputError(
            folder, "requires a new or empty folder, or a bundle; found other files; choose another folder"
        )
    foreign = [name for name in found if name not in ENTRIES]
    if foreign:
        raise InputError(
            folder,
            f"requires a folder that holds a bundle alone; found {foreign[0]} in it; move that or choose "
            "another folder",
        )


def _replace(aside: Path, folder: Path) -> None:
    """Put `aside` in the place of `folder` by renames; the old one is gone only once the new one stands."""
    if not folder.exists():
        os.rename(aside, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    try:
        os.rename(folder, old / folder.name)
        try:
            os.rename(aside, folder)
        except BaseException:
            os.rename(old / folder.name, folder)
            raise
    except BaseException:
        with suppress(OSError):
            old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write(compiled: Compiled, report: Report, folder: Path, recorded: Mapping[str, Array]) -> None:
    lowered, mapped = compiled.lowered, compiled.mapped
    for name in ("graphs", "ir", "cores"):
        (folder / name).mkdir()
    for name, graph in (("imported", lowered.imported), ("real", lowered.real), ("program", lowered.program)):
        save_graph(graph, folder / "graphs" / name)
    for index, (stage, graph) in enumerate(lowered.stages.items()):
        (folder / "ir" / f"{index:02d}-{stage}.txt").write_text(print_graph(graph), encoding="utf-8")
    for name, image in zip(_image_names(mapped.images), mapped.images, strict=True):
        (folder / name).write_bytes(image)
    (folder / HOST_IMAGE).write_bytes(mapped.host_image)
    profile = compiled.profile.model_dump(mode="json")
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile, sort_keys=False, width=120), encoding="utf-8")
    if recorded:
        arrays: dict[str, Any] = dict(pack(recorded))
        np.savez_compressed(folder / RECORDED, **arrays)
    (folder / "report.json").write_text(dump_report(report), encoding="utf-8")
    (folder / MANIFEST).write_text(_dump_manifest(make_manifest(compiled)), encoding="utf-8")


def make_manifest(compiled: Compiled) -> dict[str, Any]:
    """What a bundle's manifest.json says of `compiled`, in the types of JSON's values but for tuples."""
    lowered, mapped = compiled.lowered, compiled.mapped
    return {
        "tool": TOOL,
        "format": FORMAT,
        "version": tool_version(),
        "source": lowered.program.source,
        "target": compiled.profile.name,
        "steps": lowered.program.steps,
        "inputs": [
            {"name": node.name, "shape": list(node.shape), "levels": list(node.levels)}
            for node in lowered.program.of_kind(Input)
        ],
        "options": asdict(compiled.options),
        "calibration": None if lowered.samples is None else asdict(lowered.samples),
        "map_options": asdict(mapped.options),
        "measured_rates": mapped.rates,
        "images": _image_names(mapped.images),
        "host_image": HOST_IMAGE,
    }


def _image_names(images: tuple[bytes, ...]) -> list[str]:
    return [f"cores/core-{k:05d}.img" for k in range(len(images))]


def _dump_manifest(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=1) + "\n"


def in_memory(compiled: Compiled, report: Report, recorded: Mapping[str, Array] | None = None) -> Bundle:
    """The bundle of `compiled` as it would be read back, without a folder. recorded: as for write_bundle."""
    lowered, mapped = compiled.lowered, compiled.mapped
    executable = Executable(
        imported=lowered.imported, real=lowered.real, program=lowered.program, images=mapped.images,
        host_image=mapped.host_image,
    )  # fmt: skip
    return Bundle(
        folder=None, manifest=make_manifest(compiled), executable=executable, report=report, profile=compiled.profile,
        recorded=recorded or {},
    )  # fmt: skip


def holds(folder: Path, compiled: Compiled) -> bool:
    """Whether `folder` is the bundle of `compiled`: its manifest and every image, byte by byte."""
    wanted = {MANIFEST: _dump_manifest(make_manifest(compiled)).encode(), HOST_IMAGE: compiled.mapped.host_image}
    wanted |= dict(zip(_image_names(compiled.mapped.images), compiled.mapped.images, strict=True))
    try:
        return all((folder / name).read_bytes() == data for name, data in wanted.items())
    except OSError:
        return False


def dump_report(report: Report) -> str:
    """The report as JSON text."""
    return report.model_dump_json(indent=1) + "\n"


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises InputError where it is none, was written by another version, or is damaged."""
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            folder, f"requires the folder of a bundle; found no {MANIFEST} in it; make one with 'tern2lava compile'"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"requires a manifest that can be read; found {error}; compile again") from None
    if not isinstance(manifest, dict) or manifest.get("tool") != TOOL or manifest.get("format") != FORMAT:
        raise InputError(path, f"requires a bundle manifest of format {FORMAT}; found another; compile again")
    try:
        images = tuple(_inside(folder, name).read_bytes() for name in manifest["images"])
        host_image = _inside(folder, manifest["host_image"]).read_bytes()
        report = Report.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, KeyError, TypeError, ValidationError, ValueError) as error:
        raise InputError(
            folder, f"requires a whole bundle; found damage ({str(error).splitlines()[0]}); compile again"
        ) from None
    levels = {"imported": Level.IMPORTED, "real": Level.TERNARY, "program": Level.INTEGER}
    imported, real, program = (load_graph(folder / "graphs" / name, level) for name, level in levels.items())
    executable = Executable(imported=imported, real=real, program=program, images=images, host_image=host_image)
    return Bundle(folder=folder, manifest=manifest, executable=executable, report=report)


def recorded_run(bundle: Bundle) -> tuple[SpikeData, Oracle] | None:
    """The framework's own run that the bundle keeps, and its input; None where it keeps none.

    Raises InputError where the file is damaged.
    """
    if bundle.folder is None:
        return kept_arrays(bundle.recorded, bundle.executable.imported, "recorded") if bundle.recorded else None
    return kept_run(bundle.folder / RECORDED, bundle.executable.imported)


def translation_of(bundle: Bundle, progress: Progress | None = None) -> Translation:
    """Whether the core images are the program for every input, by a reader and checker of both that shares nothing
    with the compiler. Raises InputError where an image or the program is damaged."""
    executable = bundle.executable
    if bundle.folder is None:
        program = program_of(*graph_document(executable.program))
    else:
        program = read_program(bundle.folder / "graphs" / "program")
    return prove_images(executable.images, executable.host_image, program, progress)


def induction_of(bundle: Bundle, exhaustive: bool = False) -> Induction:
    """Which populations certified EXACT are so by induction, as a checker that shares nothing with the compiler finds;
    exhaustive: of the others, what came of trying all that can happen. Raises InputError where a graph is damaged."""
    executable, rows = bundle.executable, bundle.report.certificate
    if bundle.folder is None:
        real, program = (network_of(*graph_document(graph)) for graph in (executable.real, executable.program))
    else:
        real, program = (read_network(bundle.folder / "graphs" / name) for name in ("real", "program"))
    claims = [Claim(population=row.population, verdict=row.verdict, steps=row.steps) for row in rows]
    return prove_arithmetic(real, program, claims, exhaustive)


def profile_of(bundle: Bundle) -> Profile:
    """The hardware profile that the bundle was compiled for."""
    if bundle.profile is not None:
        return bundle.profile
    return load_profile(_folder(bundle) / "profile.yaml")


def _folder(bundle: Bundle) -> Path:
    """Where the bundle lies, for what is read there and for errors about it."""
    return Path("bundle in memory") if bundle.folder is None else bundle.folder


def map_options_of(bundle: Bundle) -> MapOptions:
    """How the bundle was mapped. Raises InputError where its manifest does not say."""
    try:
        return TypeAdapter(MapOptions).validate_json(json.dumps(bundle.manifest.get("map_options")), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, ("map_options", *first["loc"])))
        raise InputError(
            _folder(bundle) / MANIFEST,
            f"requires options as this version writes them; found {key}: {first['msg'].lower()}; compile again",
        ) from None
    except InputError as error:
        raise InputError(_folder(bundle) / MANIFEST, f"map_options.{error}; compile again") from None


def measured_rates_of(bundle: Bundle) -> dict[str, Reals] | None:
    """Mean spikes per neuron and step by population, where the bundle's traffic was measured. Raises InputError."""
    found = bundle.manifest.get("measured_rates", {})
    try:
        rates = TypeAdapter(dict[str, float]).validate_python(found)
    except ValidationError:
        raise InputError(
            _folder(bundle) / MANIFEST, "requires numbers as measured_rates; found other values; compile again"
        ) from None
    return {name: np.asarray(value) for name, value in rates.items()} or None


def _inside(folder: Path, name: str) -> Path:
    """`folder`/`name`, which a manifest must not point elsewhere with."""
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"manifest names {name}, outside the bundle")
    return path


def save_report(folder: Path, report: Report) -> None:
    """Replace the bundle's report.json in one step."""
    write_aside(Path(folder) / "report.json", lambda path: path.write_text(dump_report(report), encoding="utf-8"))


def write_aside(path: Path, write: Any) -> None:
    """Let `write` fill a file beside `path`, then rename it into place: whole or absent. Raises InputError."""
    path = Path(path)
    if not path.name:
        raise InputError(path, "requires a file; found a folder; name a file in it")
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(
            path, f"requires a file that can be written; found {error.strerror or error}; choose another"
        ) from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
