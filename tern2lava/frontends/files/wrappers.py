"""What training scripts, frameworks and torch itself put around a network: which of several weights are read, and what
its tensors are called without the wrappers' names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tern2lava.errors import InputError

KEYS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Keys under which training scripts put the network beside optimiser, epoch and history. The first one is read; it is
what the script goes on training, and what its own evaluation loads unless told otherwise."""
LEADING = ("module", "model", "_orig_mod", "net")
"""Attributes that hold a whole network: nn.DataParallel and AveragedModel, Lightning modules, torch.compile."""
ANYWHERE = ("module", "_orig_mod")
"""Those of them that also wrap a part of a network."""
COUNTERS = ("n_averaged",)
"""Tensors that a wrapper holds beside the network's: how many weights AveragedModel has averaged."""
_SHARED = 0.5
"""Share of the chosen tensors' names that another entry must have to be other weights of the same network."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The network in a file: what holds it, under which key (None: the file itself is it), the other keys in words, and
    what is said of other weights of the same network."""

    tree: Any
    key: str | None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def chosen(
    where: object, tree: Any, outer: Mapping[str, Any], wanted: str | None, names: Callable[[Any], set[str] | None]
) -> Choice:
    """The network of `tree`, a dictionary with the text keys `outer`. wanted: the key that the user named.

    names(value): what the entries of a dictionary or module are called; None of a value that holds no tensors. Raises
    InputError where there is none under `wanted`.
    """
    holding = {key: found for key, value in outer.items() if (found := names(value)) is not None}
    if wanted is not None and wanted not in holding:
        there = f"choose from {', '.join(sorted(holding)[:12])}" if holding else "leave weights out"
        raise InputError(where, f"requires weights under {wanted!r:.60}; found none there; {there}")
    key = wanted or next((key for key in KEYS if key in holding), None)
    if key is None:
        return Choice(tree=tree, key=None)
    own = {short_names(name)[-1] for name in holding[key]}
    others = [
        other
        for other, found in holding.items()
        if other != key and own and len(own & {short_names(n)[-1] for n in found}) >= _SHARED * len(own)
    ]
    notes: tuple[str, ...] = ()
    if others:
        named = f"{' and '.join(map(repr, sorted(others)))} {'holds' if len(others) == 1 else 'hold'}"
        how = "as chosen" if wanted else f"--weights {min(others)} reads those"
        notes = (f"weights are those under '{key}'; {named} others of the same names ({how})",)
    left_out = tuple(sorted(other for other in outer if other != key and other.isprintable()))
    return Choice(tree=outer[key], key=key, left_out=left_out, notes=notes)


def short_names(name: str) -> list[str]:
    """What a tensor may be called, longest first: `name`, then without each wrapper's attribute more."""
    parts = name.split(".")
    found = [name]
    inner = [part for i, part in enumerate(parts) if part not in ANYWHERE or i == len(parts) - 1]
    for kept in (_without_leading(parts), [inner], _without_leading(inner)):
        found += [".".join(each) for each in kept]
    return sorted(set(found), key=len, reverse=True)


def _without_leading(parts: list[str]) -> list[list[str]]:
    """`parts` without one, two ... of the leading wrappers' attributes."""
    count = next((i for i, part in enumerate(parts[:-1]) if part not in LEADING), len(parts) - 1)
    return [parts[i:] for i in range(count + 1)]


def by_short_name(names: Iterable[str]) -> dict[str, list[str]]:
    """The tensors that each short name may mean."""
    found: dict[str, list[str]] = {}
    for name in names:
        for short in short_names(name):
            found.setdefault(short, []).append(name)
    return found
