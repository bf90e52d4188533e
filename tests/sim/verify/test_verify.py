"""The proof: how many samples each execution ran, what a difference or an interrupt leaves, and shards that add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nodes import arrays_of
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.effort import NORMAL
from tern2lava.errors import BackendError, Interrupted
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.reference import integer
from tern2lava.sim.verify import shard, verify
from tern2lava.sim.verify.shard import amounts
from tern2lava.sim.verify.verify import Proof
from tern2lava.sim.verify.verify import verify as prove

ONE_BY_ONE = replace(NORMAL, shard_values=1)


@pytest.fixture
def data(executable: Executable) -> SpikeData:
    rng = np.random.default_rng(0)
    shape = executable.program.nodes[0].shape  # type: ignore[union-attr]
    return SpikeData(inputs={"x": rng.integers(0, 2, (20, 12, *shape)).astype(np.uint8)}, labels=np.arange(20) % 3)


@pytest.fixture
def shared_child(lava_child: LavaChild, monkeypatch: pytest.MonkeyPatch) -> None:
    """verify runs Lava in the child of all tests, which it must not close."""

    class Lent:
        def __init__(self, preload: tuple[str, ...] = ()) -> None:
            self.run = lava_child.run

        def __enter__(self) -> Lent:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("tern2lava.sim.lava.child.LavaChild", Lent)


def ran(proof: Proof) -> dict[str, int]:
    return {execution.name: execution.samples for execution in proof.executions}


def without_seconds(proof: Proof) -> Proof:
    return replace(proof, executions=tuple(replace(execution, seconds=0.0) for execution in proof.executions))


def test_each_execution_runs_as_many_samples_as_it_says(
    executable: Executable, data: SpikeData, shared_child: None
) -> None:
    effort = replace(NORMAL, sequential_samples=6, runtime_samples=2)
    stages: dict[str, list[tuple[int, int]]] = {}
    proof = prove(
        executable, data, samples=9, timeout=60, effort=effort,
        progress=lambda stage, done, total: stages.setdefault(stage, []).append((done, total)),
    )  # fmt: skip
    assert proof.comparison.equal, str(proof.comparison)
    assert proof.comparison.chain == ("I", "E", "M", "LM", "L2", "L3", "L1")
    assert ran(proof) == {"I": 9, "E": 20, "M": 9, "LM": 1, "L2": 9, "L3": 6, "L1": 2}
    one = integer.run(executable.program, arrays_of(data.first(1).inputs))
    per_sample = 3 * sum(spikes.size for spikes in one.spikes.values())
    values = {execution.name: execution.values // per_sample for execution in proof.executions}
    assert values == {"I": 0, "E": 9, "M": 9, "LM": 1, "L2": 9, "L3": 6, "L1": 2}
    assert proof.comparison.compared_values == 36 * per_sample
    assert (proof.samples, proof.engine_samples) == (9, 20)
    for stage, total in ("Lava's runtime", 2), ("Lava's process models", 6), ("core images in Lava", 9):
        assert stages[stage][0] == (0, total)
        assert stages[stage][-1] == (total, total)


@pytest.mark.parametrize(
    ("mode", "chain"),
    [
        ("stock", {"L1": 7}),
        ("mapped", {"LM": 7}),
        ("fused", {"L2": 7}),
        ("inprocess", {"L3": 7}),
        ("all", {"LM": 7, "L2": 7, "L3": 7, "L1": 7}),
    ],
)
def test_a_lava_mode_runs_what_it_names_on_all_samples(mode: Any, chain: dict[str, int]) -> None:
    assert dict(amounts("lava", mode, 7)) == {"I": 7, "E": 7, "M": 7} | chain


def test_a_process_for_each_core_is_in_the_mixed_mode_up_to_a_number_of_cores() -> None:
    few = dict(amounts("lava", "mixed", 7, cores=NORMAL.mapped_cores))
    many = dict(amounts("lava", "mixed", 7, cores=NORMAL.mapped_cores + 1))
    assert few["LM"] == 1
    assert many == {name: count for name, count in few.items() if name != "LM"}
    assert dict(amounts("lava", "mapped", 7, cores=1000))["LM"] == 7


def test_the_first_difference_names_the_core_and_the_port_that_the_spike_leaves_by(
    executable: Executable, data: SpikeData
) -> None:
    proof = prove(changed(executable), data, backend="reference", samples=1)
    found = proof.comparison.difference
    assert found is not None
    assert proof.comparison.link == "M"
    places = [
        (image.core, port)
        for image in map(decode_core, executable.images)
        for port, group in enumerate(image.groups)
        if group.name == found.population and found.neuron in group.box.flat().tolist()
    ]
    assert len(places) == 1
    assert f", core {places[0][0]}, port spikes_{places[0][1]}: spike" in str(found)


def test_shards_add_up_to_the_proof_of_one_piece(executable: Executable, data: SpikeData) -> None:
    whole = replace(prove(executable, data, backend="reference", samples=17), effort="custom")
    pieces = prove(executable, data, backend="reference", samples=17, effort=ONE_BY_ONE)
    assert without_seconds(pieces) == without_seconds(whole)
    assert whole.accuracy_engine is not None
    assert whole.samples == 17


def changed(executable: Executable) -> Executable:
    """Images of another network: the first weights have the other sign."""
    image = decode_core(executable.images[0])
    block = image.blocks[0]
    weight = frozen(-block.local.weight)
    wrong = replace(image, blocks=(replace(block, local=replace(block.local, weight=weight)), *image.blocks[1:]))
    return replace(executable, images=(encode_core(wrong), *executable.images[1:]))


def test_a_difference_ends_the_proof_and_names_the_sample_of_the_data(executable: Executable, data: SpikeData) -> None:
    quiet = np.zeros_like(data.inputs["x"])
    quiet[5:] = data.inputs["x"][5:]
    silent = SpikeData(inputs={"x": quiet})
    proof = prove(changed(executable), silent, backend="reference", effort=ONE_BY_ONE)
    assert not proof.comparison.equal
    assert proof.comparison.link == "M"
    assert proof.comparison.difference is not None
    assert proof.comparison.difference.sample == 5
    assert proof.samples == 6
    assert proof.accuracy_engine is None


def test_lava_that_dies_is_one_line_and_the_child_is_closed(
    executable: Executable, data: SpikeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    close = LavaChild.close

    def note(self: LavaChild, grace: float = 0.0) -> None:
        closed.append(grace)
        close(self, 0.0)

    monkeypatch.setattr(LavaChild, "close", note)
    with pytest.raises(BackendError, match="did not finish within 0.01 seconds") as caught:
        prove(executable, data, lava_mode="fused", timeout=0.01)
    assert "\n" not in str(caught.value)
    assert closed


def test_an_interrupt_says_what_was_done(
    executable: Executable, data: SpikeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shard.run_shard

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if arguments[2].begin == 3:
            raise KeyboardInterrupt
        return run(*arguments, **more)

    monkeypatch.setattr(verify, "run_shard", interrupted)
    with pytest.raises(Interrupted) as caught:
        prove(executable, data, backend="reference", effort=ONE_BY_ONE)
    text = "interrupted: 3 of 20 samples were done and all executions agree on them (I 3, E 3, M 3)"
    assert str(caught.value) == f"{text}; the report was not changed"
    assert isinstance(caught.value, KeyboardInterrupt)
