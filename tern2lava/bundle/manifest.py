"""What a bundle's manifest.json says, and the names of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version as package_version
from typing import Any

from tern2lava.bundle.seal import seal
from tern2lava.bundle.versions import versions
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.graph import Input
from tern2lava.compiler.mapper.placement.algorithms import NEEDS

FORMAT = 3
TOOL = "tern2lava"
MANIFEST = "manifest.json"
PROFILE = "profile.yaml"
REPORT = "report.json"
RECORDED = "recorded.npz"
PROGRAM = "graphs/program"
REAL = "graphs/real"
HOST_IMAGE = "cores/host.img"
ENTRIES = (MANIFEST, PROFILE, "graphs", "ir", "cores", RECORDED, REPORT)


def tool_version() -> str:
    """Version of tern2lava that is running."""
    return package_version("tern2lava")


def make_manifest(compiled: Compiled, files: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """What a bundle's manifest.json says of `compiled`, in the types of JSON's values but for tuples, without its own
    digest. files: bytes and SHA-256 of every other file but the report, by name; None of a bundle in memory."""
    lowered, mapped = compiled.lowered, compiled.mapped
    return {
        "tool": TOOL,
        "format": FORMAT,
        "version": tool_version(),
        "versions": versions((*compiled.libraries, *_placed_by(mapped.options.placement))),
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
        "made_of": [asdict(origin) for origin in compiled.made_of],
        "images": image_names(mapped.images),
        "host_image": HOST_IMAGE,
        "files": dict(files or {}),
    }


def _placed_by(placement: str) -> tuple[str, ...]:
    return (NEEDS[placement],) if placement in NEEDS else ()


def image_names(images: tuple[bytes, ...]) -> list[str]:
    """The names of a bundle's core images."""
    return [f"cores/core-{k:05d}.img" for k in range(len(images))]


def dump_manifest(manifest: dict[str, Any]) -> str:
    """The manifest as JSON text, sealed."""
    return seal(json.dumps(manifest, indent=1))
