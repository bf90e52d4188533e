"""What is refused, collected instead of raised: `check` asks for all of it, through the rules that `compile` stops at.

A rule raises, as ever. What holds the items that it looks at one by one (layers, nodes, neurons) lets each stand
`alone`: where nothing is collected, its error goes on its way; where something is, it is kept and the next follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from tern2lava.errors import CapacityError, InputError, Tern2LavaError, UnsupportedError

REFUSALS = (InputError, UnsupportedError, CapacityError)


class UnseenError(Tern2LavaError):
    """What cannot be looked at, since something before it was refused; raised within a collection alone."""


class Findings:
    """refused: the errors, in the order in which they were met, so that the first is the one that stops `compile`.
    unseen: names of what was not looked at. replaced: names of nodes that others stand for: rules say nothing of
    them."""

    def __init__(self) -> None:
        self.refused: list[Tern2LavaError] = []
        self.unseen: list[str] = []
        self.replaced: set[str] = set()

    def add(self, error: Tern2LavaError) -> None:
        """Keep `error`, unless it is one that is there already or speaks of a node that another stands for."""
        if isinstance(error, UnseenError):
            if str(error) not in self.unseen:
                self.unseen.append(str(error))
        elif str(error) not in map(str, self.refused) and named(error).partition("[")[0] not in self.replaced:
            self.refused.append(error)


_COLLECTED: ContextVar[Findings | None] = ContextVar("findings", default=None)


@contextmanager
def collecting() -> Iterator[Findings]:
    """What the parts within refuse."""
    token = _COLLECTED.set(Findings())
    try:
        found = _COLLECTED.get()
        assert found is not None
        yield found
    finally:
        _COLLECTED.reset(token)


@contextmanager
def stopping() -> Iterator[None]:
    """Within, the first refusal is raised again: for what is only tried, as other targets for a hint are."""
    token = _COLLECTED.set(None)
    try:
        yield
    finally:
        _COLLECTED.reset(token)


class alone:  # noqa: N801 (a context manager, read as a word)
    """One item of several that are looked at one by one. name: what is said not to be looked at where the item was
    refused; refused: whether it was."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.refused = False

    def __enter__(self) -> alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        found = _COLLECTED.get()
        if found is None or not isinstance(error, (*REFUSALS, UnseenError)):
            return False
        found.add(UnseenError(self.name) if isinstance(error, UnseenError) and self.name else error)
        self.refused = True
        return True


def replaced(name: str) -> None:
    """Say that another node stands for `name`, of which a rule would speak in vain from here on."""
    found = _COLLECTED.get()
    if found is not None:
        found.replaced.add(name)


def any_refused() -> bool:
    """Whether something is collected and was refused."""
    found = _COLLECTED.get()
    return found is not None and bool(found.refused)


def unseen(name: str) -> UnseenError:
    """The error to raise for what reads something that was refused."""
    return UnseenError(name)


def named(error: Tern2LavaError) -> str:
    """The node, file, key or tensor that an error speaks of."""
    return str(getattr(error, "where", None) or getattr(error, "node", None) or "")
