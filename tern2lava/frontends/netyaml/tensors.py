"""The tensors of a checkpoint as the entries of a net.yaml name them, by name or in an expression, remembering which
were used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tern2lava.compiler.ir.shapes import Array, Reals, Shape
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.yaml_text import Place, YamlFile, key_path
from tern2lava.frontends.builder import numbers
from tern2lava.frontends.files.checkpoint import Checkpoint, Scalar
from tern2lava.frontends.files.wrappers import COUNTERS
from tern2lava.frontends.netyaml.expressions.evaluate import evaluate
from tern2lava.frontends.netyaml.expressions.parse import looks_like_expression
from tern2lava.frontends.netyaml.expressions.tree import ExpressionError
from tern2lava.frontends.netyaml.expressions.typed import Tensor, Value, number_of
from tern2lava.frontends.netyaml.keys import show
from tern2lava.memory_need import require_memory

BOOKKEEPING = ("*num_batches_tracked", *(f"*{name}" for name in COUNTERS))
"""Tensors that take no part in inference."""
BYTES = 32
"""Bytes of memory for each number of an expression: two operands and a result, one of them in float64 as well."""
MAX_WORK = 1 << 32
"""Numbers that all parts of an expression may have together: some ten seconds."""
LARGE = 1 << 24
"""Numbers of a tensor from which its shape must be that of a weight: one for each neuron that a layer may have."""

SIGNS = frozenset(" *()<>=")
"""Characters of expressions that names of tensors seldom hold."""
IN_EXPRESSIONS = " (within an expression a tensor is t('NAME'))"


class Tensors:
    """The tensors of a checkpoint, remembering which were used. fits: whether a weight of a shape fits the layer whose
    tensors are asked for. notes: what the report must say of them. integers: whether weights are the chip's own
    (netyaml/loihi.py). ignore: patterns of the tensors that no layer uses."""

    def __init__(self, checkpoint: Checkpoint, file: YamlFile, ignore: Sequence[str] = ()) -> None:
        self.checkpoint = checkpoint
        self.file = file
        self.used: set[str] = set()
        self.fits: Callable[[Shape], bool] = lambda shape: False
        self.notes: list[str] = []
        self.integers = False
        self.ignore = tuple(ignore)

    def has(self, name: str) -> bool:
        return self.checkpoint.find(name) is not None

    def array(self, name: str, place: Place) -> Reals:
        """The tensor (or number) called `name` in float64, or what the expression `name` gives; InputError at `place`
        where there is none to be had."""
        if not self.has(name) and looks_like_expression(name):
            return self._evaluated(name, place)
        full = self._named(name, self._where(place))
        value: Any = self._stored(full, place) if full in self.checkpoint.tensors else self.checkpoint.values[full]
        return numbers(f"{self.checkpoint.path}: tensor {full}", value)

    def _where(self, place: Place) -> str:
        return self.file.error(place, "").where

    def _named(self, name: str, where: str) -> str:
        """The full name of the tensor or number called `name`, which counts as used from now on."""
        full = self.checkpoint.find(name)
        if full is None and (several := self.checkpoint.matches(name)):
            raise InputError(
                where,
                f"requires a name that one tensor has; found {name!r}, which may be {' or '.join(several[:4])}; write "
                "one of them in full",
            )
        if full is None:
            close = ", ".join(sorted(self.checkpoint.tensors)[:12]) or "one tensor without a name; save the state_dict"
            raise InputError(
                where,
                f"requires the name of a tensor; found {name!r}, which {self.checkpoint.path.name} does not hold; "
                f"it holds {close}{IN_EXPRESSIONS if set(name) & SIGNS else ''}",
            )
        if full in self.checkpoint.unreadable:
            why, _, hint = self.checkpoint.unreadable[full].partition("; save ")
            raise InputError(
                where,
                f"requires a tensor that can be read; found {name!r}, of which the file says: "
                f"{why}; save {hint or 'it again, as a dense tensor of real numbers'}",
            )
        self.used.add(full)
        self._say_short(name, full)
        if full not in self.checkpoint.tensors and isinstance(self.checkpoint.values[full], str | None):
            found = show(self.checkpoint.values[full])
            raise InputError(
                where, f"requires a number; found {found} for {name!r} in the checkpoint; write the number here"
            )
        return full

    def _say_short(self, name: str, full: str) -> None:
        """Note once what is left out of names, where that is not the prefix that all of them have."""
        if full in (name, self.checkpoint.prefix + name):
            return
        note = f"names without those of wrappers: {name} is {full}"
        if not any(each.startswith("names without") for each in self.notes):
            self.notes.append(note)

    def _evaluated(self, text: str, place: Place) -> Reals:
        """What an expression gives in float64, computed in the dtypes of its tensors. Raises InputError."""
        where, spent = self._where(place), 0

        def tensor(name: str, at: int) -> Value:
            full = self._named(name, f"{where}, character {at}")
            if full not in self.checkpoint.tensors:
                value = self.checkpoint.values[full]
                return value if isinstance(value, int | float) else 0
            stored = self.checkpoint.tensors.stored[full]
            guard(stored.count, at)
            return Tensor(self.checkpoint.tensors[full], stored.type)

        def guard(amount: int, at: int) -> None:
            nonlocal spent
            spent += amount
            require_memory(
                f"{where}, character {at}", f"compute with {count(amount, 'number')}", BYTES * amount,
                "write the tensor as it is to be into the checkpoint",
            )  # fmt: skip
            if spent > MAX_WORK:
                raise InputError(
                    f"{where}, character {at}",
                    f"requires an expression of at most {count(MAX_WORK, 'number')} in all its parts; found more; "
                    "write the tensor as it is to be into the checkpoint",
                )

        try:
            value = evaluate(text, tensor, guard)
        except ExpressionError as error:
            raise InputError(f"{where}, character {error.at}", error.why) from None
        self.notes.append(f"{key_path(place)} = {' '.join(text.split())}")
        return numbers(f"{where} = {text:.200}", number_of(value, where), "mend the expression")

    def _stored(self, full: str, place: Place) -> Array:
        """The numbers of a tensor; of a large one its shape is looked at first, since numbers that the layer has no use
        for would be read, and held in float64, for nothing."""
        tensor = self.checkpoint.tensors.stored[full]
        if tensor.count > LARGE and not self.fits(tensor.shape):
            raise self.file.error(
                place,
                f"requires a tensor that fits the layer, or at most {count(LARGE, 'number')}; found "
                f"{tensor.shape!s:.60}; name the layer's own",
            )
        return self.checkpoint.tensors.needed(full)

    def value(self, name: str) -> Scalar:
        """The plain value called `name` that a pickled module holds, None where there is none."""
        full = self.checkpoint.find(name)
        return self.checkpoint.values.get(full) if full is not None else None

    def pass_over(self, text: str) -> None:
        """Count as used the tensors that `text`, the entry of a refused layer, names or begins the names of."""
        for name in {*self.checkpoint.tensors, *self.checkpoint.unreadable}:
            short = name.removeprefix(self.checkpoint.prefix)
            parts = short.split(".")
            if any(f"'{'.'.join(parts[:n])}'" in text for n in range(1, len(parts) + 1)):
                self.used.add(name)

    def _tied(self, rest: set[str]) -> set[str]:
        """Those of `rest` that are used under another name: the same numbers at the same place of the file."""
        stored = self.checkpoint.tensors.stored
        places = {stored[name].place: name for name in sorted(self.used) if name in stored and stored[name].place}
        tied = {name: places[stored[name].place] for name in rest if name in stored and stored[name].place in places}
        self.notes += [f"{name} is {tied[name]} under another name" for name in sorted(tied)]
        return set(tied)

    def is_ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.ignore)

    def leftover(self) -> tuple[list[str], list[str]]:
        """(tensors that nothing uses, those among all that are ignored), sorted."""
        everything = set(self.checkpoint.tensors) | set(self.checkpoint.unreadable)
        rest = everything - self.used - self.checkpoint.attributes
        rest -= self._tied(rest)
        ignored = sorted(name for name in rest if self.is_ignored(name))
        quiet = {name for name in rest if any(fnmatchcase(name, pattern) for pattern in BOOKKEEPING)}
        return sorted(rest - quiet - set(ignored)), ignored
