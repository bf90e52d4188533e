"""Exported C networks, several compiled into one program, and their runs as traces."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from drawn import Inputs
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.export.c.model import Model, model
from tern2lava.export.c.write import c_files
from tern2lava.sim.reference import integer

WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wundef")
SANITISED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="gcc is not installed")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a network in C did: spikes and potentials (batch, steps, neurons) by population, each sample's digest, and
    the numbers of its readouts (batch, numbers) one behind the other."""

    spikes: dict[str, Array]
    v: dict[str, Array]
    digests: list[str]
    numbers: Array


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that holds networks by name; the name is its first argument."""

    path: Path
    models: Mapping[str, Model]

    def run(self, name: str, inputs: Inputs) -> Run:
        """Run one network on inputs."""
        made, done = self.models[name], self.call(name, inputs)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return read_run(made, done.stdout.decode(), next(iter(inputs.values())).shape[1])

    def call(self, name: str, inputs: Inputs) -> subprocess.CompletedProcess[bytes]:
        """What running one network gives."""
        steps, data = next(iter(inputs.values())).shape[1], given(self.models[name], inputs)
        return subprocess.run([self.path, name, str(steps), "trace"], input=data, capture_output=True, timeout=60)


def compile_networks(
    networks: Mapping[str, Graph], folder: Path, options: Sequence[str] = SANITISED, optimise: str = "-O0"
) -> Program:
    """One program of all networks; the names are prefixes of their C."""
    for name, graph in networks.items():
        (folder / name).mkdir()
        for file, text in c_files(graph, version="0", prefix=name).items():
            (folder / name / file).write_text(text, encoding="utf-8")
    return compile_folders(networks, folder, options, optimise)


def compile_folders(
    networks: Mapping[str, Graph], folder: Path, options: Sequence[str] = (), optimise: str = "-O0"
) -> Program:
    """One program of networks whose C lies in folders of their names, which are its prefixes."""
    files: list[str] = []
    for name in networks:
        # Each network's main under another name, in a file of its own. Here elements are aligned to their size.
        equal = f"sizeof({name}_t) == {name.upper()}_RAM_BYTES"
        text = f'#define main {name}_main\n#include "main.c"\n_Static_assert({equal}, "bytes of the state");\n'
        (folder / name / "renamed.c").write_text(text, encoding="utf-8")
        files += [f"{name}/{name}.c", f"{name}/renamed.c"]
    (folder / "all.c").write_text(dispatcher(list(networks)), encoding="utf-8")
    assert GCC is not None
    done = subprocess.run(
        [GCC, *WARNINGS, *options, optimise, *files, "all.c", "-o", "all"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:4000]
    return Program(path=folder / "all", models={name: model(graph, name) for name, graph in networks.items()})


def dispatcher(names: Sequence[str]) -> str:
    """The C of a main that calls the main of the network that its first argument names."""
    declared = "\n".join(f"int {name}_main(int count, char **words);" for name in names)
    calls = "\n".join(
        f'    if (strcmp(words[1], "{name}") == 0)\n        return {name}_main(count - 1, words + 1);' for name in names
    )
    return (
        f"#include <string.h>\n{declared}\nint main(int count, char **words)\n{{\n"
        f"    if (count < 2)\n        return 2;\n{calls}\n    return 2;\n}}\n"
    )


def given(made: Model, inputs: Inputs) -> bytes:
    """Inputs as main.c reads them."""
    parts = [
        inputs[each.name].reshape(*inputs[each.name].shape[:2], -1).astype(each.given.name.removesuffix("_t"))
        for each in made.inputs
    ]
    batch, steps = parts[0].shape[:2]
    return b"".join(part[b, t].tobytes() for b in range(batch) for t in range(steps) for part in parts)


def read_run(made: Model, text: str, steps: int) -> Run:
    """What main.c printed with `trace`."""
    spikes: dict[str, list[list[int]]] = {cells.source.name: [] for cells in made.cells}
    potentials: dict[str, list[list[int]]] = {cells.source.name: [] for cells in made.cells if cells.has_v}
    digests, numbers = [], []
    for line in text.splitlines():
        if not line.startswith("t "):
            digest, *rest = line.split()
            digests.append(digest)
            numbers.append([int(word) for word in rest])
            continue
        _, place, *words = line.split()
        name = made.cells[int(place)].source.name
        fired, _, v = " ".join(words).partition(" v ")
        spikes[name].append([int(word) for word in fired.split()])
        if name in potentials:
            potentials[name].append([int(word) for word in v.split()])

    def shaped(rows: list[list[int]]) -> Array:
        return np.array(rows, np.int64).reshape(len(digests), steps, -1)

    return Run(
        spikes={name: shaped(rows) for name, rows in spikes.items()},
        v={name: shaped(rows) for name, rows in potentials.items()}, digests=digests, numbers=np.array(numbers),
    )  # fmt: skip


def assert_equal(graph: Graph, run: Run, inputs: Inputs) -> None:
    """Every spike and every potential that is kept are those of the integer reference."""
    expected = integer.run(graph, inputs)
    assert set(run.spikes) == {p.name for p in graph.of_kind(Population)}
    for name, spikes in run.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], err_msg=f"spikes of {name}")
    for name, v in run.v.items():
        np.testing.assert_array_equal(v, expected.v[name], err_msg=f"potentials of {name}")
