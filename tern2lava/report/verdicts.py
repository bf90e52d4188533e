"""The verdicts of a verification, each in one plain sentence with its numbers; none stands for another.

execution: the core images, Lava and the engine against the integers. arithmetic: the integers against the float model.
reading: the float model against the framework's own run. ranges, the fourth, is in ranges.py. images, the fifth: the
core images against the integers for every input, without a run.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from math import floor, log10

from tern2lava.counts import count
from tern2lava.prove.run import Translation
from tern2lava.report.model import Arithmetic, VerdictRow
from tern2lava.report.requirements import Requirements
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.verify.cover import Covered
from tern2lava.sim.verify.executions import EXECUTIONS
from tern2lava.sim.verify.verify import Proof


def execution_verdict(proof: Proof, require: Requirements) -> VerdictRow:
    """Whether every execution equals the integers bit for bit, on which data, and which did not run all of it."""
    comparison, cover = proof.comparison, proof.cover
    equal = comparison.equal and (cover is None or cover.comparison.equal)
    if cover is not None and (not proof.samples or not cover.comparison.equal):
        sentence = f"{_cover_words(cover)}; no data were given" if not proof.samples else _cover_words(cover)
    elif comparison.equal:
        fewer = [f"{run.name} on {run.samples:,}" for run in proof.executions if run.samples < proof.samples]
        sentence = (
            f"VERIFIED {' == '.join(comparison.chain)}: {count(comparison.compared_values, 'spike')} and states equal, "
            f"{count(proof.samples, 'sample')} x {count(proof.steps, 'step')}"
        )
        if fewer:
            sentence += f" ({', '.join(fewer)} of them)"
        left = [entry.name for entry in EXECUTIONS if entry.lava and entry.name not in comparison.chain]
        if not any(EXECUTIONS.get(name).lava for name in comparison.chain):
            sentence += "; Lava was not run"
        elif left:
            sentence += f"; {all_of(tuple(left))} {'was' if len(left) == 1 else 'were'} not run"
        if cover is not None:
            sentence += f"; {_cover_words(cover)}"
    else:
        sentence = f"DIFFERS {comparison}"
    return VerdictRow(
        name="execution",
        status="equal" if equal else "differs",
        required="every spike and state equal" if require.execution else None,
        met=equal if require.execution else None,
        sentence=sentence,
    )


def _cover_words(cover: Covered) -> str:
    """What the cover stimulus showed, and in which executions."""
    found = cover.comparison
    if not found.equal:
        return f"DIFFERS on the cover stimulus: {found}"
    words = (
        f"VERIFIED on the cover stimulus {' == '.join(found.chain)}: {count(found.compared_values, 'spike')} and "
        f"states equal, {count(cover.samples, 'sample')} x {count(cover.steps, 'step')}"
    )
    return words + (f" ({' and '.join(cover.left_out)} did not run it)" if cover.left_out else "")


def arithmetic_verdict(found: Arithmetic, require: Requirements) -> VerdictRow:
    """How many spikes the integers miss or add against the float model, and whether that is within what is allowed.

    A population that spikes in the float model and never in integers breaks the verdict whatever its share, and so do
    more changed decisions than allowed_decisions: an output layer is small, and one that is read by its potentials
    makes no spikes to count.
    """
    limit = require.arithmetic
    if not found.data_samples:
        return VerdictRow(
            name="arithmetic", status="not compared", required=None, met=None,
            sentence="NOT COMPARED: no data were given to count spikes on",
        )  # fmt: skip
    changed = found.changed_decisions or 0
    decided = limit is None or changed <= allowed_decisions(limit, found.samples)
    within = limit is not None and found.share <= limit and not found.died and decided
    if not found.missing + found.extra + changed:
        status, word = "equal", "EQUAL"
    elif limit is None:
        status, word = "differs", "DIFFERS"
    elif within:
        status, word = "within", f"WITHIN {percent(limit)}"
    elif found.share > limit:
        status, word = "differs", f"EXCEEDS {percent(limit)}"
    else:
        status, word = "differs", "POPULATIONS DIED" if found.died else "DECISIONS CHANGED"
    return VerdictRow(
        name="arithmetic",
        status=status,
        required=None
        if limit is None
        else f"at most {percent(limit)} of spikes missing or extra and of predicted classes changed (one sample in ten "
        "or more may), no population dies",
        met=None if limit is None else within,
        sentence=f"{word}: {_arithmetic_words(found)}",
    )


def allowed_decisions(limit: float, samples: int) -> int:
    """How many of `samples` predicted classes may be others where a share of `limit` of the spikes may differ: that
    share of them, and one more of ten or more samples, since two classes may have come out alike."""
    return int(limit * samples) + (1 if limit > 0 and samples >= 10 else 0)


def reading_verdict(require: Requirements, found: Reading | None = None) -> VerdictRow:
    """Whether the float model is the framework's own network, by its recorded run; not compared where none is given.

    Where one is, it is required, unless what is required was said in words.
    """
    compared = found is not None and found.compared
    wanted = compared if require.reading is None else require.reading
    if found is None or not (found.compared or found.steps_differ):
        sentence = (
            "NOT COMPARED with your framework: whether the float model is the network that was trained is not known; "
            "record your framework's own run with tern2lava.record(module, data) (docs/oracle.md)"
        )
        if found is not None:
            silent = "no neuron spikes in the recorded run, which shows nothing; " if found.populations else ""
            sentence = f"NOT COMPARED with your framework: {silent}{found}"
        status = "not compared"
    elif not found.ok:
        status, sentence = "differs", f"MISREAD: {found}"
    elif not found.populations:
        status, sentence = "equal", f"SCORES EQUAL: {found}"
    else:
        status = "within" if found.ties else "equal"
        word = f"EQUAL but for {found.dtype} ties" if found.ties else "EQUAL"
        sentence = f"{word}: {found}"
    return VerdictRow(
        name="reading",
        status=status,
        required="no misreading of the framework's own run" if wanted else None,
        met=compared and found is not None and found.ok if wanted else None,
        sentence=sentence,
    )


def images_verdict(require: Requirements, found: Translation | None = None) -> VerdictRow:
    """Whether the core images are the integer program for every input, as `prove` says; nothing is required where that
    was not looked at."""
    proven = found is not None and found.proven
    wanted = require.images and found is not None
    return VerdictRow(
        name="images",
        status="equal" if proven else "not compared" if found is None else "differs",
        required="the core images are the integers for every input" if wanted else None,
        met=proven if wanted else None,
        sentence="NOT PROVEN to be the program" if found is None else str(found),
    )


def _arithmetic_words(found: Arithmetic) -> str:
    """The numbers of the arithmetic verdict, most important first."""
    model = f"float model ({found.float_model})"
    if found.missing + found.extra:
        parts = [
            f"{count(found.missing, 'spike')} missing and {found.extra:,} extra of {found.float_spikes:,} in the "
            f"{model}, {percent(found.share)}"
        ]
    elif found.float_spikes:
        parts = [f"all {found.float_spikes:,} spikes are those of the {model}"]
    else:
        parts = [f"no neuron spiked, neither in integers nor in the {model}"]
    rows = {row.population: row for row in found.populations}
    if found.worst is not None and len(rows) > 1:
        parts.append(f"worst {found.worst} {percent(rows[found.worst].share)}")
    if found.died:
        parts.append(f"{_of(found.died, rows)} died")
    if found.silent and found.float_spikes:
        parts.append(f"{_of(found.silent, rows)} never spiked in either")
    if found.changed_decisions is not None:
        parts.append(f"predicted class changed in {found.changed_decisions:,} of {count(found.samples, 'sample')}")
    if found.float_ties:
        parts.append(f"taken as meant: {count(found.float_ties, 'tie')} that float64 rounds otherwise")
    if found.samples < found.data_samples:
        parts.append(f"measured on {found.samples:,} of {count(found.data_samples, 'sample')}")
    if found.ternarize is not None:
        parts.append(f"the float model has the weights as they were before --ternarize {found.ternarize}")
    return "; ".join(parts)


def _of(names: Sequence[str], among: Sized) -> str:
    return f"{len(names)} of {count(len(among), 'population')}"


def all_of(names: tuple[str, ...]) -> str:
    """Names as words: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def percent(share: float) -> str:
    """A share as a percentage of three digits: 0.00123 is 0.123 %, 0.2 is 20 %."""
    value = 100 * share
    if value == 0:
        return "0 %"
    digits = max(0, 2 - floor(log10(value)))
    text = f"{value:,.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"
