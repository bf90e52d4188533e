"""The tables beside a bundle's own report: comparisons, Lava, a difference, files, targets, training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from command_line import Run, in_process
from feature_nets import FEATURES, ternary
from shown import check_shown, check_text
from tern2lava import api
from tern2lava.bundle import Bundle, read_bundle
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.target.rules import support_table
from tern2lava.demo.run import DemoResult, NetResult
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.hw_profiles import load_profile, profile_names
from tern2lava.report.inspection import render_inspection
from tern2lava.report.tables import profile_table, profiles_table, rules_table
from tern2lava.report.terminal import render
from tern2lava.report.training import render_training
from tern2lava.report.what_if import what_if_table

CONSOLE = 80
TARGETS = ("generic-ternary", "hala-point", "kapoho-point", "loihi1", "loihi2", "paicore2", "tiny", "truenorth")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def conv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a convolutional network, its bundle for loihi2, and spikes."""
    folder = tmp_path_factory.mktemp("conv")
    checkpoint, net = FEATURES["kernels"].write(folder)
    api.compile(checkpoint, "loihi2", net=net, out=folder / "build")
    np.savez(folder / "test.npz", spikes=FEATURES["kernels"].spikes(), labels=np.array([0, 1, 2]))
    return folder


def words(run: Run, *arguments: object, code: int = 0) -> str:
    """What a command prints; it must end in `code`, keep within the console and print no number without meaning."""
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (code, ""), done
    if "--json" not in arguments:
        check_text(done.stdout, CONSOLE)
    return done.stdout


def test_the_network_beside_its_8_bit_twins(run: Run, conv: Path) -> None:
    text = words(run, "report", conv / "build", "--compare-bits", "8")
    report = read_bundle(conv / "build").report
    whole = check_shown(render(report))
    assert [row.name for row in report.twins] == ["as compiled", "8 bit, the same zeros", "8 bit, no zeros"]
    for row in report.twins:
        assert row.name in text
        assert row.stored_bits is not None
        assert report.twins[0].stored_bits is not None
        assert row is report.twins[0] or f"({row.stored_bits / report.twins[0].stored_bits:.2f}x)" in whole


def test_twins_that_do_not_fit_say_why(conv: Path) -> None:
    report = read_bundle(conv / "build").report
    fits = {"name": "as compiled", "weight_bits": 2, "cores": 3, "chips": 1, "cores_lower_bound": 2, "stored_bits": 0,
            "image_bits": 8, "reason": None}  # fmt: skip
    out: dict[str, Any] = dict.fromkeys(("cores", "chips", "cores_lower_bound", "stored_bits", "image_bits"))
    twin = {**fits, **out, "name": "8 bit, no zeros", "weight_bits": 8, "reason": "the network: needs 9 cores"}
    model = type(report).model_validate({**report.model_dump(), "twins": [fits, twin, {**fits, "stored_bits": 16}]})
    text = check_shown(render(model))
    assert "does not fit" in text
    assert "8 bit, no zeros: the network: needs 9 cores" in text


def test_one_network_on_all_targets(run: Run, conv: Path) -> None:
    net = ("compile", conv / "net.npz", "--net", conv / "net.yaml")
    text = words(run, *net, "--what-if", ",".join(TARGETS))
    rows = json.loads(words(run, *net, "--what-if", ",".join(TARGETS), "--json"))
    assert [row["target"] for row in rows] == list(TARGETS)
    for row in rows:
        assert row["target"] in text
        assert not row["fits"] or f"{row['stored_bits'] / 8192:,.1f}" in text
    soft = conv / "soft"
    soft.mkdir(exist_ok=True)
    checkpoint, graph = FEATURES["soft reset"].write(soft)
    found = api.what_if(checkpoint, TARGETS, net=graph)
    assert {row.target for row in found if not row.fits} == {"loihi1", "paicore2", "truenorth"}
    text = check_shown(what_if_table("soft", found))
    for each in found:
        assert each.fits or f"{each.target}: {each.reason}" in text
    assert text.count("no, see below") == 3
    words(run, "compile", checkpoint, "--net", graph, "--what-if", "loihi1,truenorth", code=4)


def test_a_proof_in_lava_names_its_processes(run: Run, conv: Path) -> None:
    text = words(run, "verify", conv / "build", "--data", conv / "test.npz", "--full")
    report = read_bundle(conv / "build").report
    assert report.verification is not None
    whole = check_shown(render(report))
    assert {row.node for row in report.verification.processes} >= {"k", "neuron1"}
    for row in report.verification.processes:
        assert row.process in text
        assert row.reason in whole
    for execution in report.verification.executions:
        assert execution.what in whole
    result = DemoResult(
        folder=conv,
        nets=(
            NetResult(name="mlp", report=report, test_samples=3, whole=3, trained_accuracy=1.0, compiled_accuracy=0.5),
        ),
    )
    assert "50.00 %" in check_shown(result.render())


def test_a_difference_is_shown_with_its_place(run: Run, conv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_bundle(conv / "build")
    image = decode_core(whole.executable.images[0])
    block = image.blocks[0]
    wrong = replace(block, local=replace(block.local, weight=frozen(-block.local.weight)))
    images = (encode_core(replace(image, blocks=(wrong, *image.blocks[1:]))), *whole.executable.images[1:])
    broken = replace(whole, executable=replace(whole.executable, images=images))

    def opened(_: Path) -> Bundle:
        return broken

    monkeypatch.setattr("tern2lava.api.opened.read_bundle", opened)
    text = words(run, "verify", conv / "build", "--data", conv / "test.npz", "--backend", "reference", code=1)
    monkeypatch.undo()
    report = read_bundle(conv / "build").report
    assert report.verification is not None
    assert not report.verification.equal
    assert report.verification.first_difference is not None
    assert report.verification.first_difference in check_shown(render(report))
    assert "".join(report.verification.first_difference.split()) in "".join(text.split())
    json.loads(words(run, "report", conv / "build", "--json"), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("labels", [True, False])
def test_a_simulation_says_what_it_ran(run: Run, conv: Path, tmp_path: Path, labels: bool) -> None:
    arrays = dict(np.load(conv / "test.npz"))
    np.savez(tmp_path / "t.npz", **(arrays if labels else {"spikes": arrays["spikes"]}))
    text = words(run, "simulate", conv / "build", "--data", tmp_path / "t.npz")
    assert "3 samples; spikes: neuron1 " in text
    assert ("accuracy" in text) == labels


def safetensors(arrays: dict[str, Any]) -> bytes:
    """A safetensors file: the length of its header, the header, the numbers."""
    header, data = {}, b""
    for name, array in arrays.items():
        kind = {"float64": "F64", "float32": "F32", "int64": "I64"}[array.dtype.name]
        span = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": span}
        data += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def files(folder: Path) -> dict[str, Path]:
    """A file of each format that is inspected."""
    weights = {
        "fc.weight": ternary(4, 6).astype(np.float32), "other": np.sin(np.arange(12.0)).reshape(3, 4),
        "broken": np.array([[np.nan, 1.0]]), "zero": np.zeros((2, 2)), "empty": np.zeros((0, 3)),
        "count": np.array(3), "odd[/b]": np.full((2, 2), 1e3),
    }  # fmt: skip
    result = {name: folder / name for name in ("a.npz", "a.safetensors", "a.pt", "module.pt", "a.nir", "a.net")}
    np.savez(result["a.npz"], **weights)
    result["a.safetensors"].write_bytes(safetensors(weights))
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in weights.items()}, result["a.pt"])
    module = nn.Sequential(nn.Linear(6, 4), snn.Leaky(beta=0.5, init_hidden=True))
    torch.save(module.state_dict(), result["module.pt"])
    one = np.ones(4)
    lif = nir.LIF(tau=one * 1e-3, r=one * 10, v_leak=one * 0, v_threshold=one, v_reset=one * 0)
    nodes = {"input": nir.Input(np.array([6])), "fc": nir.Linear(ternary(4, 6)), "lif": lif,
             "output": nir.Output(np.array([4]))}  # fmt: skip
    nir.write(str(result["a.nir"]), nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), ("lif", "output")]))
    with h5py.File(result["a.net"], "w") as file:
        for index, (kind, fields) in enumerate((("input", {}), ("dense", {"weight": 2 * ternary(4, 6)}))):
            group = file.create_group(f"layer/{index}")
            group["type"] = [kind.encode()]
            group["shape"] = np.array([6 if kind == "input" else 4])
            for key, value in fields.items():
                group[key] = value
            if fields:
                for key, number in (("iDecay", 4096), ("vDecay", 128), ("vThMant", 20), ("refDelay", 1)):
                    group[f"neuron/{key}"] = number
                group["neuron/type"] = b"CUBA"
    return result


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.pt", "module.pt", "a.nir", "a.net"])
def test_a_file_of_each_format_is_inspected(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = files(tmp_path)[name].relative_to(tmp_path)
    text = words(run, "inspect", path)
    found = inspect_file(path)
    whole = check_shown(render_inspection(found))
    assert found.tensors
    for tensor in found.tensors:
        assert tensor.name in whole
        assert "x".join(map(str, tensor.shape)) in whole
    for node in found.wiring:
        assert node in text
    for neuron in found.neurons:
        assert neuron.prefix in text
    json.loads(words(run, "inspect", path, "--json"), parse_constant=lambda name: pytest.fail(name))


def test_targets_and_rules(run: Run) -> None:
    known = [load_profile(name) for name in profile_names()]
    assert [profile.name for profile in known] == list(TARGETS)
    rules = rules_table(support_table(known), list(TARGETS))
    for table, command in ((profiles_table(known), "profiles"), (rules, "rules")):
        whole, text = check_shown(table), words(run, command)
        for name in TARGETS:
            assert name in whole
            assert name in text
        json.loads(words(run, command, "--json"))
    rows = support_table(known)
    text = "".join(check_shown(rules_table(rows, list(TARGETS))).split())
    for row in rows:
        for name in TARGETS:
            assert "".join(row[name].split()) in text


@pytest.mark.parametrize("name", TARGETS)
def test_every_number_of_a_target(run: Run, name: str) -> None:
    profile = load_profile(name)
    whole, text = check_shown(profile_table(profile)), words(run, "profiles", name)
    for key, _, _, kind, source in profile.leaves():
        assert key in whole
        assert source in whole
        assert kind in text


METRICS = {
    "accuracy": 0.9, "nll": 0.31, "brier": 0.1, "ece": 0.02, "entropy": 0.4, "disagreement_over_time": 0.01,
    "spikes_per_sample": 1234.0, "synops_per_sample": 98765.0, "near_threshold": 0.01, "samples": 60,
}  # fmt: skip
STORAGE = {"weights": 1000, "zeros": 0.4, "fp32_bits": 32_000, "ternary_bits": 2000}


@pytest.mark.parametrize(
    ("compiled", "says"),
    [
        (None, "1,000 weights"),
        ({"target": "loihi2", "refused": "the network: needs 9 cores"}, "not compiled: the network: needs 9 cores"),
        ({**METRICS, "target": "loihi2", "stored_bits": 4000, "coded_bits": 2000}, "8.0 times the synaptic memory"),
        ({**METRICS, "target": "loihi2", "stored_bits": 0, "coded_bits": 0}, "1,000 weights"),
    ],
)
def test_the_outcome_of_training(compiled: dict[str, Any] | None, says: str) -> None:
    result = {
        "config": {"data": {"name": "digits"}, "network": {"layers": "4c3-p2-10"}}, "seconds": 12.0,
        "storage": STORAGE, "teacher": METRICS, "model": METRICS, "integer": METRICS, "compiled": compiled,
    }  # fmt: skip
    text = check_shown(render_training(result))
    assert says in text
    assert "98,765" in text
