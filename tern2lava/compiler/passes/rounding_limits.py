"""Roundings that change the network too much are refused by name, with what would hold it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.offset import bias_offset
from tern2lava.compiler.certify.rounding import bias_shift, compare, cut_off, percent
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.passes.to_integer import to_integer
from tern2lava.compiler.target.rules import check_rules
from tern2lava.counts import count
from tern2lava.errors import Tern2LavaError, UnsupportedError
from tern2lava.findings import alone, stopping
from tern2lava.hw_profiles import NO_CHIP, Profile, known_profiles

THRESHOLDS = ("threshold", "lower threshold")
REFUSED = (*THRESHOLDS, "reset amount")
# Nobody shortens samples to fewer steps.
FEWEST_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One quantity of a population that some of its neurons lose: the worst neuron, its real value and what it would
    become (source's units), the share that it moves by, and how many neurons move by more than is allowed."""

    population: str
    quantity: str
    neuron: tuple[int, ...]
    real: float
    became: float
    share: float
    neurons: int


def refuse_roundings(ternary: Graph, integer: Graph, options: Options, profile: Profile | None = None) -> None:
    """Raise UnsupportedError where `integer` (of to_integer) changes `ternary` by more than options.allow_rounding.

    That is a positive threshold or reset amount that moves by a larger share of itself (by all of it where it becomes
    0, as do thresholds below a last bit where potentials are rounded), and a bias whose rounding, summed over the
    neuron's memory, shifts the potential by a larger share of the threshold (of one weight where that is 0;
    rounding.bias_shift). The error names the worst neuron of the first such quantity, and targets whose integers hold
    the whole network within the same limit.
    """
    losses = tuple(find_losses(ternary, integer, options))
    if not losses:
        return
    with stopping():
        hint = _hint(ternary, integer, options, losses)
    for loss in losses:
        with alone():
            raise _refused(loss, options, profile, hint)


def _refused(loss: Loss, options: Options, profile: Profile | None, hint: str) -> UnsupportedError:
    limit = percent(options.allow_rounding)
    where = f"{loss.population}{list(loss.neuron)}"
    others = f" ({count(loss.neurons, 'neuron')} move by more than {limit})" if loss.neurons > 1 else ""
    target = "" if profile is None else f" on {profile.name}"
    found = f"{loss.quantity} {loss.real:.6g} that would become {loss.became:.6g}{target}"
    if loss.quantity.startswith("bias"):
        rule = f"what is rounded off biases shifts a potential by at most {limit} of its threshold within a sample"
        found += f", a shift of {percent(loss.share)}"
    else:
        rule = f"a {loss.quantity} moves by at most {limit} when it becomes an integer"
        found += f", {percent(loss.share)} off"
    return UnsupportedError(where, rule, found + others, hint)


def find_losses(ternary: Graph, integer: Graph, options: Options) -> Iterator[Loss]:
    """Every quantity of every population that refuse_roundings refuses."""
    assert integer.arithmetic is not None
    steps = options.steps or integer.steps or DEFAULT_STEPS
    for population in integer.of_kind(Population):
        neuron = ternary.neuron(population.name)
        everything = tuple(compare(ternary, integer, population, steps))
        exact = not np.any(cut_off(ternary, integer, population, steps)) and not any(
            np.any(compared.moved > 0) for compared in everything if compared.quantity not in THRESHOLDS
        )
        for compared in everything:
            if compared.quantity not in REFUSED:
                continue
            # Where potentials are whole numbers, as the source's are, v > 0 says the same as v > 1/2.
            below = (np.abs(compared.real) < 1) & (compared.real != 0) & (not exact)
            gone = (below | (compared.moved > 0)) & (compared.became * np.sign(compared.real) <= 0)
            share = np.where(gone, np.maximum(compared.relative, 1.0), compared.relative)
            source, origin = compared.source, compared.origin
            yield from _loss(
                population, compared.quantity, share, compared.real * source + origin,
                compared.became * source + origin, options,
            )  # fmt: skip
        shift = bias_shift(neuron, population, integer.arithmetic, steps)
        unit, lsb = membrane_unit(neuron, population), np.asarray(population.lsb, np.float64)
        steady = neuron.bias * unit
        code = population.bias - bias_offset(neuron, population, integer.arithmetic)
        quantity = "bias"
        if np.all(code == steady):
            steady, code, quantity = neuron.bias_u * unit, population.bias_u, "bias of the current"
        yield from _loss(population, quantity, shift, steady * lsb, code * lsb, options)


def _loss(
    population: Population, quantity: str, share: Reals, real: Reals, became: Reals, options: Options
) -> Iterator[Loss]:
    share, real, became = np.broadcast_arrays(share, real, became)
    # Shares are quotients of floating point numbers, which may come out a last digit too large.
    lost = share > options.allow_rounding * (1 + 1e-9)
    if not lost.any():
        return
    worst = np.unravel_index(int(np.argmax(share)), share.shape)
    index = tuple(int(i) for i in worst)
    yield Loss(
        population=population.name, quantity=quantity,
        neuron=(0,) * (len(population.shape) - len(index)) + index, real=float(real[worst]),
        became=float(became[worst]), share=float(share[worst]),
        neurons=int(np.count_nonzero(lost)) * math.prod(population.shape) // lost.size,
    )  # fmt: skip


def _hint(ternary: Graph, integer: Graph, options: Options, losses: tuple[Loss, ...]) -> str:
    """What would hold the network: other targets, shorter samples, then what is left where these do not."""
    assert integer.arithmetic is not None
    ways = []
    targets = holding_targets(ternary, integer.arithmetic, options)
    if targets:
        ways.append(f"compile for {' or '.join(targets)}, which hold{'s' if len(targets) == 1 else ''} all of it")
    steps = holding_steps(ternary, integer, options)
    if steps and not (options.steps or integer.steps):
        assumed = f"{DEFAULT_STEPS:,} are assumed, {steps:,} would do"
        ways.append(f"say how many steps a sample has ({assumed}: --steps {steps})")
    elif steps and not targets:
        ways.append(f"run samples of at most {count(steps, 'step')} (--steps {steps})")
    if not ways:
        ways.append(_unit_hint(ternary, losses[0].population))
    most = max(loss.share for loss in losses)
    ways.append(f"accept the change (--allow-rounding {rounded_up(most)})")
    return ", or ".join(ways)


def _unit_hint(ternary: Graph, population: str) -> str:
    """What the neurons of a population, which share one unit, would have to have in common."""
    neuron = ternary.neuron(population)
    positive = np.ravel(neuron.level[neuron.level > 0])
    spread = f"thresholds are {positive.min():.3g} to {positive.max():.3g} of their weights" if positive.size else ""
    largest = float(max(np.max(np.abs(neuron.bias)), np.max(np.abs(neuron.bias_u))))
    spread += f"{' and ' if spread and largest else ''}{f'biases up to {largest:.3g}' if largest else ''}"
    return f"give {population} weights' scales that make these alike, as one scale for all (its {spread}, in one unit)"


def holding_steps(ternary: Graph, integer: Graph, options: Options) -> int:
    """The most steps of a sample, halved again and again, over which the same integers hold `ternary` within
    options.allow_rounding, since finer ones do not overflow and biases add up to less; 0 where there are none."""
    assert integer.arithmetic is not None
    steps = (options.steps or integer.steps or DEFAULT_STEPS) // 2
    while steps >= FEWEST_STEPS:
        shorter = replace(options, steps=steps)
        try:
            if not any(find_losses(ternary, to_integer(ternary, integer.arithmetic, shorter), shorter)):
                return steps
        except UnsupportedError:
            return 0
        steps //= 2
    return 0


def rounded_up(share: float) -> str:
    """A share in per cent, rounded up to two digits."""
    if not math.isfinite(share):
        return "inf%"
    step = 10.0 ** (math.floor(math.log10(100 * share)) - 1)
    return f"{math.ceil(100 * share / step) * step:.12g}%"


def holding_targets(ternary: Graph, arithmetic: Arithmetic, options: Options) -> list[str]:
    """Names of shipped targets with other integers that hold `ternary` within options.allow_rounding and have its
    neurons, smallest system first (whether it fits its cores is not tried); one of those with like integers."""
    names = []
    tried = {arithmetic}
    for profile in sorted(known_profiles(), key=lambda profile: profile.system.chips):
        theirs = Arithmetic(**profile.arithmetic_values())
        if profile.name in NO_CHIP or theirs in tried:
            continue
        try:
            program = to_integer(ternary, theirs, options, profile)
            check_rules(program, profile)
        except Tern2LavaError:
            continue
        if not any(find_losses(ternary, program, options)):
            names.append(profile.name)
            tried.add(theirs)
    return names
