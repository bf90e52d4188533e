"""Which certificates EXACT are proven a second time, by induction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tern2lava.prove.arithmetic.exhaustion import Tried, try_population
from tern2lava.prove.arithmetic.graphs import Network, NotProvenError
from tern2lava.prove.arithmetic.induction import prove_population

EXACT = "EXACT"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a certificate says of a population."""

    population: str
    verdict: str
    steps: int


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A population certified EXACT. reason: why it is not proven by induction, None where it is; differs: whether a
    number contradicts the certificate."""

    population: str
    steps: int
    reason: str | None = None
    differs: bool = False

    @property
    def proven(self) -> bool:
        """Whether it is proven by induction."""
        return self.reason is None


@dataclass(frozen=True, kw_only=True)
class Induction:
    """Populations certified EXACT, and how many populations have another certificate. tried: of these, what came of
    trying all that can happen to their neurons, where that was asked."""

    exact: tuple[Checked, ...] = ()
    others: int = 0
    tried: tuple[Tried, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether a number contradicts a certificate."""
        return any(one.differs for one in self.exact)

    @property
    def proven(self) -> int:
        """How many of those certified EXACT are proven by induction."""
        return sum(one.proven for one in self.exact)

    def __str__(self) -> str:
        total, number = len(self.exact) + self.others, len(self.exact)
        wrong = next((one for one in self.exact if one.differs), None)
        if wrong is not None:
            return (
                f"DIFFERS from the certificate EXACT of {wrong.population}: {wrong.reason} is not that of real numbers"
            )
        if not number:
            return f"EXACT in none of {total} population{'' if total == 1 else 's'}: nothing to prove by induction"
        text = f"EXACT in {number} of {total} population{'' if total == 1 else 's'}"
        left = next((one for one in self.exact if not one.proven), None)
        if left is None:
            return f"{text}, PROVEN by induction for every input within {_steps(self.exact)}"
        return f"{text}, {self.proven} proven by induction; {left.population} by its certificate alone: {left.reason}"


def _steps(exact: Iterable[Checked]) -> str:
    """The least number of steps that is proven, in words."""
    steps = min(one.steps for one in exact)
    return f"{steps:,} step{'' if steps == 1 else 's'}"


def prove_arithmetic(real: Network, program: Network, claims: Iterable[Claim], exhaustive: bool = False) -> Induction:
    """For each population that is certified EXACT whether it is so, by induction over the steps of a sample; for each
    other, where `exhaustive`, whether all that can happen to its neurons makes the same spikes."""
    known = list(claims)
    return Induction(
        exact=tuple(_checked(real, program, claim) for claim in known if claim.verdict == EXACT),
        others=sum(claim.verdict != EXACT for claim in known),
        tried=tuple(_tried(real, program, c) for c in known if exhaustive and c.verdict != EXACT),
    )


def _checked(real: Network, program: Network, claim: Claim) -> Checked:
    try:
        prove_population(real, program, claim.population, claim.steps)
    except NotProvenError as error:
        return Checked(population=claim.population, steps=claim.steps, reason=str(error), differs=error.differs)
    # Graphs may be edited into anything: fields that are missing, shapes that do not fit.
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        return Checked(population=claim.population, steps=claim.steps, reason=f"its graph ({error})", differs=True)
    return Checked(population=claim.population, steps=claim.steps)


def _tried(real: Network, program: Network, claim: Claim) -> Tried:
    try:
        return try_population(real, program, claim.population, claim.steps)
    except NotProvenError as error:
        return Tried(population=claim.population, steps=claim.steps, kinds=0, pairs=0, reason=str(error))
    # As in _checked.
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return Tried(population=claim.population, steps=claim.steps, kinds=0, pairs=0, reason=f"its graph ({error})")
