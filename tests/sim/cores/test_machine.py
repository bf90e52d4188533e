from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.image.core_image import (
    CORE,
    HOST,
    Axons,
    CoreImage,
    Group,
    Route,
    SynapseBlock,
    decode_core,
    encode_core,
)
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError
from tern2lava.sim.cores.machine import CoreMachine, links
from tern2lava.sim.cores.reference import run


def population(name: str, neurons: int, **changed: Any) -> Population:
    values: dict[str, Any] = {
        "decay_u": 4096,
        "decay_v": 0,
        "bias": 0,
        "threshold": 100,
        "reset_amount": 0,
        "v_init": 0,
    }
    values = {key: frozen(value, np.int64) for key, value in values.items()}
    return Population(
        name=name, shape=(neurons,), reset=Reset.ZERO, lsb=frozen(1.0), **{"start": 0, **values, **changed}
    )


def core(delay: int = 0, start: int = 0) -> CoreImage:
    """Two neurons fed by two axons each with weights [[1, 0], [1, -1]] and gain 3."""
    wire = Projection(name="w", weight=frozen([[1, 0], [1, -1]], np.int8), gain=frozen(3, np.int64), delay=delay)
    return CoreImage(
        kind=CORE, core=4, arithmetic=Arithmetic(),
        groups=(Group(name="p", number=1, box=Box.full((2,)), local=population("p", 2, start=start)),),
        axons=(Axons(source=0, box=Box.full((2,)), block=0),),
        blocks=(SynapseBlock(group=0, codec="packed2", local=wire),), routes=(),
    )  # fmt: skip


def host(*routes: Route) -> CoreImage:
    group = Group(name="in", number=0, box=Box.full((2,)), local=None)
    return CoreImage(kind=HOST, core=0, arithmetic=Arithmetic(), groups=(group,), axons=(), blocks=(), routes=routes)


ROUTE = Route(group=0, core=4, axons=0, box=Box.full((2,)))


def potentials(image: CoreImage, arriving: list[list[int]], steps: int | None = None) -> list[list[int]]:
    machine = CoreMachine(decode_core(encode_core(image)), steps=steps)
    result = []
    for t, row in enumerate(arriving, start=1):
        machine.step(t, np.array([row]))
        result.append(machine.v[0].tolist())
    return result


def test_a_spike_adds_code_times_gain_in_the_step_in_which_it_arrives() -> None:
    assert potentials(core(), [[1, 0], [0, 1], [1, 1], [0, 0]]) == [[3, 3], [3, 0], [6, 0], [6, 0]]


def test_a_delayed_spike_waits_that_many_steps_more() -> None:
    arriving = [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert potentials(core(delay=2), arriving) == [[0, 0], [0, 0], [3, 3], [3, 0], [3, 0]]


def test_a_group_rests_outside_its_window_but_delayed_spikes_move_on() -> None:
    ones = [[1, 0]] * 5
    assert potentials(core(start=2), ones) == [[0, 0], [0, 0], [3, 3], [6, 6], [9, 9]]
    assert potentials(core(start=2), ones, steps=2) == [[0, 0], [0, 0], [3, 3], [6, 6], [6, 6]]
    single = [[1, 0], [0, 0], [0, 0], [0, 0]]
    assert potentials(core(start=2, delay=2), single) == [[0, 0], [0, 0], [3, 3], [3, 3]]


def test_graded_values_are_multiplied() -> None:
    assert potentials(core(), [[5, -2]]) == [[15, 21]]


def test_samples_of_a_batch_do_not_mix() -> None:
    machine = CoreMachine(core(), batch=3)
    spikes = machine.step(1, np.array([[1, 0], [0, 0], [40, 0]]))
    assert machine.v.tolist() == [[3, 3], [0, 0], [0, 0]]
    assert machine.u.tolist() == [[3, 3], [0, 0], [120, 120]]
    assert spikes.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert spikes.dtype == np.int8


def test_links_name_the_neuron_and_the_axon_of_every_spike() -> None:
    part = Route(group=0, core=4, axons=0, box=Box.full((2,)))
    (link,) = links([core(), host(part)])
    assert (link.source, link.target) == (1, 0)
    assert link.neuron.tolist() == link.axon.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (replace(ROUTE, core=5), "no image has"),
        (replace(ROUTE, axons=1), "no image has"),
        (replace(ROUTE, box=Box((2,), (0,), (1,))), "another population or range"),
    ],
)
def test_a_route_to_nowhere_is_refused(route: Route, why: str) -> None:
    with pytest.raises(InputError, match=why):
        links([core(), host(route)])


def test_two_images_for_one_core_are_refused() -> None:
    with pytest.raises(InputError, match="two images for one core"):
        links([core(), core(), host(ROUTE)])


def test_a_run_records_each_population_over_its_own_window() -> None:
    inputs = {"in": np.array([[[1, 0], [0, 0], [0, 1], [1, 1]]])}
    for start, expected in ((0, [[0, 0], [3, 3], [3, 3], [3, 0]]), (1, [[3, 3], [3, 3], [3, 0], [6, 0]])):
        trace = run([encode_core(core(start=start))], encode_core(host(ROUTE)), inputs)
        assert trace.v["p"][0].tolist() == expected
        assert not trace.spikes["p"].any()
        assert run([encode_core(core())], encode_core(host(ROUTE)), inputs, states=False).v == {}


def test_a_host_image_is_no_core() -> None:
    with pytest.raises(InputError, match="host image"):
        run([encode_core(host(ROUTE))], encode_core(host(ROUTE)), {"in": np.zeros((1, 2, 2), np.int64)})
