"""The networks that ship are what their files say: ternary, trained from their experiment, as accurate as is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tern2lava import api
from tern2lava.errors import InputError
from tern2lava.files.json_text import read_json
from tern2lava.zoo import ZOO, ZooNet, chosen
from tern2lava.zoo.compiled import compiled_row
from tern2lava.zoo.nets import TARGETS
from tern2lava.zoo.samples import samples_of

NETS = ZOO.registered()
NAMES = [net.name for net in NETS]
AT_HAND = [net for net in NETS if net.ships or net.group == "digits"]


@pytest.mark.parametrize("net", NETS, ids=NAMES)
def test_the_metrics_are_those_of_the_experiment_file(net: ZooNet) -> None:
    pytest.importorskip("snntorch")
    from tern2lava.train.experiment_file import read_experiment

    metrics = net.metrics()
    with net.files() as files:
        experiment = read_experiment(files.experiment)
    for key, value in experiment.model_dump(exclude_unset=True).items():
        recorded = metrics["config"][key]
        assert recorded == value if not isinstance(value, dict) else recorded.items() >= value.items(), key
    assert metrics["command"] == f"uv run --group dev python benchmarks/zoo.py {net.name}"
    assert set(metrics["made_with"]) == {"torch", "snntorch"}


@pytest.mark.parametrize("net", NETS, ids=NAMES)
def test_every_weight_is_ternary_and_counted(net: ZooNet) -> None:
    with net.files() as files:
        graph = api.load(files.weights, net=files.net)
        assert files.weights.stat().st_size < 300_000
    metrics = net.metrics()
    found = [np.asarray(getattr(node, "weight", 0)) for node in graph.nodes]
    weights = [weight for weight in found if weight.ndim > 1]
    rows = [row for weight in weights for row in weight.reshape(len(weight), -1)]
    assert weights
    assert all(len(np.unique(np.abs(row[row != 0]))) <= 1 for row in rows)
    total = sum(weight.size for weight in weights)
    assert metrics["storage"]["weights"] == total
    assert metrics["storage"]["zeros"] == pytest.approx(sum(int((w == 0).sum()) for w in weights) / total)


@pytest.mark.parametrize("net", AT_HAND, ids=lambda net: net.name)
def test_the_integers_have_the_stated_accuracy_on_the_samples_that_are_at_hand(net: ZooNet) -> None:
    tested = samples_of(net)
    with net.files() as files:
        found = api.simulate(api.compile(files.weights, "loihi2", net=files.net), tested.arrays)
    assert found.accuracy == pytest.approx(tested.accuracy, abs=0.002 if tested.whole == len(tested.labels) else 0.02)
    assert len(tested.labels) >= 100


@pytest.mark.parametrize("net", AT_HAND, ids=lambda net: net.name)
def test_the_trained_network_has_the_stated_accuracy_and_its_net_yaml_describes_it(net: ZooNet) -> None:
    pytest.importorskip("snntorch")
    import torch

    from tern2lava.train.describe import describe
    from tern2lava.train.experiment_file import read_experiment
    from tern2lava.train.network import network
    from tern2lava.train.unroll import unroll

    tested = samples_of(net)
    shape = tested.spikes.shape[2:]
    with net.files() as files:
        experiment, text = read_experiment(files.experiment), files.net.read_text(encoding="utf-8")
        arrays = torch.load(files.weights, weights_only=True) if net.weights == "pt" else dict(np.load(files.weights))
    keys = experiment.network
    model = network(
        keys.layers, shape, neuron=keys.model(), batch_norm=keys.batch_norm, bias=keys.bias, readout=keys.readout
    ).eval()
    model.load_state_dict({name: torch.as_tensor(value) for name, value in arrays.items()})
    with torch.no_grad():
        reading = unroll(model, torch.from_numpy(tested.spikes.swapaxes(0, 1).copy()).float()).reading
    assert float((reading.double().sum(0).argmax(1).numpy() == tested.labels).mean()) == tested.accuracy
    top = int(tested.spikes.max())
    assert text == describe(model, shape, experiment.training.steps, levels=(0, top), readout=keys.readout)


@pytest.mark.parametrize("target", TARGETS)
def test_the_smallest_network_compiles_to_the_numbers_that_are_kept(target: str) -> None:
    net = ZOO.get("mlp")
    (kept,) = [row for row in net.compiled() if row["target"] == target]
    row = compiled_row(net, target)
    assert {key: kept.get(key) for key in row} == row


@pytest.mark.parametrize("net", NETS, ids=NAMES)
def test_what_is_kept_of_targets_meets_the_bars(net: ZooNet) -> None:
    accuracy, rows = net.metrics()["model"]["accuracy"], net.compiled()
    assert [row["target"] for row in rows] == list(TARGETS)
    taken = [row for row in rows if "refused" not in row]
    assert [abs(row["integer_accuracy"] - accuracy) <= 0.002 for row in taken] == [True] * len(taken)
    assert rows[0]["lava"]["equal"]
    assert {"L1", "L2"} <= set(rows[0]["lava"]["executions"])


def test_a_group_is_all_its_networks_and_another_name_is_answered_with_those_there_are() -> None:
    assert [net.name for net in chosen("digits")] == ["mlp", "conv"]
    assert chosen("conv") == (ZOO.get("conv"),)
    with pytest.raises(
        InputError, match=r"net: requires one of digits, .*mlp, conv.*; found cifar; choose one of them"
    ):
        chosen("cifar")


def test_other_data_than_those_trained_on_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = ZOO.get("mlp")
    with net.files() as files:
        changed = read_json(files.metrics)
    changed["data"]["digest"] = "0" * 64
    monkeypatch.setattr(ZooNet, "metrics", lambda self: changed)
    with pytest.raises(InputError, match=r"requires the data of mlp, SHA-256 000000000000; found [0-9a-f]{12}; get"):
        samples_of(net, tmp_path)


def test_a_network_whose_recordings_do_not_ship_asks_for_their_folder() -> None:
    with pytest.raises(InputError, match=r"requires the folder of its files; found none; add --data-dir"):
        samples_of(ZOO.get("spoken-digits"))
