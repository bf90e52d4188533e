"""Shards of samples as Ray tasks, on this machine or on a cluster, as Ray's own configuration says (RAY_ADDRESS)."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from tern2lava.errors import BackendError, Tern2LavaError
from tern2lava.extras import require

Common = TypeVar("Common")
Part = TypeVar("Part")
Result = TypeVar("Result")

# How often a task is run again whose worker died; an exception of the task itself is final.
RETRIES = 3


def map_on_ray(
    function: Callable[[Common, Part], Result], common: Common, parts: Iterable[Part]
) -> Generator[Result, None, None]:
    """function(common, part) of every part, in the order of the parts, each a Ray task on one core.

    `common` travels once to each machine, `function` by its name: tern2lava must be installed there. At most two tasks
    per core wait or run at a time, so that memory holds few parts. A worker that dies costs its own part alone, which
    runs again. Raises MissingPackageError where Ray is absent, what a task raised on purpose (errors.py), and
    BackendError where Ray does not start or a part's workers die again and again. A Ray that was started here is ended.
    """
    ray = _require_ray()
    started = not ray.is_initialized()
    if started:
        # A dashboard is Ray's own; a cluster that is there already has made that choice.
        options = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=False, **options)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise BackendError(f"Ray did not start: {reason}; see RAY_ADDRESS, or leave --engine ray out") from None
    waiting: deque[Any] = deque()
    try:
        task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(answer)
        shared = ray.put(common)
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        for part in parts:
            if len(waiting) >= most:
                yield _result(ray, waiting.popleft())
            waiting.append(task.remote(function, shared, part))
        while waiting:
            yield _result(ray, waiting.popleft())
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        if started:
            ray.shutdown()


@dataclass(frozen=True)
class Refusal:
    """An error that a task raised on purpose: errors that take several arguments do not survive pickling."""

    kind: type[Tern2LavaError]
    text: str
    fields: dict[str, Any]

    def error(self) -> Tern2LavaError:
        error = self.kind.__new__(self.kind, self.text)
        vars(error).update(self.fields)
        return error


def answer(function: Callable[[Common, Part], Result], common: Common, part: Part) -> Result | Refusal:
    """What the function returns, or the error that it raised on purpose."""
    try:
        return function(common, part)
    except Tern2LavaError as error:
        return Refusal(type(error), str(error), dict(vars(error)))


def _result(ray: Any, reference: Any) -> Any:
    try:
        result = ray.get(reference)
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())[:300]
        raise BackendError(f"a shard of samples did not finish on Ray after {RETRIES} retries: {reason}") from None
    if isinstance(result, Refusal):
        raise result.error()
    return result


def _require_ray() -> Any:
    require("ray")
    import ray

    return ray
