"""Executes connected Lava processes one after the other in one operating system process: no fork, no barrier.

Lava's process models are built by Lava's own builders and run as they are; only what lies between them is ours:
channels are queues in memory. In a step each model runs once all that it receives has been sent. A connection model
first sends what it summed in the step before and then receives: it is tried up to its first empty channel and later run
again, the sends that were made being left out. What a model does in front of a receive must therefore bear repetition;
that is so for the neurons and connections of lava-nc 0.10 (LIF and its kin, Dense, DelayDense, Sparse, Conv) and ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import BackendError, UnsupportedError
from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.runtime import Observer, compile_network, forget_processes, observe


class NotSentError(Exception):
    """A model wants to receive what has not been sent yet."""


class SendPort:
    """The sending end of a channel. Messages take the channel's shape and type, as in Lava's shared memory."""

    def __init__(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        self.name, self.shape, self.dtype = name, shape, dtype
        self.waiting: deque[Array] = deque()
        self.sent = self.skip = 0

    def send(self, data: Array) -> None:
        if self.skip:
            self.skip -= 1
            return
        if data.shape != self.shape:
            raise BackendError(f"port {self.name}: a message of shape {data.shape}, expected {self.shape}")
        message = np.empty(self.shape, self.dtype)
        message[...] = data
        self.waiting.append(message)
        self.sent += 1


class ReceivePort:
    """The receiving end of a channel."""

    def __init__(self, name: str, sender: SendPort) -> None:
        self.name, self.waiting = name, sender.waiting
        self.taken: list[Array] = []

    def probe(self) -> bool:
        return bool(self.waiting)

    def peek(self) -> Array:
        if not self.waiting:
            raise NotSentError
        return self.waiting[0]

    def recv(self) -> Array:
        message = self.peek()
        self.taken.append(self.waiting.popleft())
        return message


class Unit:
    """A process model with the ends of the channels that it uses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model: Any = None
        self.senders: list[SendPort] = []
        self.receivers: list[ReceivePort] = []

    def begin_step(self) -> None:
        """Begin a new step, in which nothing has been sent or received yet."""
        self.model.time_step += 1
        for sender in self.senders:
            sender.sent = 0
        for receiver in self.receivers:
            receiver.taken.clear()

    def attempt(self) -> bool:
        """Whether the model came to the end of its step. If not, nothing is received, but what it sent is sent."""
        for sender in self.senders:
            sender.skip = sender.sent
        try:
            self.model.run_spk()
        except NotSentError:
            for receiver in self.receivers:
                while receiver.taken:
                    receiver.waiting.appendleft(receiver.taken.pop())
            return False
        return True


def execute_sequentially(process: Any, steps: int, observers: Mapping[Any, Observer] | None = None) -> None:
    """Run `process` and all that is connected to it as sim.lava.runtime.execute does, but without Lava's runtime.

    Raises UnsupportedError, with their names, for processes that wait for each other within a step, and for models that
    act outside the spiking phase.
    """
    require_lava()
    executable = compile_network(process)
    for observed, observer in (observers or {}).items():
        observe(executable.proc_builders[observed], observer)
    units = list(build_units(executable).values())
    order: list[tuple[Unit, bool]] = []
    for _ in range(steps):
        for unit in units:
            unit.begin_step()
        if not order:
            order = find_order(units)
            continue
        for unit, ends in order:
            if unit.attempt() is not ends:
                raise BackendError(f"{unit.name} receives in another order than in its first step")
    forget_processes()


def build_units(executable: Any) -> dict[Any, Unit]:
    """By process, every process model of a compiled Lava executable, built as lava.magma.runtime does, but connected by
    queues."""
    from lava.magma.compiler.channels.interfaces import ChannelType
    from lava.magma.core.model.py.model import PyLoihiProcessModel
    from lava.magma.core.process.ports.ports import create_port_id

    builders = executable.proc_builders
    units = {process: Unit(f"{type(process).__name__} {process.name}") for process in builders}
    for channel in executable.channel_builders:
        if channel.channel_type is not ChannelType.PyPy:
            raise UnsupportedError(str(channel.src_process.name), "channels of Python models", "another", "use stock")
        source, target = channel.src_port_initializer, channel.dst_port_initializer
        sender = SendPort(source.name, tuple(source.shape), source.d_type)
        receiver = ReceivePort(target.name, sender)
        units[channel.src_process].senders.append(sender)
        units[channel.dst_process].receivers.append(receiver)
        builders[channel.src_process].set_csp_ports([sender])
        builders[channel.dst_process].set_csp_ports([receiver])
        came_from = create_port_id(channel.src_process.id, source.name)
        builders[channel.dst_process].add_csp_port_mapping(came_from, receiver)
    for process, builder in builders.items():
        unit = units[process]
        unit.model = builder.build()
        for guard in ("pre_guard", "lrn_guard", "post_guard"):
            if getattr(type(unit.model), guard) is not getattr(PyLoihiProcessModel, guard):
                raise UnsupportedError(
                    unit.name, "models that act in the spiking phase alone", f"a {guard}", "run it in Lava's runtime"
                )
    return units


def find_order(units: list[Unit]) -> list[tuple[Unit, bool]]:
    """The order of one step, which it executes: units, and whether each comes to its end or only sends.

    Raises UnsupportedError where some wait for each other.
    """
    order, waiting = advance(units)
    if waiting:
        names = ", ".join(sorted(unit.name for unit in waiting))
        raise UnsupportedError(
            names, "a connection with a delay in every loop", "processes that wait for each other for ever",
            "put a connection (Dense, Sparse, Conv) between them",
        )  # fmt: skip
    return order


def advance(units: list[Unit]) -> tuple[list[tuple[Unit, bool]], list[Unit]]:
    """Execute one step as far as it goes: the order, as of find_order, and the units that still wait."""
    order: list[tuple[Unit, bool]] = []
    waiting = list(units)
    while waiting:
        before = len(order)
        still = []
        for unit in waiting:
            sent = sum(sender.sent for sender in unit.senders)
            ends = unit.attempt()
            if ends or sum(sender.sent for sender in unit.senders) > sent:
                order.append((unit, ends))
            if not ends:
                still.append(unit)
        waiting = still
        if len(order) == before:
            break
    return order, waiting
