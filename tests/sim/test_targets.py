"""A small integrate-and-fire network compiles for every target and verifies in Lava from its core images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from tern2lava import api
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import profile_names

NET = """
input: {shape: [24], levels: [0, 1]}
steps: 6
readout: spike_count
layers:
  - dense: {tensors: one}
  - neuron: {kind: if, threshold: 3.0, reset: subtract, reset_delay: false, fire: ">="}
  - dense: {tensors: two}
  - neuron: {kind: if, threshold: 2.0, reset: zero, reset_delay: false, fire: ">="}
"""


def build(folder: Path, target: str, net: str = NET) -> None:
    rng = np.random.default_rng(3)
    codes = {"one.weight": rng.integers(-1, 2, (30, 24)), "two.weight": rng.integers(-1, 2, (5, 30))}
    save_npz(folder / "net.npz", **{name: values.astype(np.float32) for name, values in codes.items()})
    (folder / "net.yaml").write_text(net)
    api.compile(folder / "net.npz", target, net=folder / "net.yaml", out=folder / "build")


@pytest.mark.parametrize("target", [name for name in profile_names() if name != "loihi1"])
def test_a_small_network_verifies_in_lava_on_every_target(target: str, tmp_path: Path) -> None:
    build(tmp_path, target)
    rng = np.random.default_rng(4)
    np.savez(tmp_path / "test.npz", spikes=rng.integers(0, 2, (2, 6, 24)).astype(np.uint8), labels=np.zeros(2, int))
    report = api.verify(tmp_path / "build", tmp_path / "test.npz")
    assert report.verification is not None
    assert report.verification.equal


@pytest.mark.parametrize(
    ("target", "change", "words"),
    [
        ("loihi1", ("", ""), "reset subtract"),
        ("paicore2", ("kind: if,", "kind: leaky, beta: 0.9,"), "a potential that decays by a factor"),
        ("truenorth", ('fire: ">="}\n  - dense', 'fire: ">"}\n  - dense'), "a reset by 3 where the lowest potential"),
    ],
)
def test_what_a_target_lacks_is_named(target: str, change: tuple[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        build(tmp_path, target, NET.replace(*change))
    assert f"{target} allows" in str(caught.value)
