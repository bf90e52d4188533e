import pytest
import torch

from tern2lava.frontends.modules.read import load_module
from tern2lava.hw_profiles import load_profile
from tern2lava.train.chip.answers import answers, largest_fan_in, lowered_for
from tern2lava.train.network import network
from tern2lava.train.ternarize import finalize, ternarize

pytest.importorskip("snntorch")


def test_fan_in_counts_the_synapses_that_are_not_zero_over_what_is_pooled() -> None:
    def build() -> torch.nn.Sequential:
        torch.manual_seed(0)
        return network("3c3-p2-5", (2, 6, 6))

    plain = build()
    plain.load_state_dict(finalize(ternarize(build(), "twn", per="channel", sparsity={"conv1": 0.5, "fc2": 0.8})))
    profile = load_profile("loihi2")
    graph = load_module(plain.eval(), (2, 6, 6), 3, levels=(0, 1), readout="spike_count")
    weights = [plain.state_dict()[f"{name}.weight"] for name in ("conv1", "fc2")]
    rows = [int((weight != 0).flatten(1).sum(1).max()) for weight in weights]
    assert rows == [9, 5]
    # each weight of fc2 reaches the four neurons that are pooled
    assert largest_fan_in(lowered_for(graph, profile).stages["to_integer"]) == max(rows[0], 4 * rows[1]) == 20
    found = answers(graph, profile)
    assert found["fan_in"] == 20
    assert found["cores"] == 1
    assert found["bytes"] > 0
