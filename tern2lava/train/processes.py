"""A function of several arguments at once, each in a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from tern2lava.errors import BackendError
from tern2lava.sim.verify.ray import Refusal, answer

Common = TypeVar("Common")
Part = TypeVar("Part")
Result = TypeVar("Result")


def map_on_processes(
    function: Callable[[Common, Part], Result], common: Common, parts: Iterable[Part], workers: int
) -> Generator[tuple[Part, Result], None, None]:
    """(part, function(common, part)) of every part as it is done, at most `workers` of them at a time.

    Each runs in a fresh process, which an interruption of this one ends. Raises what the function raised on purpose
    (errors.py), and BackendError where a process died; then the others are ended too.
    """
    context, waiting = get_context("spawn"), list(parts)
    running: dict[Connection, tuple[Any, Part]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                part = waiting.pop(0)
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_answer, args=(there, function, common, part), daemon=True)
                process.start()
                there.close()
                running[here] = process, part
            for here in map(_connection, wait(list(running))):
                process, part = running[here]
                try:
                    result = here.recv()
                except EOFError:
                    process.join()
                    raise BackendError(
                        f"the process for {part} died with exit code {process.exitcode}; give the same command again, "
                        "with fewer --workers where memory was short"
                    ) from None
                process.join()
                del running[here]
                if isinstance(result, Refusal):
                    raise result.error()
                yield part, result
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


def _answer(connection: Connection, function: Callable[[Any, Any], Any], common: Any, part: Any) -> None:
    """Sends what the function returns. Ctrl-C reaches all processes of a terminal: the one above ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection.send(answer(function, common, part))
    connection.close()


def _connection(ready: object) -> Connection:
    """What is ready, which is one of the connections waited for."""
    assert isinstance(ready, Connection)
    return ready
