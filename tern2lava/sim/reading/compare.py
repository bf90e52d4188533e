"""What the float model says of a framework's own recorded run: whether the network was read as it was trained.

Types and their words; sim/reading/run.py makes them. A *misreading* is a spike, potential or score of the recording
that the network as described cannot give; a *float32 tie* (of whatever dtype the framework ran in) is a spike that its
rounding can explain: the float model's potential lies within the error bound (bound_neuron.py) of the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Misreading:
    """One place where the recording is not what the float model gives.

    step and sample as in sim/compare.Difference (step from 1); recorded and model: the spikes; recorded_v: the recorded
    potential where there is one, potential: the float model's as it met the threshold; bound: its error bound; what:
    which of the two differs, "spike" or "potential", or "rule": the recorded potential is the framework's threshold
    itself, where `fire` alone says whether it spikes.
    """

    population: str
    sample: int
    step: int
    neuron: int
    coordinates: tuple[int, ...]
    what: str
    recorded: int
    model: int
    recorded_v: float | None
    potential: float
    threshold: float
    bound: float

    def __str__(self) -> str:
        """One line: sample, step, population, neuron, both values."""
        place = f"{self.neuron}" if len(self.coordinates) == 1 else f"{self.neuron} {self.coordinates}"
        potential = f"{self.potential:.9g}"
        if self.recorded_v is not None and self.what != "spike":
            potential = f"{self.recorded_v:.9g} against {potential}"
        return (
            f"first misreading in step {self.step} of sample {self.sample}, population {self.population}, "
            f"neuron {place}: spike {self.recorded} against {self.model}, potential {potential}, "
            f"threshold {self.threshold:.9g}, bound {self.bound:.2g}"
        )


FEWEST_AGAINST = 8
"""Potentials that equal the threshold and were all recorded against `fire`, from which on this is not put down to
chance: rounding moves each to either side, and eight to the same side in 1 of 256 populations."""


@dataclass(frozen=True, kw_only=True)
class PopulationReading:
    """One recorded population.

    spikes: of the recording; neuron_steps: compared; equal_spikes: spikes that recording and model share; missing and
    extra: spikes of the recording that the model lacks, and the other way round; ties: differences within the bound;
    misread: differences beyond it. met_with, met_against: potentials that equal the threshold and were recorded as
    `fire` says, or as it does not (the latter only where they count as ties and no potentials are recorded).
    potentials, potentials_misread: of recorded potentials; rule_misread: recorded potentials that are the framework's
    threshold itself and spiked otherwise than `fire` says; left_out: neuron-timesteps that are not compared, for what
    they read is not known.
    """

    population: str
    spikes: int = 0
    neuron_steps: int = 0
    equal_spikes: int = 0
    missing: int = 0
    extra: int = 0
    ties: int = 0
    misread: int = 0
    met_with: int = 0
    met_against: int = 0
    potentials: int = 0
    potentials_misread: int = 0
    rule_misread: int = 0
    left_out: int = 0

    @property
    def fires_otherwise(self) -> bool:
        """Whether every potential that equals the threshold was recorded against `fire`, and they are too many for
        rounding to have moved them all to one side: no ties, but the other rule."""
        return self.met_against >= FEWEST_AGAINST and self.met_with == 0

    @property
    def misreadings(self) -> int:
        """Spikes and potentials that no rounding explains."""
        certain = self.misread + self.potentials_misread + self.rule_misread
        return certain + (self.met_against if self.fires_otherwise else 0)

    @property
    def float_ties(self) -> int:
        """Spikes that rounding explains."""
        return self.ties - (self.met_against if self.fires_otherwise else 0)


@dataclass(frozen=True, kw_only=True)
class ScoreReading:
    """Recorded class scores against the readout applied to the recorded run.

    samples: compared; misread: samples whose scores differ beyond the bound; factor: what the readout's scores are
    multiplied by to give them (a mean over the steps is a sum divided by their number); left_out: samples in which
    rounding may have changed a spike that was not recorded; why: what is wrong as a whole, else empty.
    """

    samples: int = 0
    misread: int = 0
    factor: float = 1.0
    left_out: int = 0
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Result of sim.reading.run.read: the recorded run held against the float model.

    dtype: the framework ran in; steps of the recording, graph_steps of the network (0: not said); not_compared: what
    the recording lacks, in words; kept: made when the module was compiled, not given by the user.
    """

    dtype: str
    samples: int
    steps: int
    graph_steps: int
    populations: tuple[PopulationReading, ...]
    scores: ScoreReading | None = None
    not_compared: tuple[str, ...] = ()
    first: Misreading | None = None
    kept: bool = False

    @property
    def spikes(self) -> int:
        """Recorded spikes that were compared."""
        return sum(row.spikes for row in self.populations)

    @property
    def equal_spikes(self) -> int:
        return sum(row.equal_spikes for row in self.populations)

    @property
    def ties(self) -> int:
        return sum(row.float_ties for row in self.populations)

    @property
    def misreadings(self) -> int:
        """Spikes and potentials that no rounding explains, and samples whose scores are others."""
        scores = 0 if self.scores is None else self.scores.misread
        return sum(row.misreadings for row in self.populations) + scores

    @property
    def steps_differ(self) -> bool:
        return bool(self.graph_steps) and self.steps != self.graph_steps

    @property
    def compared(self) -> bool:
        """Whether anything was compared that shows something: spikes, of the recording or of the model, potentials or
        scores."""
        scores = 0 if self.scores is None else self.scores.samples
        return sum(row.spikes + row.extra + row.potentials for row in self.populations) + scores > 0

    @property
    def ok(self) -> bool:
        """Whether the recording is what the network as described gives."""
        return self.compared and not self.misreadings and not self.steps_differ

    def sentences(self) -> tuple[str, ...]:
        """What was found, in words, the most important first."""
        found = []
        if self.populations:
            extra = sum(row.extra for row in self.populations)
            more = f", {extra:,} more of the float model" if extra else ""
            misread = sum(row.misreadings for row in self.populations)
            found.append(
                f"{self.equal_spikes:,} of {self.spikes:,} recorded spikes equal{more}; {self.ties:,} {self.dtype} "
                f"ties, {misread:,} misreadings"
            )
        if self.steps_differ:
            found.append(f"{self.steps} steps were recorded, the network is described with {self.graph_steps}")
        for row in self.populations:
            if row.rule_misread:
                found.append(
                    f"{row.population}: {row.rule_misread:,} recorded potentials that are the threshold itself spiked "
                    "otherwise than `fire` says"
                )
            if row.fires_otherwise:
                found.append(
                    f"{row.population}: all {row.met_against:,} potentials that equal the threshold were recorded "
                    "against `fire`"
                )
        if self.first is not None and self.misreadings:
            found.append(str(self.first))
        if self.scores is not None:
            found.append(_of_scores(self.scores))
        where = f"on the {self.samples:,} recorded samples that the bundle keeps" if self.kept else ""
        return tuple(part for part in (*found, where, *self.not_compared) if part)

    def __str__(self) -> str:
        return "; ".join(self.sentences())


def _of_scores(scores: ScoreReading) -> str:
    if scores.why:
        return scores.why
    text = f"scores of {scores.samples - scores.misread:,} of {scores.samples:,} samples are the readout's"
    if scores.factor != 1.0:
        text += f" times {scores.factor:.6g}"
    if scores.left_out:
        text += f" ({scores.left_out:,} more samples not compared: rounding may have changed their spikes)"
    return text


def merged(parts: Sequence[Reading]) -> Reading:
    """The reading of all samples of `parts`, which are shards of one recording in their order."""
    first = parts[0]
    rows = tuple(
        replace(
            rows[0],
            **{key: sum(getattr(row, key) for row in rows) for key in vars(rows[0]) if key != "population"},
        )
        for rows in zip(*(part.populations for part in parts), strict=True)
    )
    scores = None
    if first.scores is not None:
        found = [part.scores for part in parts if part.scores is not None]
        wrong = next((one for one in found if one.why), None)
        # Shards that need other factors have no common one.
        factors = {one.factor for one in found if one.samples}
        if wrong is None and len(factors) > 1:
            wrong = ScoreReading(why="scores are no one multiple of the readout's")
        scores = ScoreReading(
            samples=sum(one.samples for one in found),
            misread=sum(one.misread for one in found),
            factor=next(iter(factors), 1.0),
            left_out=sum(one.left_out for one in found),
            why="" if wrong is None else wrong.why,
        )
        if wrong is not None and not scores.misread:
            scores = replace(scores, misread=scores.samples)
    said = tuple(dict.fromkeys(text for part in parts for text in part.not_compared))
    return replace(
        first, samples=sum(part.samples for part in parts), populations=rows, scores=scores, not_compared=said,
        first=next((part.first for part in parts if part.first is not None), None),
    )  # fmt: skip
