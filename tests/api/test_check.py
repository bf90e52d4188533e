"""check says beforehand all that compile would refuse, in its words and its order, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import tern2lava
from archive import save_npz
from command_line import in_process
from nir_trees import chain, sink, source
from tern2lava.errors import Tern2LavaError

Array = NDArray[Any]
PLAIN = "{kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}"
SOUND = f"""\
input: {{shape: [1, 4, 4]}}
steps: 6
readout: spike_count
layers:
  - conv2d: {{tensors: conv, padding: 1}}
  - name: first
    neuron: {PLAIN}
  - maxpool: {{kernel: 2}}
  - dense: {{tensors: fc}}
  - name: second
    neuron: {PLAIN}
"""
POOLED = SOUND.replace(f"  - name: first\n    neuron: {PLAIN}\n", "").replace(
    "  - dense", f"  - name: first\n    neuron: {PLAIN}\n  - dense"
)
SLOW = SOUND.replace("kind: if, threshold: 1.0", "kind: leaky, beta: 0.5, threshold: 1.0", 1)
SUBTRACTS = SOUND.replace("reset: zero", "reset: subtract")


def weights() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    codes = {"conv.weight": (2, 1, 3, 3), "fc.weight": (3, 8)}
    return {name: rng.integers(-1, 2, shape).astype(np.float32) for name, shape in codes.items()} | {
        "real": rng.normal(size=(3, 8)).astype(np.float32)
    }


@pytest.fixture
def net(tmp_path: Path) -> Any:
    """The paths of a checkpoint and of a net.yaml with this text."""

    def write(text: str) -> tuple[Path, Path]:
        save_npz(tmp_path / "net.npz", **weights())
        (tmp_path / "net.yaml").write_text(text if "ignore" in text else f"{text}ignore: [real, fc.weight]\n")
        return tmp_path / "net.npz", tmp_path / "net.yaml"

    return write


def refusal(source: Any, target: str, **options: Any) -> Tern2LavaError | None:
    try:
        tern2lava.compile(source, target, **options)
    except Tern2LavaError as error:
        return error
    return None


def agree(source: Any, target: str, **options: Any) -> tern2lava.api.Check:
    """What check finds, once it is compared with what compile does."""
    options["effort"] = "quick"
    error, found = refusal(source, target, **options), tern2lava.check(source, target, **options)
    assert found.compiles == (error is None)
    if error is not None:
        assert found.findings[0].line == str(error)
        assert found.exit_code == error.exit_code
    return found


@pytest.mark.parametrize("target", ["loihi1", "tiny"])
@pytest.mark.parametrize("text", [SOUND, SLOW, SUBTRACTS])
def test_what_check_passes_compiles_on_each_target_and_what_it_refuses_is_refused(
    net: Any, text: str, target: str
) -> None:
    checkpoint, described = net(text)
    agree(checkpoint, target, net=described)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tensors: conv", "tensors: lost"), ("padding: 1", "padding: 1, strid: 2"), ("[1, 4, 4]", "[2, 4, 4]"),
        ("threshold: 1.0", "threshold: 1.0e-9"), ("spike_count", "loudest"), ("neuron:", "neuron1:"),
        ("  - name: second", "  - dropout\n  - name: second"), ("steps: 6", "steps: 6\noutputs: [first, third]"),
        ("steps: 6", "steps: 6\nignore: []"), ("layers:", "layers: ["),
    ],
)  # fmt: skip
def test_check_and_compile_are_of_one_mind_on_a_net_yaml_with_one_mistake(net: Any, old: str, new: str) -> None:
    checkpoint, described = net(SOUND.replace(old, new, 1))
    agree(checkpoint, "loihi2", net=described)


def test_every_refusal_of_a_net_yaml_is_found_at_once_and_met_once_those_before_it_are_mended(net: Any) -> None:
    text = POOLED.replace("threshold: 1.0", "threshold: -1.0", 1).replace("tensors: fc", "weight: real")
    head, _, tail = text.rpartition("fire: ge")
    text = f"{head}fire: ge, leek: 2{tail}"
    wrong = {
        "a maximum of what conv (Conv2d)": ("  - maxpool: {kernel: 2}\n", "  - avgpool: {kernel: 2}\n"),
        "thresholds of 0 or more": ("threshold: -1.0", "threshold: 1.0"),
        "leek: requires a known key": ("fire: ge, leek: 2", "fire: ge"),
        "a scale times {-1, 0, 1}": ("weight: real", "tensors: fc"),
    }
    for at, said in enumerate(wrong):
        checkpoint, described = net(text)
        found = agree(checkpoint, "loihi2", net=described)
        assert [all(s in f.line for s in [w]) for w, f in zip(list(wrong)[at:], found.findings, strict=True)]
        text = text.replace(*wrong[said])
    checkpoint, described = net(text)
    assert agree(checkpoint, "loihi2", net=described).compiles


def test_rules_speak_of_every_node_and_of_none_that_stands_for_a_refused_one(net: Any) -> None:
    checkpoint, described = net(SUBTRACTS)
    found = agree(checkpoint, "loihi1", net=described)
    assert [finding.where for finding in found.findings] == ["first", "second"]
    assert {finding.exit_code for finding in found.findings} == {3}
    checkpoint, described = net(SUBTRACTS.replace("tensors: fc", "weight: real"))
    found = agree(checkpoint, "loihi1", net=described)
    assert [finding.where for finding in found.findings] == ["real", "first"]
    assert "mapping" in found.unseen[0]


def test_a_layer_that_cannot_stand_is_passed_over_with_what_needs_its_shape(net: Any) -> None:
    checkpoint, described = net(SOUND.replace("tensors: conv", "tensors: lost").replace("reset: zero", "reset: no"))
    found = agree(checkpoint, "loihi2", net=described)
    assert [finding.line.count("lost.weight") for finding in found.findings] == [1, 0, 0]
    assert "whether each tensor has a use" in found.unseen
    assert ["layers[1]" in found.findings[1].where, "layers[4]" in found.findings[2].where] == [True, True]
    assert {"maxpool1", "fc"} <= set(found.unseen)


def test_one_neuron_too_large_for_a_core_is_found_beside_what_is_unsupported(tmp_path: Path) -> None:
    text = (
        "input: {shape: [5000]}\nsteps: 4\nreadout: spike_count\nlayers:\n  - dense: {weight: wide}\n"
        f"  - name: first\n    neuron: {PLAIN}\n  - dense: {{weight: deep}}\n  - name: second\n    neuron: {PLAIN}\n"
    ).replace("reset: zero", "reset: subtract")
    save_npz(tmp_path / "w.npz", wide=np.ones((2, 5000), np.float32), deep=np.eye(2, dtype=np.float32))
    (tmp_path / "w.yaml").write_text(text)
    found = agree(tmp_path / "w.npz", "loihi1", net=tmp_path / "w.yaml")
    assert [(finding.where, finding.kind) for finding in found.findings] == [
        ("first", "unsupported"), ("second", "unsupported"), ("first", "capacity"),
    ]  # fmt: skip
    (tmp_path / "w.yaml").write_text(text.replace("reset: subtract", "reset: zero"))
    found = agree(tmp_path / "w.npz", "loihi1", net=tmp_path / "w.yaml")
    assert (found.exit_code, len(found.findings)) == (4, 1)


def write_tree(path: Path, tree: dict[str, Any]) -> Path:
    def fill(group: Any, part: dict[str, Any]) -> None:
        for key, value in part.items():
            if isinstance(value, dict):
                fill(group.create_group(key), value)
            else:
                texts = isinstance(value, list) and not isinstance(value[0], int)
                group.create_dataset(key, data=value, **({"dtype": h5py.string_dtype()} if texts else {}))

    with h5py.File(path, "w") as file:
        fill(file, tree)
    return path


def test_a_nir_file_is_looked_at_node_by_node(tmp_path: Path) -> None:
    unit = {"r": np.ones(3), "v_threshold": np.ones(3)}
    tree = chain(
        source(4), ("fc", {"type": "Linear", "weight": np.eye(3, 4)}), ("odd", {"type": "Attention", "heads": 2}),
        ("lif", {"type": "IF", **unit, "v_threshold": -np.ones(3)}), sink(3),
    )  # fmt: skip
    found = agree(write_tree(tmp_path / "a.nir", tree), "loihi2")
    assert [finding.where for finding in found.findings] == ["odd", "lif.v_threshold"]
    assert "output" in found.unseen
    tree = chain(
        source(4), ("fc", {"type": "Linear", "weight": np.eye(3, 4)}), ("lif", {"type": "IF", **unit}), sink(3)
    )
    assert agree(write_tree(tmp_path / "b.nir", tree), "loihi2").compiles


def test_the_neurons_of_a_lavadl_file_are_looked_at_behind_an_unknown_layer(tmp_path: Path) -> None:
    cuba = {"type": ["CUBA"], "iDecay": 4096, "vDecay": 128, "vThMant": 10, "refDelay": 1}
    sdnn = {"type": ["SDNN"], "iDecay": 4096, "vDecay": 128, "vThMant": 10, "refDelay": 1}
    layers = [
        {"type": ["dense"], "weight": np.eye(4) * 2, "shape": [4], "neuron": sdnn},
        {"type": ["attention"], "shape": [4]},
        {"type": ["dense"], "weight": np.eye(4), "shape": [4], "neuron": {**sdnn, "type": ["RF"]}},
        {"type": ["dense"], "weight": np.eye(4), "shape": [4], "neuron": cuba},
    ]
    tree = {"layer": {str(at): layer for at, layer in enumerate(layers)}}
    found = agree(write_tree(tmp_path / "a.net", tree), "loihi2")
    assert [(f.where, "SDNN" in f.line, "RF" in f.line) for f in found.findings] == [
        ("dense0", True, False), ("attention1", False, False), ("dense2", False, True),
    ]  # fmt: skip


def test_a_live_module_is_checked_as_it_is_compiled() -> None:
    snntorch = pytest.importorskip("snntorch")
    torch.manual_seed(0)
    linear = nn.Linear(4, 3, bias=False)
    sound = nn.Sequential(linear, snntorch.Leaky(beta=0.5, init_hidden=True))
    options = {"input_shape": (4,), "steps": 5}
    found = agree(sound, "loihi2", **options)
    assert [finding.where for finding in found.findings] == ["0"]
    with torch.no_grad():
        linear.weight.sign_()
    assert agree(sound, "loihi2", **options).compiles


def test_the_command_prints_each_refusal_and_ends_as_compile_would(
    net: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    checkpoint, described = net(SUBTRACTS)
    done = run("check", checkpoint, "--net", described, "-t", "loihi1", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"], told["compiles"], done.stderr) == (3, 3, False, "")
    assert [finding["where"] for finding in told["findings"]] == ["first", "second"]
    done = run("check", checkpoint, "--net", described, "-t", "loihi1")
    assert done.returncode == 3
    assert "2 refusals for loihi1" in done.stdout
    done = run("check", checkpoint, "--net", described, "-t", "loihi2")
    assert (done.returncode, done.stdout) == (0, "net.npz: compiles for loihi2\n")


def test_inspect_tells_what_reading_a_file_would_refuse_and_shows_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    unit = {"r": np.ones(3), "v_threshold": -np.ones(3)}
    odd = {"type": "Attention", "heads": 2}
    fc = {"type": "Linear", "weight": np.eye(3, 4)}
    tree = chain(source(4), ("fc", fc), ("lif", {"type": "IF", **unit}), ("odd", odd), sink(3))
    path = write_tree(tmp_path / "a.nir", tree)
    done = run("inspect", path, "--json")
    told = json.loads(done.stdout)
    found = tern2lava.check(path)
    assert told["refused"] == [finding.line for finding in found.findings]
    assert [finding.where for finding in found.findings] == ["odd", "lif.v_threshold"]
    assert "fc.weight" in [tensor["name"] for tensor in told["tensors"]]
    assert "compile would refuse odd: requires primitives of NIR" in " ".join(run("inspect", path).stdout.split())


def test_calibration_is_taken_into_account_as_compile_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Where no input may overflow, a last bit is too coarse for the reset; these samples need far less.
    wide, steps = 8000, 250
    save_npz(tmp_path / "net.npz", **{"fc.weight": np.ones((1, wide))})
    neuron = "{kind: leaky, beta: 0.9999, threshold: 1.12, reset: subtract, reset_delay: false, fire: ge}"
    text = f"input: {{shape: [{wide}]}}\nsteps: {steps}\nreadout: spike_count\nlayers:\n  - dense: {{tensors: fc}}\n"
    (tmp_path / "net.yaml").write_text(f"{text}  - neuron: {neuron}\n")
    spikes = np.zeros((1, steps, wide), np.uint8)
    spikes[:, ::5, :3] = 1
    save_npz(tmp_path / "train.npz", spikes=spikes)
    save_npz(tmp_path / "short.npz", spikes=spikes[:, :7])
    run = in_process(monkeypatch, capsys)

    def checked(*more: object) -> Any:
        return run("check", tmp_path / "net.npz", "--net", tmp_path / "net.yaml", "-t", "tiny", *more)

    assert checked("--calibrate", tmp_path / "train.npz", "--range", "calibrated").returncode == 0
    done = checked("--calibrate", tmp_path / "short.npz")
    assert (done.returncode, "short.npz" in "".join(done.stdout.split())) == (2, True)
    assert checked("--range", "calibrated").returncode == 2


def test_what_samples_choose_is_not_looked_at_behind_a_refusal(net: Any) -> None:
    checkpoint, described = net(POOLED)
    samples = np.zeros((1, 6, 1, 4, 4), np.uint8)
    found = tern2lava.check(checkpoint, "loihi2", net=described, calibrate=samples)
    assert [finding.line for finding in found.findings] == [
        finding.line for finding in tern2lava.check(checkpoint, "loihi2", net=described).findings
    ]
    assert "the integers that the samples choose" in found.unseen
