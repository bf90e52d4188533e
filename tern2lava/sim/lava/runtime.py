"""Executes connected Lava processes to their end, inside the child; a dead Lava process is reported, never awaited."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from typing import Any

from tern2lava.compiler.ir.shapes import Array
from tern2lava.sim.lava.child_main import report_failure
from tern2lava.sim.lava.compat import require_lava

# Messages a channel holds. Lava's default is 64, which for wide populations fills a container's /dev/shm; all processes
# meet at a barrier in every step, so a channel never holds more than one.
CHANNEL_SLOTS = 4

# Models by class of process, as Lava found them.
_MODELS: dict[type, list[Any]] = {}

Observer = Callable[[Any, Array], None]


def preload() -> None:
    """Import what every run in Lava needs. Raises MissingPackageError where Lava is absent."""
    require_lava()
    for name in (
        "lava.magma.compiler.compiler", "lava.magma.core.run_configs", "lava.magma.runtime.runtime",
        "tern2lava.sim.lava.network", "tern2lava.sim.lava.procs.neuron",
    ):  # fmt: skip
        importlib.import_module(name)


def execute(process: Any, steps: int, observers: Mapping[Any, Observer] | None = None) -> None:
    """Run `process` and all that is connected to it for `steps` Lava steps in fixed point, then stop it.

    observers: per neuron process, what is called with its model and its spikes in every step (see `observe`).
    Each Lava process is an operating system process. Where one ends early (an exception, a kill), the parent is told
    at once, because Lava itself would wait for it for ever.
    """
    require_lava()
    from lava.magma.core.run_conditions import RunSteps

    executable = compile_network(process)
    for observed, observer in (observers or {}).items():
        observe(executable.proc_builders[observed], observer)
    process.create_runtime(executable=executable)
    actors = process.runtime._messaging_infrastructure.actors
    finished = threading.Event()
    threading.Thread(target=_watch, args=(actors, finished), daemon=True).start()
    try:
        process.run(condition=RunSteps(num_steps=steps))
    except RuntimeError:
        # Lava says no more than that there were exceptions.
        report_failure(_exception_text(actors))
        raise
    finished.set()
    process.stop()
    forget_processes()


def compile_network(process: Any) -> Any:
    """Lava's executable of `process` and all that is connected to it, in fixed point.

    Lava looks for the models of each class of process once: by itself it executes all files beside the class again for
    every single process, which takes more than all the rest.
    """
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.magma.core.run_configs import Loihi2SimCfg

    find = ProcGroupDiGraphs._find_proc_models

    def find_once(proc: Any) -> list[Any]:
        if type(proc) not in _MODELS:
            _MODELS[type(proc)] = find(proc)
        return list(_MODELS[type(proc)])

    ProcGroupDiGraphs._find_proc_models = staticmethod(find_once)
    try:
        return process.compile(Loihi2SimCfg(select_tag="fixed_pt"), {"pypy_channel_size": CHANNEL_SLOTS})
    finally:
        ProcGroupDiGraphs._find_proc_models = staticmethod(find)


def forget_processes() -> None:
    """Make Lava forget every process it knows; it never does so itself, so each run would leave its arrays behind."""
    from lava.magma.core.process.process import ProcessServer
    from lava.magma.core.process.variable import VarServer

    ProcessServer().processes = []
    VarServer().vars = []
    gc.collect()


def observe(builder: Any, observer: Observer) -> None:
    """Have the model that `builder` will build call `observer` whenever it sends its spikes.

    Sending is the last thing that a step of Lava's LIF models does, so u and v are then those after the step. The
    model's own code is executed as it is; reading u and v through Lava (Var.get, a RefPort in the management phase)
    gives the same values at a multiple of the time of a step.
    """
    build = builder.build

    def build_observed() -> Any:
        model = build()
        send = model.s_out.send

        def send_observed(spikes: Array) -> None:
            observer(model, spikes)
            send(spikes)

        model.s_out.send = send_observed
        return model

    builder.build = build_observed


def _watch(actors: list[Any], finished: threading.Event) -> None:
    """Report when an actor ends before `finished` is set, with its exception where it left one."""
    sentinels = [actor.sentinel for actor in actors]
    while not finished.is_set():
        if wait(sentinels, timeout=0.2) and not finished.wait(0.3):
            report_failure(_exception_text(actors))
            return


def _exception_text(actors: list[Any]) -> str:
    """`Type: message` of the first exception that ended a Lava process model."""
    for actor in actors:
        with contextlib.suppress(Exception):
            if actor.exception is not None:
                error, _ = actor.exception
                return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "one of its processes was killed"
