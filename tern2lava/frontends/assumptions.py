"""What the user says of a network where its file cannot: `--assume reset=subtract,lif2.fire=ge`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tern2lava.compiler.ir.graph import Compare, Readout, Reset
from tern2lava.compiler.neurons.mechanism import words
from tern2lava.errors import InputError
from tern2lava.likely import meant

WHERE = "--assume"
VALUES: dict[str, tuple[str, ...]] = {
    "reset": tuple(member.value for member in Reset),
    "fire": tuple(member.word for member in Compare),
    "reset_delay": ("true", "false"),
    "readout": tuple(member.value for member in Readout),
    "arithmetic": ("integer", "real"),
}
"""The values of each key; `fire` also takes > and >=, `levels` takes LOW..HIGH, and the words of mechanisms
(compiler/neurons/) what they say."""


def known_keys() -> tuple[str, ...]:
    """Every key that there is."""
    return (*VALUES, "levels", *words())


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Values by key for all nodes, and by (node, key) for one. `said` collects what was looked up and found."""

    everywhere: Mapping[str, str] = field(default_factory=dict)
    single: Mapping[tuple[str, str], str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)

    def get(self, node: str, key: str) -> str | None:
        """What is assumed of `key` for `node`; None where nothing is."""
        if (node, key) in self.single:
            self.said.add(f"{node}.{key}")
            return self.single[node, key]
        if key in self.everywhere:
            self.said.add(key)
            return self.everywhere[key]
        return None

    def flag(self, node: str, key: str) -> bool:
        """Whether `key` is assumed to be true for `node`."""
        return self.get(node, key) == "true"

    def levels(self, node: str) -> tuple[int, int]:
        """Least and largest value of the input `node`: (0, 1) unless assumed otherwise."""
        text = self.get(node, "levels")
        if text is None:
            return (0, 1)
        low, _, high = text.partition("..")
        return (int(low), int(high))

    def mechanisms(self, node: str, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """Fields of ir.Neuron for what is assumed of mechanisms of `node`, the words `without` not asked for."""
        fields: dict[str, Any] = {}
        for key, (mechanism, word) in words().items():
            text = None if key in without else self.get(node, key)
            if text is not None:
                fields |= mechanism.fields(key, word.read(text))
        return fields

    def behind(self, said: Mapping[str, str]) -> Assumptions:
        """These assumptions with what the nodes of a file say themselves (text by node) standing back behind them.

        Raises InputError where a node says something unknown.
        """
        single = {
            (node, key): value
            for node, text in said.items()
            for (_, key), value in parse_assumptions(
                {f"{node}.{key}": value for key, value in _pairs(text)}, known_keys()
            ).single.items()
            if key not in self.everywhere
        }
        return Assumptions(everywhere=self.everywhere, single=single | dict(self.single), said=self.said)

    def check_used(self) -> None:
        """Raise InputError for the first assumption that nothing in the network asked for."""
        given = [*self.everywhere, *(f"{node}.{key}" for node, key in self.single)]
        for name in given:
            if name not in self.said:
                raise InputError(
                    WHERE,
                    f"requires a node and key of this network; found {name}, which applies to nothing in it; check "
                    "the name, or leave it out",
                )

    @property
    def texts(self) -> tuple[str, ...]:
        """The assumptions as `key=value`, in the order given."""
        return (
            *(f"{key}={value}" for key, value in self.everywhere.items()),
            *(f"{node}.{key}={value}" for (node, key), value in self.single.items()),
        )


def parse_assumptions(given: str | Mapping[str, str] | None, keys: tuple[str, ...]) -> Assumptions:
    """The assumptions in `given` (text, or the same as a mapping), of which only `keys` exist for this kind of file.

    Raises InputError for an unknown key or value.
    """
    everywhere: dict[str, str] = {}
    single: dict[tuple[str, str], str] = {}
    for name, value in _pairs(given):
        node, _, key = name.rpartition(".")
        if key not in keys:
            raise InputError(
                WHERE,
                f"requires a key that this kind of file has; found '{key}'; {meant(key, keys)}choose from "
                f"{', '.join(keys)} (NODE.KEY for one node)",
            )
        if key == "levels":
            ends = re.fullmatch(r"(-?\d{1,9})\.\.(-?\d{1,9})", value)
            if ends is None or int(ends[1]) > int(ends[2]):
                raise InputError(
                    WHERE, f"requires LOW..HIGH for levels; found levels={value}; write for example levels=0..3"
                )
        elif key in words():
            word = words()[key][1]
            try:
                word.read(value)
            except (ValueError, KeyError):
                raise InputError(
                    WHERE, f"requires {word.expected} for {key}; found {key}={value}; mend the value"
                ) from None
        elif key == "fire" and value in list(Compare):
            value = Compare(value).word
        elif value not in VALUES[key]:
            raise InputError(
                WHERE, f"requires one of {', '.join(VALUES[key])} for {key}; found {key}={value}; choose one of them"
            )
        if node:
            single[node, key] = value
        else:
            everywhere[key] = value
    return Assumptions(everywhere=everywhere, single=single)


def _pairs(given: str | Mapping[str, str] | None) -> list[tuple[str, str]]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(str(name), str(value)) for name, value in given.items()]
    pairs = []
    for part in filter(None, (piece.strip() for piece in given.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise InputError(WHERE, f"requires KEY=VALUE; found '{part}'; write for example reset=subtract,fire=ge")
        pairs.append((name.strip(), value.strip()))
    return pairs
