"""Jobs for the child that go wrong in every way a Lava run can; the tests put this folder on the search path."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing import resource_tracker, shared_memory
from typing import Any

from tern2lava.sim.lava.run import Window
from tern2lava.sim.lava.runtime import execute
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, SharedArrays


def count(payload: int, shared: SharedArrays) -> None:
    """Succeeds: fills the array with the payload."""
    shared["values"][:] = payload
    shared[STEPS_DONE][0] = 1


def raise_at_once(payload: str, shared: SharedArrays) -> None:
    raise ValueError(payload)


def die(payload: int, shared: SharedArrays) -> None:
    print("out of memory, said the child", file=sys.stderr, flush=True)
    os.kill(os.getpid(), payload)


def report_process(payload: None, shared: SharedArrays) -> None:
    """Leaves the child's process number and hangs."""
    shared["values"][0] = os.getpid()
    time.sleep(600)


def leave_children(payload: None, shared: SharedArrays) -> None:
    """Succeeds, but leaves a process of its own behind."""
    number = os.fork()
    if number == 0:
        time.sleep(600)
        os._exit(0)
    shared["values"][0] = number


def leave_shared_memory(payload: None, shared: SharedArrays) -> None:
    """Makes shared memory that nothing tracks, notes whether its name is the run's, and dies."""
    segment = shared_memory.SharedMemory(create=True, size=64)
    resource_tracker.unregister(f"/{segment.name}", "shared_memory")
    shared["values"][0] = segment.name.startswith(sys.argv[3]) and os.path.exists(f"/dev/shm/{segment.name}")
    os.kill(os.getpid(), signal.SIGKILL)


def run_network(payload: str, shared: SharedArrays) -> None:
    """A source and one of our neurons in Lava, in which one process misbehaves in step 3 as `payload` says."""
    execute(misbehaving_network(payload, shared), 9)


def run_in_sequence(payload: str, shared: SharedArrays) -> None:
    """The same without Lava's runtime."""
    from tern2lava.sim.lava.sequential import execute_sequentially

    execute_sequentially(misbehaving_network(payload, shared), 9)


def run_a_loop_without_delay(payload: None, shared: SharedArrays) -> None:
    """Two of Lava's neurons that read each other's spikes in the same step."""
    from tern2lava.sim.lava.compat import require_lava
    from tern2lava.sim.lava.sequential import execute_sequentially

    require_lava()
    from lava.proc.lif.process import LIF

    left, right = LIF(shape=(2,), name="left"), LIF(shape=(2,), name="right")
    left.s_out.connect(right.a_in)
    right.s_out.connect(left.a_in)
    execute_sequentially(left, 3)


def report_memory(payload: None, shared: SharedArrays) -> None:
    """Leaves the bytes of memory that the child holds."""
    with open("/proc/self/statm") as file:
        shared["values"][0] = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def misbehaving_network(payload: str, shared: SharedArrays) -> Any:
    import numpy as np

    from tern2lava.sim.lava.procs.spikes import PySpikeDelay, SpikeDelay, SpikeSource

    def misbehave(self: Any) -> None:
        self.s_out.send(self.waiting[0])
        self.s_in.recv()
        if self.time_step == 3 and payload == "raise":
            raise ZeroDivisionError("neuron 7 divided by its own shadow")
        if self.time_step == 3 and payload == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.time_step == 3 and payload == "hang":
            time.sleep(600)

    setattr(PySpikeDelay, "run_spk", misbehave)  # noqa: B010
    window = Window(samples=1, steps=9, period=9, start=0)
    source = SpikeSource(rows=np.zeros((1, 9, 4), np.uint8), window=window, steps_done=shared[STEPS_DONE])
    first, second = SpikeDelay(neurons=4, delay=1), SpikeDelay(neurons=4, delay=1)
    source.s_out.connect(first.s_in)
    first.s_out.connect(second.s_in)
    return source
