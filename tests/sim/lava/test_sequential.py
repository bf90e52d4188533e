"""The sequential executor: every model once in a step, whatever waits for what; a loop without delay is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tern2lava.errors import BackendError, UnsupportedError
from tern2lava.sim.lava.sequential import ReceivePort, SendPort, Unit, find_order

Values = NDArray[np.int64]


class Model:
    """A model of one step: `act(model)` with `time_step`."""

    def __init__(self, act: Callable[[Any], None]) -> None:
        self.act = act
        self.time_step = 0
        self.log: list[int] = []

    def run_spk(self) -> None:
        self.act(self)


def unit(name: str, act: Callable[[Any], None]) -> Unit:
    made = Unit(name)
    made.model = Model(act)
    return made


def wire(source: Unit, target: Unit) -> tuple[SendPort, ReceivePort]:
    sender = SendPort(f"{source.name}>{target.name}", (1,), np.int64)
    receiver = ReceivePort(f"{source.name}>{target.name}", sender)
    source.senders.append(sender)
    target.receivers.append(receiver)
    return sender, receiver


def one(value: int) -> Values:
    return np.array([value])


def step(units: list[Unit]) -> list[tuple[Unit, bool]]:
    for each in units:
        each.begin_step()
    return find_order(units)


def test_what_sends_before_it_receives_breaks_a_loop_and_delays_by_a_step() -> None:
    """neuron -> connection -> neuron: the connection delivers what it received in the step before, once."""
    neuron = unit("neuron", lambda m: None)
    connection = unit("connection", lambda m: None)
    out, into = wire(neuron, connection)
    back, arrived = wire(connection, neuron)

    def relay(model: Model) -> None:
        back.send(one(model.log[-1] if model.log else 0))
        model.log.append(int(into.recv()[0]))

    def fire(model: Model) -> None:
        model.log.append(int(arrived.recv()[0]))
        out.send(one(10 * model.time_step))

    neuron.model.act, connection.model.act = fire, relay
    order = step([neuron, connection])
    assert [(u.name, ends) for u, ends in order] == [("connection", False), ("neuron", True), ("connection", True)]
    for each in (neuron, connection):
        each.begin_step()
    assert [u.attempt() for u, _ in order] == [ends for _, ends in order]
    assert neuron.model.log == [0, 10]
    assert connection.model.log == [10, 20]
    assert not out.waiting
    assert not back.waiting


def test_what_was_received_before_an_empty_channel_is_given_back() -> None:
    """A model that reads two channels, the second of which comes late, adds both once."""
    early, late, reader = (unit(name, lambda m: None) for name in ("early", "late", "reader"))
    first, from_early = wire(early, reader)
    second, from_late = wire(late, reader)
    early.model.act = lambda m: first.send(one(3))
    late.model.act = lambda m: second.send(one(4))
    reader.model.act = lambda m: m.log.append(int(from_early.recv()[0] + from_late.recv()[0]))
    order = step([early, reader, late])
    assert reader.model.log == [7]
    assert [u.name for u, _ in order] == ["early", "late", "reader"]


def test_processes_that_wait_for_each_other_are_named() -> None:
    left, right, source = (unit(name, lambda m: None) for name in ("LIF left", "LIF right", "source"))
    to_right, from_left = wire(left, right)
    to_left, from_right = wire(right, left)

    def pass_on(receiver: ReceivePort, sender: SendPort) -> Callable[[Any], None]:
        return lambda model: sender.send(receiver.recv())

    left.model.act, right.model.act = pass_on(from_right, to_right), pass_on(from_left, to_left)
    with pytest.raises(UnsupportedError, match="LIF left, LIF right: requires a connection with a delay in every loop"):
        step([source, left, right])


def test_messages_take_the_shape_and_type_of_the_channel_and_are_copies() -> None:
    sender = SendPort("a", (2,), np.int16)
    receiver = ReceivePort("a", sender)
    data = np.array([3, 4])
    sender.send(data)
    data[:] = 0
    message = receiver.recv()
    assert message.dtype == np.int16
    assert message.tolist() == [3, 4]
    with pytest.raises(BackendError, match="shape"):
        sender.send(np.zeros(3))
