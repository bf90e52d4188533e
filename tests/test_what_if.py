"""One network on several targets: each row is what compiling for that target alone gives, with all that was asked."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from nodes import there
from tern2lava import api
from tern2lava.compiler.options import MapOptions, Options

DEMO = Path(str(resources.files("tern2lava.demo")))
NET = {"net": DEMO / "mlp.yaml"}


def test_each_row_is_what_compile_finds_for_the_target_alone() -> None:
    data = {"spikes": np.random.default_rng(0).integers(0, 2, (3, 16, 1, 8, 8)).astype(np.uint8)}
    asked: dict[str, Any] = NET | {"map_options": MapOptions(max_neurons_per_core=9, share_cores=False), "data": data}
    names = ["tiny", "loihi2"]
    rows = api.what_if(DEMO / "mlp.pt", names, **asked)
    assumed = api.what_if(DEMO / "mlp.pt", names, **asked | {"data": None})
    for name, row, guess in zip(names, rows, assumed, strict=True):
        mapped = api.compile(DEMO / "mlp.pt", name, **asked).mapped
        use = mapped.core_use()
        assert (row.target, row.fits, row.reason) == (name, True, None)
        assert (row.cores, row.chips) == (len(use), len({core.chip for core in use}))
        assert row.cores_lower_bound == mapped.cores_lower_bound
        assert row.stored_bits == mapped.partition.used["synapse_bits"].sum()
        assert row.image_bits == 8 * sum(map(len, (*mapped.images, mapped.host_image)))
        assert row.spike_hops == mapped.routing.spike_hops != guess.spike_hops
        assert row.link == mapped.routing.loads.most_loaded_link[0]
        assert row.step == mapped.quality.step
        assert max(core.neurons[0] for core in use) <= 9
    # Where numbers are alike, one could stand for the other.
    assert there(rows[0].chips) < there(rows[0].cores)
    assert there(rows[0].cores_lower_bound) < there(rows[0].cores)
    assert rows[0].step != rows[0].link
    assert rows[0].stored_bits != rows[1].stored_bits


def test_a_target_that_lacks_something_says_so_in_its_row() -> None:
    found = api.what_if(DEMO / "conv.pt", ["loihi1", "loihi2"], net=DEMO / "conv.yaml")
    assert [row.fits for row in found] == [False, True]
    assert "found reset subtract" in there(found[0].reason)


def test_options_of_the_passes_hold_for_every_target(tmp_path: Path) -> None:
    torch.save({"w": torch.sin(torch.arange(24.0)).reshape(4, 6)}, tmp_path / "m.pt")
    (tmp_path / "m.yaml").write_text(
        "input: {shape: [6]}\nsteps: 4\nreadout: spike_count\nlayers:\n  - dense: {weight: w}\n"
        '  - neuron: {kind: if, threshold: 1, reset: zero, reset_delay: false, fire: ">"}\n',
        encoding="utf-8",
    )
    cases: tuple[tuple[Literal["refuse", "int8"], bool], ...] = (("refuse", False), ("int8", True))
    for ternarize, fits in cases:
        rows = api.what_if(
            tmp_path / "m.pt", ["loihi2", "tiny"], options=Options(ternarize=ternarize), net=tmp_path / "m.yaml"
        )
        assert [row.fits for row in rows] == [fits, fits]
