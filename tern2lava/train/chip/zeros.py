"""The zeros of each layer, chosen so that the compiled network keeps within limits: the compiler itself is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tern2lava.errors import CapacityError, InputError

LEVELS: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(20))
"""Fractions of zeros that are tried."""

Zeros = dict[str, float]
"""The fraction of zeros by layer."""


@dataclass(eq=False)
class Compiler:
    """Answers of the compiler, each asked for once. ask(zeros): what a network with these zeros takes (answers.LIMITS);
    CapacityError where it does not fit at all. limits: the most of each that is allowed."""

    ask: Callable[[Zeros], dict[str, int]]
    limits: Mapping[str, int]
    told: Callable[[int], None] = lambda asked: None
    known: dict[tuple[float, ...], dict[str, int] | CapacityError] = field(default_factory=dict)

    def answer(self, zeros: Zeros) -> dict[str, int] | CapacityError:
        """What the network takes, or why it does not fit."""
        key = tuple(zeros.values())
        if key not in self.known:
            try:
                self.known[key] = self.ask(zeros)
            except CapacityError as error:
                self.known[key] = error
            self.told(len(self.known))
        return self.known[key]

    def meets(self, zeros: Zeros) -> bool:
        """Whether it keeps within the limits."""
        found = self.answer(zeros)
        return isinstance(found, dict) and all(found[name] <= most for name, most in self.limits.items())


def choose_zeros(compiler: Compiler, weights: Mapping[str, int], least: Zeros) -> Zeros:
    """The zeros of each layer with which the network keeps within the limits, at least those of `least`.

    First the fewest that are enough where all layers have the same fraction; then each layer, from that of the fewest
    weights on, gets back what is not needed of it: no layer alone can have a level less. In between answers are taken
    to fall as zeros rise; what comes out was asked for, and met. weights: how many a layer has. Raises InputError with
    the least that is reached where the most zeros are not enough, and CapacityError where nothing fits.
    """
    if compiler.meets(least):
        return least
    same = [{name: max(fraction, level) for name, fraction in least.items()} for level in LEVELS]
    if not compiler.meets(same[-1]):
        raise _refused(compiler, same[-1])
    found = _first(compiler, same)
    for name in sorted(weights, key=lambda name: weights[name]):
        fewer = [level for level in LEVELS if least[name] < level < found[name]]
        found = _first(compiler, [found | {name: level} for level in (least[name], *fewer, found[name])])
    return found


def _first(compiler: Compiler, rising: Sequence[Zeros]) -> Zeros:
    """The first of `rising` zeros that keep within the limits, by halving; the last do."""
    low, high = 0, len(rising) - 1
    while low < high:
        middle = (low + high) // 2
        if compiler.meets(rising[middle]):
            high = middle
        else:
            low = middle + 1
    return rising[high]


def _refused(compiler: Compiler, most: Zeros) -> InputError | CapacityError:
    last = compiler.answer(most)
    if isinstance(last, CapacityError):
        return last
    reached = [found for found in compiler.known.values() if isinstance(found, dict)]
    name, limit = next((name, limit) for name, limit in compiler.limits.items() if last[name] > limit)
    least = min(found[name] for found in reached)
    return InputError(
        f"target.{name}",
        f"requires a limit that the network can keep; found {limit:,}, and {least:,} is the least that was reached "
        f"with up to {max(LEVELS):.0%} zeros in each layer; raise it, or make the network smaller",
    )
