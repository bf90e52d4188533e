"""Every exporter on a small network for each feature: written and read back with the same spikes, or refused with the
words that the registry says. docs/exports.md is the registry's table (TERN2LAVA_GOLDEN=write writes it)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from by_path import module_at
from c_programs import GCC, Program, compile_folders
from export_nets import NETS, Net
from nets import variant
from places import ROOT
from tern2lava import api
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs.stream import read_stream
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.errors import UnsupportedError
from tern2lava.export.document import HEADING, exports_reference
from tern2lava.export.exporters import EXPORTERS
from tern2lava.export.features import FEATURES
from tern2lava.frontends.load import load
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

Found = dict[str, Spikes]
DOCUMENT = ROOT / "docs" / "exports.md"
SHIPPED = [each.name for each in EXPORTERS.registered()]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A network, compiled; what it reads, and the spikes that its integer program makes of it."""

    net: Net
    compiled: Any
    inputs: dict[str, Spikes]
    spikes: Found

    @property
    def program(self) -> Graph:
        found: Graph = self.compiled.lowered.program
        return found


class Cases:
    """The cases by feature, each compiled when it is first asked for."""

    def __init__(self) -> None:
        # Gains of up to 2^13 are those that lava-dl's weights of 9 bits can say.
        self.targets = {
            "loihi2": variant("loihi2", arithmetic__gain_max_shift=13), "tiny": variant("tiny", core__fan_in=8)
        }  # fmt: skip
        self.made: dict[str, Case] = {}

    def __getitem__(self, feature: str) -> Case:
        if feature not in self.made:
            net = NETS[feature]()
            compiled = api.compile(net.graph, self.targets.get(net.target, net.target), options=net.options)
            inputs = net.inputs()
            spikes = integer.run(compiled.lowered.program, inputs, states=False).spikes
            self.made[feature] = Case(net=net, compiled=compiled, inputs=inputs, spikes=spikes)
        return self.made[feature]


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases()


# How each format is read back. A reader takes the case and what was written; it gives populations and their spikes,
# which are those of the integer program, or says by itself that all is as it should be (None).


def from_nir(case: Case, out: Path) -> None:
    """NIR is of real numbers: the network that is read back spikes as the one that was written."""
    expected, found = run_float(case.net.graph, case.inputs), run_float(load(out), case.inputs)
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes)


def from_images(case: Case, out: Path) -> Found:
    index = json.loads((out / "images.json").read_text())
    images = [(out / name).read_bytes() for name in index["images"]]
    host = (out / index["host_image"]).read_bytes()
    found = mapped.run(images, host, case.inputs, states=False).spikes
    example = module_at(ROOT / "examples" / "read_image.py")
    if any(kinds_of(population) for population in case.program.of_kind(Population)):
        with pytest.raises(KeyError):
            [example.Image(data) for data in images]
    else:
        flat = {name: values.reshape(*values.shape[:2], -1).astype(int) for name, values in case.inputs.items()}
        same(example.run([example.Image(data) for data in [*images, host]], flat), found)
    return found


def from_weights(case: Case, out: Path) -> None:
    index = json.loads((out / "weights.json").read_text())["projections"]
    for entry, node in zip(index, case.program.of_kind(Projection), strict=True):
        rows = code_rows(node.weight, entry["groups"])
        np.testing.assert_array_equal(read_stream((out / entry["file"]).read_bytes()).codes(), rows)


def from_netx(case: Case, out: Path) -> Found:
    """Layers of a .net file have no names: those of the program, in their order."""
    low, high = case.net.graph.of_kind(Input)[0].levels
    graph = load(out, assume={} if (low, high) == (0, 1) else {"levels": f"{low}..{high}"})
    (source,), (values,) = graph.of_kind(Input), case.inputs.values()
    found = run_float(graph, {source.name: values.reshape(*values.shape[:2], *source.shape)}).spikes
    return dict(zip(case.spikes, found.values(), strict=True))


def from_mem(case: Case, out: Path) -> Found:
    flat = {name: values.reshape(*values.shape[:2], -1).astype(int) for name, values in case.inputs.items()}
    found: Found = module_at(ROOT / "examples" / "read_mem.py").run(out, flat)
    return found


RUN_LAVA = """
import json, sys
from pathlib import Path
import numpy as np
from tern2lava.sim.lava.compat import mend_lava
mend_lava()
from tern2lava.sim.lava import stand_alone
from tern2lava.sim.lava.sequential import execute_sequentially

root = Path(sys.argv[1])
for folder in sorted(path for path in root.iterdir() if (path / "network.json").exists()):
    network = stand_alone.read_network(folder)
    with np.load(root / f"{folder.name}.npz") as given:
        rows = [given[each["name"]].astype(np.int32) for each in network["inputs"]]
    samples, steps = rows[0].shape[:2]
    processes, records = stand_alone.build_network(network, rows, samples, steps, lambda core, group: True)
    execute_sequentially(next(iter(processes.values())), stand_alone.lava_steps(network, samples, steps))
    spikes = {}
    for (place, number), found in records.items():
        group = network["cores"][place]["groups"][number]
        whole = spikes.setdefault(group["name"], np.zeros((samples, steps, group["population"]), np.int32))
        whole[:, :, group["place"]] = found
    np.savez(folder / "spikes.npz", **spikes)
"""


@pytest.fixture(scope="module")
def lava_runs(cases: Cases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Lava programs of all features, run one after the other in one child: Lava's process models, without its
    runtime (tests/sim/lava/test_stand_alone.py has some in that)."""
    root = tmp_path_factory.mktemp("lava")
    for number, feature in enumerate(FEATURES):
        if feature not in EXPORTERS.get("lava").refuses:
            api.export(cases[feature].compiled, root / f"{number}", to="lava")
            flat = {name: values.reshape(*values.shape[:2], -1) for name, values in cases[feature].inputs.items()}
            np.savez(root / f"{number}.npz", **flat)  # type: ignore[arg-type]
    subprocess.run([sys.executable, "-c", RUN_LAVA, str(root)], check=True, timeout=300)
    return root


@pytest.fixture(scope="module")
def c_program(cases: Cases, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The C of all features, in one program (tests/export/c/ has sanitisers, potentials and scores)."""
    if GCC is None:
        pytest.skip("gcc is not installed")
    root = tmp_path_factory.mktemp("c")
    programs = {f"feature{number}": cases[feature].program for number, feature in enumerate(FEATURES)}
    for (name, _), feature in zip(programs.items(), FEATURES, strict=True):
        api.export(cases[feature].compiled, root / name, to="c", settings={"prefix": name})
    return compile_folders(programs, root)


READERS: dict[str, Callable[[Case, Path], Found | None]] = {
    "nir": from_nir, "image": from_images, "weights": from_weights, "netx": from_netx, "mem": from_mem,
}  # fmt: skip


def same(found: Found, expected: Found) -> None:
    assert found.keys() == expected.keys()
    for name, spikes in expected.items():
        np.testing.assert_array_equal(found[name].reshape(spikes.shape), spikes)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in ("lava", "c")])
def test_each_format_reads_back_with_the_same_spikes_or_refuses_in_its_words(
    name: str, feature: str, cases: Cases, tmp_path: Path
) -> None:
    case, exporter, out = cases[feature], EXPORTERS.get(name), tmp_path / "out"
    source = case.compiled if exporter.of_bundle else case.net.graph
    if feature in exporter.refuses:
        with pytest.raises(UnsupportedError) as refusal:
            api.export(source, out, to=name)
        assert exporter.refuses[feature] in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert not list(tmp_path.iterdir())
        return
    api.export(source, out, to=name)
    found = READERS[name](case, out)
    if found is not None:
        same(found, case.spikes)


@pytest.mark.parametrize("feature", FEATURES)
def test_the_lava_program_of_each_feature_spikes_as_the_integers(feature: str, cases: Cases, lava_runs: Path) -> None:
    with np.load(lava_runs / str(list(FEATURES).index(feature)) / "spikes.npz") as found:
        same(dict(found), cases[feature].spikes)


@pytest.mark.parametrize("feature", FEATURES)
def test_the_c_of_each_feature_spikes_as_the_integers(feature: str, cases: Cases, c_program: Program) -> None:
    name = f"feature{list(FEATURES).index(feature)}"
    same(c_program.run(name, cases[feature].inputs).spikes, cases[feature].spikes)
    assert c_program.models[name].plan.latency == 0, "docs/c-export.md says that compiled networks have none"


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_written_again_has_the_same_bytes(name: str, cases: Cases, tmp_path: Path) -> None:
    features = [each for each in ("convolution", "bias", "delay") if each not in EXPORTERS.get(name).refuses]
    for feature in features:
        case = cases[feature]
        source = case.compiled if EXPORTERS.get(name).of_bundle else case.net.graph
        written = [api.export(source, tmp_path / f"{feature} {number}", to=name) for number in range(2)]
        first, second = (list(contents(each.out)) for each in written)
        assert first == second
        assert first


def contents(out: Path) -> Iterator[tuple[str, bytes]]:
    """The names and bytes of what was written."""
    for path in sorted(out.rglob("*")) if out.is_dir() else [out]:
        if path.is_file():
            yield (path.relative_to(out).as_posix() if out.is_dir() else "", path.read_bytes())


def test_every_feature_has_a_network_that_spikes_and_every_refusal_is_of_one(cases: Cases) -> None:
    assert list(NETS) == list(FEATURES)
    for exporter in EXPORTERS.registered():
        assert exporter.refuses.keys() <= FEATURES.keys()
    for feature in FEATURES:
        if feature not in ("potentials read", "nearest decays"):
            assert all(0.02 < np.mean(spikes != 0) < 0.98 for spikes in cases[feature].spikes.values()), feature


def test_the_page_has_the_table_of_the_registry() -> None:
    introduction, _, _ = DOCUMENT.read_text("utf-8").partition(HEADING)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        DOCUMENT.write_text(introduction + exports_reference(), encoding="utf-8")
    _, heading, rest = DOCUMENT.read_text("utf-8").partition(HEADING)
    assert heading + rest == exports_reference(), "docs/exports.md: run this test with TERN2LAVA_GOLDEN=write"
    assert len(introduction) > 500


def test_a_refusal_that_the_registry_adds_is_in_the_page() -> None:
    exporter = replace(EXPORTERS.get("weights"), name="other", refuses={"delay": "requires none; found some"})
    with EXPORTERS.added(exporter):
        text = exports_reference()
    assert "| spikes that wait for some steps | requires none; found some |" in text
    assert "| `other` |" in text
