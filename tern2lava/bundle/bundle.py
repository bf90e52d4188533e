"""A bundle read back, or one in memory: what can be run, and what else it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from tern2lava.bundle.manifest import MANIFEST, PROFILE, PROGRAM, REAL, RECORDED, make_manifest
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.progress import Progress
from tern2lava.compiler.shown import Shown
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile, parse_profile
from tern2lava.prove.arithmetic.graphs import Network, network_of, read_network
from tern2lava.prove.arithmetic.run import Claim, Induction, prove_arithmetic
from tern2lava.prove.program import program_of, read_program
from tern2lava.prove.run import Translation, prove_images
from tern2lava.report.model import Report
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.kept_run import kept_arrays, kept_run
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.verify.verify import Executable

HELD = (PROFILE, RECORDED, *(f"{graph}.{kind}" for graph in (REAL, PROGRAM) for kind in ("json", "npz")))
"""Files that are parsed where they are needed, and not when the bundle is read."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Shown):
    """A bundle read back: where it lies, its manifest, what can be run, its report; digest: over all that was compiled;
    files: content, by name, of what is parsed where it is needed.

    One that was never written has neither; its profile and the recorded run it would keep are then here."""

    folder: Path | None
    manifest: dict[str, Any]
    executable: Executable
    report: Report
    digest: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    profile: Profile | None = None
    recorded: Mapping[str, Array] = field(default_factory=dict)

    def _shown(self) -> str:
        return f"{self.folder or 'in memory'}, {self.report!r}"


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


def recorded_run(bundle: Bundle) -> tuple[SpikeData, Oracle] | None:
    """The framework's own run that the bundle keeps, and its input; None where it keeps none.

    Raises InputError where the file is damaged.
    """
    imported = bundle.executable.imported
    if bundle.folder is None:
        return kept_arrays(bundle.recorded, imported, "recorded") if bundle.recorded else None
    if RECORDED not in bundle.files:
        return None
    return kept_run(bundle.files[RECORDED], imported, bundle.folder / RECORDED)


def translation_of(bundle: Bundle, progress: Progress | None = None) -> Translation:
    """Whether the core images are the program for every input, by a reader and checker of both that shares nothing
    with the compiler. Raises InputError where an image or the program is damaged."""
    executable = bundle.executable
    if bundle.folder is None:
        program = program_of(*graph_document(executable.program))
    else:
        document, arrays = (f"{PROGRAM}.{kind}" for kind in ("json", "npz"))
        program = read_program(bundle.files[document], bundle.files[arrays], bundle.folder / document)
    return prove_images(executable.images, executable.host_image, program, progress)


def induction_of(bundle: Bundle, exhaustive: bool = False) -> Induction:
    """Which populations certified EXACT are so by induction, as a checker that shares nothing with the compiler finds;
    exhaustive: of the others, what came of trying all that can happen. Raises InputError where a graph is damaged."""
    executable, rows = bundle.executable, bundle.report.certificate
    if bundle.folder is None:
        real, program = (network_of(*graph_document(graph)) for graph in (executable.real, executable.program))
    else:
        real, program = (_network(bundle, bundle.folder, stem) for stem in (REAL, PROGRAM))
    claims = [Claim(population=row.population, verdict=row.verdict, steps=row.steps) for row in rows]
    return prove_arithmetic(real, program, claims, exhaustive)


def _network(bundle: Bundle, folder: Path, stem: str) -> Network:
    document, arrays = (f"{stem}.{kind}" for kind in ("json", "npz"))
    return read_network(bundle.files[document], bundle.files[arrays], folder / document)


def profile_of(bundle: Bundle) -> Profile:
    """The hardware profile that the bundle was compiled for."""
    if bundle.profile is not None:
        return bundle.profile
    path = _folder(bundle) / PROFILE
    try:
        return parse_profile(bundle.files[PROFILE].decode("utf-8"), path)
    except UnicodeDecodeError:
        raise InputError(path, "requires YAML in UTF-8; found other bytes; compile again") from None


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
