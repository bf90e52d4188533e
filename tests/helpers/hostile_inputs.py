"""Inputs that are no use or made to harm, and the command that is given each: one catalogue for tests and benchmark.

A row of the catalogue is a line, however long.
"""
# ruff: noqa: E501

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hostile_arrays import CHECKPOINTS, SPIKES, TRAINING
from hostile_making import (
    DEMO,
    FILES,
    LAUGHS,
    MANIFEST,
    NINES,
    STRANGE,
    USES,
    Hostile,
    Words,
    compile_with,
    fifo,
    strange,
    strange_in_bundle,
    write_zeros,
)
from tern2lava.bundle.seal import seal

# YAML and JSON.


def profile(name: str, text: str | Callable[[str], str]) -> Hostile:
    """A profile: generic-ternary's text with a change, or another text."""

    def make(here: Path, bundle: Path) -> Words:
        sound = Path(str(resources.files("tern2lava.hw_profiles") / "tiny.yaml")).read_text("utf-8")
        written = text if isinstance(text, str) else text(sound)
        (here / "chip.yaml").write_text(written, "utf-8")
        return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "chip.yaml")

    return Hostile(f"a profile: {name}", make)


def chain(here: Path, bundle: Path) -> Words:
    for n in range(3000):
        (here / f"p{n}.yaml").write_text(f"extends: p{n + 1}.yaml\nname: p{n}\nsummary: x\n")
    return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "p0.yaml")


def pipe_to_extend(here: Path, bundle: Path) -> Words:
    fifo(here / "base.yaml")
    (here / "chip.yaml").write_text("extends: base.yaml\nname: x\nsummary: x\n")
    return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "chip.yaml")


def net(name: str, text: str | bytes | Callable[[str], str]) -> Hostile:
    """A net.yaml: the demonstration's with a change, or another text."""

    def make(here: Path, bundle: Path) -> Words:
        sound = (DEMO / "mlp.yaml").read_text("utf-8")
        written = text if isinstance(text, bytes) else (text if isinstance(text, str) else text(sound)).encode()
        (here / "net.yaml").write_bytes(written)
        return compile_with(DEMO / "mlp.pt", here / "net.yaml")

    return Hostile(f"a net.yaml: {name}", make)


def with_steps(value: str) -> Callable[[str], str]:
    def change(sound: str) -> str:
        lines = [f"steps: {value}" if line.startswith("steps:") else line for line in sound.splitlines()]
        return "\n".join(lines) + "\n"

    return change


TEXTS = [
    profile("aliases in its name", lambda text: text.replace("name: tiny", LAUGHS + "name: *a11")),
    profile("aliases in what it extends", LAUGHS + "extends: *a11\nname: x\nsummary: x\n"),
    profile("aliases alone", LAUGHS),
    profile("a list in itself", "name: &a [*a]\n"),
    profile("100,000 lists deep", "name: " + "[" * 100_000),
    profile("a name of 500,000 digits", lambda text: text.replace("name: tiny", f"name: {NINES}")),
    profile("a name in base 60", lambda text: text.replace("name: tiny", "name: 1" + ":59" * 100_000)),
    profile("300,000 names", "name: [" + "1, " * 300_000 + "1]"),
    profile("itself extended", "extends: chip.yaml\nname: x\nsummary: x\n"),
    profile("a device extended", "extends: /dev/zero\nname: x\nsummary: x\n"),
    profile("a name that no file can have extended", 'extends: "a\\0b"\nname: x\nsummary: x\n'),
    Hostile("a profile: 3,000 that extend each other", chain),
    Hostile("a profile: a pipe extended", pipe_to_extend),
    net("aliases", LAUGHS),
    net("a list in itself", "layers: &a [*a]\n"),
    net("100,000 lists deep", "layers: " + "[" * 100_000),
    net("5,000 mappings deep", "\n".join(" " * n + "a:" for n in range(1400))),
    net("steps of 500,000 digits", with_steps(NINES)),
    net("steps in base 60", with_steps("1:30:00")),
    net("steps in base 60, of 300,000 digits", with_steps("1" + ":59" * 100_000)),
    net("steps of 10^60", with_steps("1" + "0" * 60)),
    net("steps of infinity", with_steps(".inf")),
    net("steps of NaN", with_steps(".nan")),
    net("steps of 10^400", with_steps("1.0e+400")),
    net("a tag that calls", "steps: !!python/object/apply:os.system ['echo called']"),
    net("NULs", b"steps: 3\0\0\0"),
    net("bytes that are no UTF-8", b"steps: \xff\xfe"),
    net("a megabyte of one key", "a" * 1_000_000 + ": 1"),
    net("300,000 layers", "layers: [" + "a, " * 300_000 + "a]"),
    net("20,000 brackets that stay open", "[{" * 10_000),
    net("2 MB", "#" * (2 << 20)),
]  # fmt: skip


# Bundles, sealed again so that every digest fits.


def sealed_again(name: str, part: str, content: Callable[[Path], bytes], *, slow: bool = False) -> Hostile:
    """A bundle whose file `part` has other content, of which the manifest and the report have the digest."""

    def make(here: Path, bundle: Path) -> Words:
        copy = Path(shutil.copytree(bundle, here / "copy"))
        (copy / part).write_bytes(content(copy / part))
        reseal(copy, part)
        return ["prove", copy]

    return Hostile(f"a bundle sealed again: {name}", make, slow)


def reseal(bundle: Path, part: str) -> None:
    """Let manifest and report of a bundle say what `part` holds now. Test: the sound content stays readable."""
    from hashlib import sha256

    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest.pop("digest")
    data = (bundle / part).read_bytes()
    manifest["files"][part] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    sealed = seal(json.dumps(manifest, indent=1))
    (bundle / MANIFEST).write_text(sealed)
    report = json.loads((bundle / "report.json").read_text())
    report.pop("digest")
    report["bundle"] = json.loads(sealed)["digest"]
    (bundle / "report.json").write_text(seal(json.dumps(report, indent=1)))


def weights_of(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as stored:
        return dict(stored)


def grown(path: Path) -> bytes:
    """The arrays of a graph, one of them 3.6 GB of zeros."""
    stored = weights_of(path)
    first = next(name for name in stored if stored[name].ndim == 2)
    del stored[first]
    write_zeros(path, {first: ((60_000, 60_000), "|i1")}, stored)
    return path.read_bytes()


def deep(path: Path) -> bytes:
    return path.read_text().replace('"notes": [', '"notes": [' + "[" * 100_000 + "]" * 100_000 + ", ", 1).encode()


BUNDLES = [
    sealed_again("an array of 3.6 GB of zeros in a graph", "graphs/program.npz", grown, slow=True),
    sealed_again("a graph 100,000 lists deep", "graphs/program.json", deep),
    sealed_again("a graph with a number of 500,000 digits", "graphs/program.json", lambda path: path.read_text().replace('"steps": ', f'"steps": {NINES}', 1).encode()),
    sealed_again("a graph with a key twice", "graphs/real.json", lambda path: path.read_text().replace('"steps"', '"level": 1, "steps"', 1).encode()),
    sealed_again("a graph with NaN", "graphs/real.json", lambda path: path.read_text().replace('"steps": ', '"steps": NaN, "x": ', 1).encode()),
    sealed_again("a graph that is no UTF-8", "graphs/real.json", lambda path: b"\xff" + path.read_bytes()),
    sealed_again("a graph of 60 MB of objects", "graphs/imported.json", lambda _: b"[" + b"{}," * 20_000_000 + b"0]", slow=True),
    sealed_again("an image of zeros", "cores/core-00000.img", lambda path: bytes(path.stat().st_size)),
    sealed_again("an image of 100 MB", "cores/core-00000.img", lambda path: path.read_bytes() + bytes(100 << 20)),
]  # fmt: skip

HOSTILE: list[Hostile] = [
    *(strange(use, kind) for use in USES for kind in STRANGE),
    *(strange_in_bundle(kind, name) for kind in ("a pipe", "a device without an end", "a folder") for name in FILES),
    *CHECKPOINTS, *SPIKES, *TRAINING, *TEXTS, *BUNDLES,
]  # fmt: skip
