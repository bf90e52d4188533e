"""inspect --write-net: what a checkpoint says stands in the net.yaml, and what it does not is marked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import tern2lava
from archive import save_npz
from command_line import in_process
from places import ROOT
from tern2lava.compiler.ir.graph import Dense, Input
from tern2lava.errors import InputError
from tern2lava.files.yaml_text import MARK, parse_yaml
from tern2lava.frontends.inspect.draft.text import draft_net
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.frontends.load import load
from tern2lava.sim.reference.real import run_float

Array = NDArray[Any]
ABSMEAN = "round(clip(t('{0}') / mean(abs(t('{0}'))), -1, 1)) * mean(abs(t('{0}')))"
Draft = Callable[..., tuple[Path, str]]


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """(the file, its net.yaml) of a value saved by torch, or of arrays."""

    def write(value: Any = None, **arrays: Array) -> tuple[Path, str]:
        path = tmp_path / ("net.npz" if arrays else "net.pt")
        if arrays:
            save_npz(path, **arrays)
        else:
            torch.save(value, path)
        return path, draft_net(path, inspect_file(path))

    return write


def marks(text: str) -> list[str]:
    """The keys of the marks of a draft, in their order."""
    lines = [line for line in text.splitlines() if MARK in line.partition("#")[0]]
    return [line.partition(":")[0].strip(" -") if ":" in line.partition("#")[0] else "place" for line in lines]


def filled(text: str, *values: str) -> str:
    """A draft with these values in the places of its marks."""
    lines = text.splitlines()
    at = [number for number, line in enumerate(lines) if MARK in line.partition("#")[0]]
    for number, value in zip(at, values, strict=True):
        lines[number] = lines[number].partition("#")[0].replace(MARK, value)
    return "\n".join(lines)


def signs(net: nn.Module) -> None:
    """Give every weight of two axes or more its sign."""
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.sign_()


class Tutorial(nn.Module):
    def __init__(self, grouped: bool = False) -> None:
        super().__init__()
        snn = pytest.importorskip("snntorch")
        names = ("fc1", "fc2", "lif1", "lif2") if grouped else ("fc1", "lif1", "fc2", "lif2")
        sizes = {"fc1": (6, 4), "fc2": (4, 3)}
        for name in names:
            layer = nn.Linear(*sizes[name]) if name in sizes else snn.Leaky(beta=0.5, reset_mechanism="zero")
            self.add_module(name, layer)
        signs(self)


def test_of_a_snntorch_state_dict_only_steps_readout_and_reset_delay_are_marked(draft: Draft) -> None:
    for grouped in (False, True):
        path, text = draft(Tutorial(grouped).state_dict())
        assert marks(text) == ["steps", "readout", "reset_delay", "reset_delay"]
        assert ("behind one layer each" in text) == grouped
        (path.parent / "net.yaml").write_text(filled(text, "5", "spike_count", "true", "false"))
        graph = load(path, path.parent / "net.yaml")
        assert [node.name for node in graph.nodes] == ["input", "fc1", "lif1", "fc2", "lif2", "output"]


def test_a_draft_is_refused_until_its_last_mark_is_filled_in_and_names_each_with_its_line(draft: Draft) -> None:
    path, text = draft(Tutorial().state_dict())
    net = path.parent / "net.yaml"
    net.write_text(text)
    with pytest.raises(InputError) as caught:
        load(path, net)
    for key in ("steps", "readout", "layers[1].neuron.reset_delay", "layers[3].neuron.reset_delay"):
        found = re.search(rf"{re.escape(key)} \(line (\d+)\)", str(caught.value))
        assert found is not None
        assert MARK in text.splitlines()[int(found[1]) - 1]
    net.write_text(filled(text, "5", "spike_count", "true", MARK))
    with pytest.raises(InputError, match=r"found 1 mark: layers\[3\]\.neuron\.reset_delay \(line 2\d\)"):
        load(path, net)


def test_a_pickled_module_says_its_geometry_and_neurons(draft: Draft) -> None:
    jelly = pytest.importorskip("spikingjelly.activation_based")
    from spikingjelly.activation_based import layer, neuron

    assert jelly is not None
    net = nn.Sequential(
        layer.Conv2d(1, 2, 3, padding=1, bias=False), neuron.LIFNode(tau=3.0, v_reset=-0.5), layer.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8, 3, bias=False), neuron.ParametricLIFNode(), nn.Dropout(), nn.Linear(3, 2),
        neuron.IFNode(v_reset=None),
    )  # fmt: skip
    signs(net)
    path, text = draft(net)
    assert marks(text) == ["shape", "steps", "readout"]
    assert "[1, 4, 4] | [1, 5, 5]" in text
    (path.parent / "net.yaml").write_text(filled(text, "[1, 4, 4]", "5", "spike_count"))
    graph = load(path, path.parent / "net.yaml")
    fields = {neuron.name: neuron for neuron in (graph["neuron1"], graph["5"], graph["neuron3"])}
    assert [float(n.reset_value) for n in fields.values()] == [-0.5, 0.0, 0.0]  # type: ignore[union-attr]
    assert [n.reset.value for n in fields.values()] == ["zero", "zero", "subtract"]  # type: ignore[union-attr]
    assert float(fields["neuron1"].alpha_v) == 1 - 1 / 3.0  # type: ignore[union-attr]


def test_a_convolution_of_a_state_dict_marks_its_geometry_and_what_the_numbering_leaves_out(draft: Draft) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Identity(), nn.Flatten(), nn.Linear(32, 4))
    signs(net)
    path, text = draft(net.state_dict())
    assert marks(text) == ["shape", "steps", "readout", "stride", "padding", "place", "place", "neuron"]
    assert "4 takes 2 channels of 16 positions, as 4x4" in text
    gate = "{kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}"
    values = ("[3, 6, 6]", "5", "spike_count", "1", "0", f"neuron: {gate}", "flatten", gate)
    (path.parent / "net.yaml").write_text(filled(text, *values))
    assert len(load(path, path.parent / "net.yaml").nodes) == 8


def test_codes_beside_scales_are_expressions_and_latent_weights_are_marked_with_choices_that_are_read(
    draft: Draft,
) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 2, (4, 6)).astype(np.int8)
    scales = rng.uniform(0.1, 1, 4).astype(np.float32)
    latent = rng.normal(size=(3, 4)).astype(np.float32)
    path, text = draft(**{"a.codes": codes, "a.scale": scales, "b.weight": latent, "b.bias": np.ones(3, np.float32)})
    gate = "{kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}"
    assert marks(text) == ["steps", "readout", "neuron", "weight", "neuron"]
    choices = re.findall(r"#   (\S.*?'b\.weight'.*?)  \w", text)
    assert len(choices) == 4
    scale = np.abs(latent).mean()
    rows = np.abs(latent).mean(axis=1, keepdims=True)
    above = np.abs(latent) > 0.7 * scale
    expected = [
        np.sign(latent) * scale, np.rint(np.clip(latent / scale, -1, 1)) * scale,
        np.rint(np.clip(latent / rows, -1, 1)) * rows,
        np.where(above, np.sign(latent), 0) * np.abs(latent)[above].mean(),
    ]  # fmt: skip
    for choice, weight in zip(choices, expected, strict=True):
        (path.parent / "net.yaml").write_text(filled(text, "5", "spike_count", gate, f'"{choice}"', gate))
        graph = load(path, path.parent / "net.yaml")
        first, second = (node for node in graph.nodes if type(node).__name__ == "Dense")
        np.testing.assert_array_equal(first.weight, codes * scales[:, None])  # type: ignore[union-attr]
        np.testing.assert_allclose(second.weight, weight, rtol=1e-6)  # type: ignore[union-attr]


def test_codes_that_count_from_a_zero_point_are_dequantised_and_other_names_of_a_scale_are_marked(draft: Draft) -> None:
    codes, each = np.eye(4, 6, dtype=np.int8), np.arange(1, 5, dtype=np.float32)
    path, text = draft(**{"a.weight": codes, "a.scale": each, "a.zero_point": np.arange(4)})
    gate = "{kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}"
    assert marks(text) == ["steps", "readout", "neuron"]
    (path.parent / "net.yaml").write_text(filled(text, "5", "spike_count", gate))
    (layer,) = (node for node in load(path, path.parent / "net.yaml").nodes if isinstance(node, Dense))
    np.testing.assert_array_equal(layer.weight, (codes - np.arange(4)[:, None]) * each[:, None])
    _, text = draft(**{"a.weight": codes, "a.delta": each})
    assert marks(text) == ["steps", "readout", "weight", "neuron"]
    assert "# t('a.weight') * reshape(t('a.delta'), [-1, 1])  in double quotes, where a.delta is their scale" in text


def test_a_draft_of_chosen_weights_says_that_compile_must_be_told_of_them_too(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"state_dict": {"fc.weight": torch.eye(3)}, "ema": {"fc.weight": 2 * torch.eye(3)}}, path)
    for weights, said in (("ema", True), (None, False)):
        text = draft_net(path, inspect_file(path, weights), weights)
        assert ('the weights under "ema": give that to check and compile (--weights) too' in text) is said


def test_lists_of_matrices_that_chain_as_in_by_out_are_transposed(draft: Draft) -> None:
    _, text = draft([torch.ones(6, 4), torch.ones(4, 3)])
    assert text.count("transpose: true") == 2
    assert "shape: [6]" in text
    assert marks(text) == ["steps", "readout", "neuron", "neuron"]


def test_biases_are_found_beside_their_weights_and_tensors_without_a_use_are_named_under_ignore(draft: Draft) -> None:
    _, text = draft(w1=np.ones((3, 4)), b1=np.ones(3), w2=np.ones((2, 3)), b2=np.ones(2), odd=np.ones(7))
    assert marks(text)[-1] == "ignore"
    assert 'leave it out here: ["odd"]' in text
    assert [body["dense"] for body in parse_yaml(text, "a").data["layers"] if "dense" in body] == [
        {"weight": "w1", "bias": "b1"}, {"weight": "w2", "bias": "b2"},
    ]  # fmt: skip


def test_a_net_yaml_that_is_there_stays_and_nir_needs_none(
    draft: Draft, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    path, text = draft(Tutorial().state_dict())
    net = path.parent / "net.yaml"
    assert run("inspect", path, "--write-net", net).returncode == 0
    assert net.read_text() == text
    net.write_text("mine")
    done = run("inspect", path, "--write-net", net)
    assert (done.returncode, net.read_text()) == (2, "mine")
    assert "requires a new file" in done.stderr


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder in which the Python blocks of docs/checkpoints.md ran, and their names."""
    for package in ("snntorch", "spikingjelly", "norse"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("recipe")
    text = (ROOT / "docs" / "checkpoints.md").read_text("utf-8").replace('f"{name}.pt"', f'f"{folder}/{{name}}.pt"')
    names: dict[str, Any] = {"__name__": "recipe"}
    torch.manual_seed(1)
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(compile(block, "docs/checkpoints.md", "exec"), names)
    return folder, names


LIF = "{{kind: lif, tau: {}, decay_input: true, threshold: 1.0, reset: zero, reset_delay: false, fire: {}}}"
JELLY, NORSE = LIF.format("2.0", "ge"), LIF.format("10.0", "gt").replace("1.0,", "0.25,")


@pytest.mark.parametrize(
    ("name", "model", "values"),
    [
        ("snntorch", "snntorch_net", [ABSMEAN.format("fc1.weight"), "true", ABSMEAN.format("fc2.weight"), "true"]),
        ("jelly", "jelly", [ABSMEAN.format("0.weight"), f"neuron: {JELLY}", ABSMEAN.format("2.weight"), JELLY]),
        ("norse", "cells", [ABSMEAN.format("0.weight"), f"neuron: {NORSE}", ABSMEAN.format("2.weight"), NORSE]),
    ],
)  # fmt: skip
def test_a_network_of_the_docs_recipe_spikes_as_its_framework_does_once_the_marks_are_filled_in(
    recipe: tuple[Path, dict[str, Any]], name: str, model: str, values: list[str], draft: Draft
) -> None:
    folder, names = recipe
    path = folder / f"{name}.pt"
    text = draft_net(path, inspect_file(path))
    quoted = [f'"{value}"' if value.startswith("round") else value for value in values]
    assert len(marks(text)) == 6
    page = (ROOT / "docs" / "checkpoints.md").read_text("utf-8")
    assert all(value in page for value in ((JELLY,) if name == "jelly" else (NORSE,) if name == "norse" else ()))
    (folder / f"{name}.yaml").write_text(filled(text, "10", "spike_count", *quoted))
    graph = load(path, folder / f"{name}.yaml")
    x = np.random.default_rng(3).random((20, 10, 16)) < 0.7
    live = load(names[model], input_shape=(16,), steps=10)
    compiled = (
        tern2lava.compile(path, "generic-ternary", net=folder / f"{name}.yaml"),
        tern2lava.compile(names[model], "generic-ternary", input_shape=(16,), steps=10),
    )
    own = own_counts(names[model], x)
    assert own.sum() > 20
    for read in (graph, live):
        given = {node.name: x.astype(np.int64) for node in read.of_kind(Input)}
        counts = run_float(read, given, states=False).spikes[read.nodes[-1].inputs[0]].sum(axis=1)
        np.testing.assert_array_equal(counts, own)
    for network in compiled:
        np.testing.assert_array_equal(tern2lava.simulate(network, x.astype(np.uint8)).scores, own)


def own_counts(model: nn.Module, x: Array) -> Array:
    """Spike counts of a framework's own run in float64, on the weights that its layers make in float32, which `model`
    is given."""
    from spikingjelly.activation_based import functional

    functional.reset_net(model)
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "spike_grad"):
                module.spike_grad = lambda v: (v > 0).to(v.dtype)  # type: ignore[assignment]
            if isinstance(module, nn.Linear):
                scale = module.weight.abs().mean()
                module.weight.copy_((module.weight / scale).clamp(-1, 1).round() * scale)
                module.forward = lambda x, m=module: nn.functional.linear(x, m.weight)  # type: ignore[method-assign,misc]
        model = model.double()
        given = torch.from_numpy(x.transpose(1, 0, 2).astype(np.float64))
        if type(model).__name__ == "Net":
            return np.asarray(model(given).numpy())
        if type(model).__name__ == "SequentialState":
            state, counted = None, torch.zeros(())
            for step in given:
                spikes, state = model(step, state)
                counted = counted + spikes
            return np.asarray(counted.numpy())
        return np.asarray(sum(model(step) for step in given).numpy())
