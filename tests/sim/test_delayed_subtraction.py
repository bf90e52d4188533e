"""Subtractions that wait for a step where nothing is kept until then: decays of 0, alone and beside others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archive import save_npz
from tern2lava import api
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.target.rules import neuron_kind
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

STEPS = 16
NET = f"""
input: {{shape: [6]}}
steps: {STEPS}
readout: spike_count
layers:
  - dense: {{weight: w, bias: b}}
  - neuron: {{kind: leaky, beta: beta, threshold: theta, reset: subtract, reset_delay: true, fire: ">"}}
"""
DECAYS = {"all": [0.0], "some": [0.5, 0.0, 0.25, 0.0, 1.0]}


def arrays(beta: list[float]) -> dict[str, NDArray[np.float64]]:
    """Dyadic numbers with few bits: float64 computes with them exactly, and potentials meet their threshold."""
    rng = np.random.default_rng(5)
    return {
        "w": rng.integers(-1, 3, (5, 6)).clip(-1, 1) * 0.5, "b": np.array([0, 0.25, 0.5, -0.25, 0]),
        "beta": np.array(beta), "theta": np.array([0.5, 0.5, 1, 0.75, 1]),
    }  # fmt: skip


def spikes_in(samples: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(6).integers(0, 2, (samples, STEPS, 6)).astype(np.uint8)


def own_spikes(a: dict[str, NDArray[np.float64]], x: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """v = beta v + x - theta s of the step before, as snnTorch's default neuron has it, in float64."""
    v = fired = np.zeros((len(x), 5))
    found = []
    for t in range(STEPS):
        v = a["beta"] * v + x[:, t] @ a["w"].T + a["b"] - a["theta"] * fired
        fired = (v > a["theta"]).astype(float)
        found.append(fired > 0)
    return np.stack(found, axis=1)


def compiled(folder: Path, target: str, beta: list[float], text: str = NET) -> Any:
    save_npz(folder / "net.npz", **arrays(beta))
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    return api.compile(folder / "net.npz", target, net=folder / "net.yaml", out=folder / "build")


@pytest.mark.parametrize("decays", DECAYS)
@pytest.mark.parametrize("target", ["generic-ternary", "loihi2"])
def test_a_delayed_subtraction_spikes_as_its_equations_where_decays_are_0(
    target: str, decays: str, tmp_path: Path
) -> None:
    beta, x = DECAYS[decays], spikes_in()
    bundle = compiled(tmp_path, target, beta)
    own = own_spikes(arrays(beta), x)
    (got,) = api.simulate(bundle, x).trace.spikes.values()
    assert np.array_equal(got.astype(bool), own)
    assert 0.1 < own.mean() < 0.9


def test_every_execution_spikes_alike_and_the_proof_covers_all_inputs(tmp_path: Path, lava_child: LavaChild) -> None:
    found = compiled(tmp_path, "loihi2", DECAYS["all"])
    assert [c.verdict for c in found.lowered.certificates] == [Verdict.EXACT]
    translation = api.prove(found)
    assert translation.proven
    assert translation.arithmetic is not None
    assert [population.proven for population in translation.arithmetic.exact] == [True]
    program, given = found.program, {"input": spikes_in(3)}
    images, host = found.mapped.images, found.mapped.host_image
    executions = {
        "I": integer.run(program, given),
        "E": run_engine(program, given).trace,
        "M": mapped.run(images, host, given),
        "L2": run_cores(images, host, given, child=lava_child, timeout=120).trace,
        "L3": run_stock(program, given, sequential=True, child=lava_child, timeout=120).trace,
    }
    result = compare(executions, program)
    assert result.equal, str(result)


def test_signed_neurons_with_such_a_reset_are_refused_by_their_cause(tmp_path: Path) -> None:
    signed = NET.replace("theta, reset", "theta, threshold_low: -1.0, reset")
    with pytest.raises(UnsupportedError, match=r"found alpha_v 0 in signed neurons; .* changes the network$"):
        compiled(tmp_path, "loihi2", DECAYS["some"], signed)


def test_a_target_without_adaptive_neurons_names_the_subtraction_and_the_decay(tmp_path: Path) -> None:
    (population,) = compiled(tmp_path, "loihi2", DECAYS["all"]).program.of_kind(Population)
    lacking = neuron_kind(load_profile("paicore2"))[1](population)
    assert lacking == "a delayed subtraction with a decay of 0, which takes adaptive ones"
