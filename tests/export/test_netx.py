"""lava-dl files: the data sets that are written, weights that netx would change, and what only options allow."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from export_nets import NETS, neurons
from nets import variant
from places import ROOT
from tern2lava import api
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.export.netx_weights import netx_keeps
from tern2lava.frontends.load import load

# What netx and Lava make of matrices, as benchmarks/netx.py finds with their own functions.
KEPT = ([[1, 0, -1]], [[254, -256]], [[3, 0, 1]], [[127, -1]], [[64, -64], [0, 64]])
CHANGED = ([[-1, -1]], [[-1, 0]], [[255, -1]], [[-257, 1]], [[0, 0]], [[129, -1]], [[256, 1]])


@pytest.mark.parametrize("weight", [*KEPT, *CHANGED])
def test_the_weights_that_netx_keeps_are_told_from_those_that_it_changes(weight: list[list[int]]) -> None:
    assert netx_keeps(np.array(weight)) == (weight in KEPT)


def written(feature: str, folder: Path, lossy: bool = False) -> dict[str, NDArray[np.int64]]:
    """The data sets of the file for a network, by path."""
    net = NETS[feature]()
    target = variant("loihi2", arithmetic__gain_max_shift=13)
    api.export(api.compile(net.graph, target, options=net.options), folder / "n.net", to="netx", lossy=lossy)
    found: dict[str, NDArray[np.int64]] = {}
    with h5py.File(folder / "n.net") as file:
        file.visititems(lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None)
    return found


def test_a_delay_of_each_synapse_is_a_matrix_beside_the_weights(tmp_path: Path) -> None:
    found = written("delays of synapses", tmp_path)
    weight, delay = found["layer/2/weight"], found["layer/2/delay"]
    assert set(weight[delay == 2]) <= {-1, 1}
    assert not delay[:, 1::2].any()
    assert delay[:, ::2].max() == 2
    assert found["layer/2/type"][0] == b"dense"
    assert "layer/1/delay" not in found
    assert [int(found[f"simulation/{key}"]) for key in ("tSample", "Ts")] == [8, 1]


def test_neurons_that_differ_have_a_number_each_and_a_recurrence_its_own_weights(tmp_path: Path) -> None:
    found = written("thresholds of neurons", tmp_path)
    assert found["layer/1/neuron/vThMant"].tolist() == [1, 1, 1, 2, 1, 1]
    assert found["layer/1/neuron/iDecay"] == 4096
    found = written("recurrence", tmp_path)
    assert found["layer/1/type"][0] == b"dense_rec"
    assert found["layer/1/weight_rec"].shape == (6, 6)


def test_a_convolution_says_its_sizes_and_a_dense_layer_behind_it_is_flattened(tmp_path: Path) -> None:
    found = written("convolution", tmp_path)
    sizes = {key: found[f"layer/1/{key}"].tolist() for key in ("shape", "stride", "padding", "dilation", "groups")}
    assert sizes == {"shape": [6, 3, 6], "stride": [2, 1], "padding": [1, 2], "dilation": [1, 2], "groups": 2}
    assert found["layer/1/weight"].shape == (6, 2, 3, 3)
    assert [found[f"layer/{number}/type"][0] for number in range(4)] == [b"input", b"conv", b"flatten", b"dense"]


def test_scores_are_left_out_where_that_is_allowed(tmp_path: Path) -> None:
    assert written("scores", tmp_path, lossy=True)["layer/1/weight"].shape == (6, 9)


def test_potentials_that_are_read_are_a_layer_without_neurons(tmp_path: Path) -> None:
    found = written("potentials read", tmp_path)
    assert not any(name.startswith("layer/1/neuron") for name in found)
    assert "is summed over the steps" in " ".join(load(tmp_path / "n.net").notes)


def test_weights_that_netx_would_change_are_refused_with_what_keeps_the_network(tmp_path: Path) -> None:
    graph = Graph(
        level=Level.IMPORTED, steps=4,
        nodes=(
            Input(name="x", shape=(3,)), Dense(name="w", inputs=("x",), weight=np.full((2, 3), -1.0)),
            neurons("n", "w", 2, bias=2.0), Output(name="out", inputs=("n",)),
        ),
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"^n: requires weights that netx and Lava keep .*; found weights of -"):
        api.export(api.compile(graph), tmp_path / "n.net", to="netx")
    leaky = NETS["leak"]()
    with pytest.raises(
        UnsupportedError, match=r"found weights of -4,096 to 4,096; compile for a profile .* gain_max_shift 13"
    ):
        api.export(api.compile(leaky.graph), tmp_path / "n.net", to="netx")
    assert not list(tmp_path.iterdir())


def test_the_profile_that_the_page_shows_makes_a_leaky_network_one_that_netx_keeps(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "exports.md").read_text("utf-8")
    profile = text.partition('```yaml title="netx.yaml"\n')[2].partition("```")[0]
    (tmp_path / "netx.yaml").write_text(profile, encoding="utf-8")
    compiled = api.compile(NETS["leak"]().graph, tmp_path / "netx.yaml")
    api.export(compiled, tmp_path / "n.net", to="netx")
    (read,) = load(tmp_path / "n.net").of_kind(Dense)
    assert set(np.unique(read.weight)) == {-128, 0, 128}


def test_a_threshold_for_each_neuron_is_read_and_another_number_of_them_is_not(tmp_path: Path) -> None:
    written("thresholds of neurons", tmp_path)
    (read,) = load(tmp_path / "n.net").of_kind(Neuron)
    np.testing.assert_array_equal(read.threshold, [1, 1, 1, 2, 1, 1])
    with h5py.File(tmp_path / "n.net", "a") as file:
        del file["layer/1/neuron/vThMant"]
        file["layer/1/neuron/vThMant"] = [1, 2]
    with pytest.raises(InputError, match=r"one number of 0 to \d+, or one for each of 6 channels; found \[1, 2\]"):
        load(tmp_path / "n.net")
