import numpy as np
import pytest
import torch

from tern2lava.compiler.ir.graph import Arithmetic
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.readout import running_scores, scores
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.train.data import digits, limit
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import evaluate, evaluate_program
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.ternarize import finalize, ternarize
from tern2lava.train.trainer import TrainingOptions, logits_of
from tern2lava.train.unroll import unroll

OPTIONS = TrainingOptions(steps=5, epochs=1)


def ternary_network(readout: str) -> torch.nn.Sequential:
    def build() -> torch.nn.Sequential:
        torch.manual_seed(3)
        return network("20-10", (1, 8, 8), neuron=NeuronModel(threshold=0.5), readout=readout)

    plain = build()
    plain.load_state_dict(finalize(ternarize(build(), "twn")))
    return plain.eval()


def test_a_membrane_readout_sums_the_last_layer_potentials_that_no_spike_resets() -> None:
    model = ternary_network("membrane_sum")
    x = (torch.rand(5, 3, 1, 8, 8) < 0.4).float()
    with torch.no_grad():
        activity = unroll(model, x)
        mem, sums = torch.zeros(3, 10), torch.zeros(3, 10)
        for hidden in activity.spikes["lif1"]:
            mem = 0.9375 * mem + hidden @ model[3].weight.T
            sums += mem
    torch.testing.assert_close(logits_of(activity, 2.0), 2.0 * sums / 5)
    assert activity.firing == ["lif1"]


def test_the_graph_and_its_integers_give_the_scores_that_training_saw() -> None:
    model, data = ternary_network("membrane_sum"), limit(digits(), 10, 40)
    seen = evaluate(model, data, OPTIONS)
    graph = load(model, input_shape=data.shape, steps=5, readout="membrane_sum")
    x = encode(data.test_x, 5, method="rate", top=data.top)
    trace = run_float(graph, {"input": x})
    np.testing.assert_allclose(scores(graph, trace), seen.scores[:, -1], atol=1e-5)
    np.testing.assert_allclose(running_scores(graph, trace), seen.scores, atol=1e-5)
    program = lower(graph, Arithmetic(**load_profile("loihi2").arithmetic_values())).program
    found = evaluate_program(program, integer.run, data, OPTIONS)
    np.testing.assert_allclose(found.scores, seen.scores, atol=0.02)
    assert np.ptp(seen.scores) > 0.5


def test_a_running_score_needs_a_readout_that_sums() -> None:
    model = ternary_network("membrane_sum")
    graph = load(model, input_shape=(1, 8, 8), steps=2, readout="membrane_max")
    trace = run_float(graph, {"input": np.zeros((1, 2, 1, 8, 8), np.uint8)})
    with pytest.raises(UnsupportedError, match="membrane_sum"):
        running_scores(graph, trace)


def test_an_unknown_readout_is_refused() -> None:
    with pytest.raises(InputError, match="membrane_sum"):
        network("10", (4,), readout="votes")
