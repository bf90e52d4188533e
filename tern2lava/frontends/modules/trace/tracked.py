"""Which tensors of a running forward are tracked, by their identity and not longer than they live."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from torch import Tensor

from tern2lava.frontends.modules.trace.symbols import Foreign, Meaning, Symbol

_ALWAYS = -1
"""In the place of a tensor that is never gone."""


@dataclass(eq=False)
class Tracked:
    """A tensor, what it stands for, and what was found out of that before: its codes, and its symbol by `single`."""

    tensor: weakref.ref[Tensor]
    meaning: Meaning
    storage: int
    codes: Tensor | None = None
    symbols: dict[bool, Symbol | Foreign] | None = None


class TrackedTensors:
    """Meanings of tensors. Of tensors that share their numbers, those that one is written through are forgotten."""

    def __init__(self) -> None:
        self._by_id: dict[int, Tracked] = {}
        self._by_storage: dict[int, set[int]] = {}
        self._written: dict[int, str] = {}

    def get(self, tensor: Tensor) -> Tracked | None:
        """What is known of a tensor, None where it does not depend on the input."""
        found = self._by_id.get(id(tensor))
        if found is not None and found.tensor() is tensor:
            return found
        if self._written and (what := self._written.get(_storage(tensor))) is not None:
            return Tracked(weakref.ref(tensor), Foreign(what), _storage(tensor))
        return None

    def put(self, tensor: Tensor, meaning: Meaning) -> None:
        """Let a tensor stand for `meaning`."""
        key, storage = id(tensor), _storage(tensor)
        self.forget(tensor)
        reference = weakref.ref(tensor, lambda gone: self._gone(key, storage, gone))
        self._by_id[key] = Tracked(reference, meaning, storage)
        self._by_storage.setdefault(storage, set()).add(key)

    def forget(self, tensor: Tensor) -> None:
        """Let a tensor stand for nothing."""
        found = self._by_id.pop(id(tensor), None)
        if found is not None:
            self._by_storage.get(found.storage, set()).discard(id(tensor))

    def written(self, tensor: Tensor, what: str) -> None:
        """Note that `tensor` was written in place: others that share its numbers are no longer what they were."""
        storage = _storage(tensor)
        for key in list(self._by_storage.get(storage, ())):
            found = self._by_id.get(key)
            if key != id(tensor) and found is not None:
                found.meaning, found.codes, found.symbols = Foreign(what), None, None
        if tensor._base is not None or id(tensor) not in self._by_id:
            self._written[storage] = what

    def hold(self, tensor: Tensor, what: str) -> None:
        """Note of a tensor that outlives the run that its numbers were written through another one."""
        self._written[_storage(tensor)] = what
        self._by_storage.setdefault(_storage(tensor), set()).add(_ALWAYS)

    def _gone(self, key: int, storage: int, gone: weakref.ref[Tensor]) -> None:
        found = self._by_id.get(key)
        if found is not None and found.tensor is gone:
            del self._by_id[key]
        shared = self._by_storage.get(storage)
        if shared is not None:
            shared.discard(key)
            if not shared:
                del self._by_storage[storage]
                self._written.pop(storage, None)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
