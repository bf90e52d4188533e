"""Executes connected Lava processes to their end, inside the child; a dead Lava process is reported, never awaited."""

from __future__ import annotations

import threading
import time
from multiprocessing.connection import wait
from typing import Any

from tern2lava.sim.lava_child import report_failure
from tern2lava.sim.lava_compat import require_lava


def execute(process: Any, steps: int, models: dict[Any, Any] | None = None) -> None:
    """Nothing; runs `process` and all that is connected to it for `steps` Lava steps in fixed point, then stops it.

    models: Process class -> ProcessModel class that overrides Lava's choice. Each Lava process is an operating
    system process. Where one ends early (an exception, a kill), the parent is told at once, because Lava itself
    would wait for it for ever.
    """
    require_lava()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    process.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models))
    actors = process.runtime._messaging_infrastructure.actors
    finished = threading.Event()
    threading.Thread(target=_watch, args=(actors, finished), daemon=True).start()
    process.run(condition=RunSteps(num_steps=steps))
    finished.set()
    process.stop()


def _watch(actors: list[Any], finished: threading.Event) -> None:
    """Nothing; reports the first actor that ends before `finished` is set, with its exception where it left one."""
    sentinels = {actor.sentinel: actor for actor in actors}
    while not finished.is_set():
        ended = wait(list(sentinels), timeout=0.2)
        if ended and not finished.is_set():
            time.sleep(0.2)
            texts = [_exception_text(sentinels[s]) for s in wait(list(sentinels), timeout=0)]
            report_failure(next((text for text in texts if text), "one of its processes was killed"))
            return


def _exception_text(actor: Any) -> str:
    """`Type: message` of the exception that ended a Lava process model, or an empty text."""
    if not actor._pconn.poll():
        return ""
    try:
        found = actor._pconn.recv()
    except Exception as error:
        return f"an exception that cannot be sent ({error})"
    return "" if found is None else f"{type(found[0]).__name__}: {' '.join(str(found[0]).split())}"
