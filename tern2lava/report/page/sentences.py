"""The first screen of the page: does it fit, is it right, what did ternary save, each in one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass

from tern2lava.counts import count
from tern2lava.report.account import size_text
from tern2lava.report.headline import assumed_keys
from tern2lava.report.model import Report, TwinRow, VerdictRow, Verification
from tern2lava.report.verdicts import percent
from tern2lava.sim.verify.executions import EXECUTIONS


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One answer. mark: yes, no, or open (nothing was compared that would say); answer: in a few words; text: the
    sentence, with its numbers; keys: of report.json, that it rests on."""

    question: str
    mark: str
    answer: str
    text: str
    keys: tuple[str, ...]


def three_sentences(report: Report, cores: int) -> tuple[Sentence, Sentence, Sentence]:
    """The answers for a network on a target of `cores` cores."""
    return fit(report, cores), right(report), saved(report)


def fit(report: Report, cores: int) -> Sentence:
    """Whether it fits, in how much of the target, and how near to the least that is possible."""
    used, least = len(report.cores), report.cores_lower_bound
    text = f"{report.source or 'The network'} takes {used:,} of the {count(cores, 'core')} of {report.target}"
    text += f", on {count(report.chips, 'chip')}, and " if report.chips > 1 else ", and "
    text += "no mapping can use fewer" if used == least else f"no mapping can use fewer than {least:,}"
    return Sentence(
        question="Does it fit?", mark="yes", answer=f"It fits: {count(used, 'core')}",
        text=f"{text}{_assumed(report)}.",
        keys=("cores_lower_bound", "over_bound", "chips", "target", "assumptions"),
    )  # fmt: skip


def _assumed(report: Report) -> str:
    """What a mapping rests on that is not published."""
    keys = assumed_keys(report)
    if not keys:
        return ""
    what = count(len(keys), "number")
    if "core.synapse_memory" in keys:
        what = f"synapse memory and {count(len(keys) - 1, 'other number')}" if len(keys) > 1 else "synapse memory"
    return f", with {report.target} as it is modelled here: {what} assumed, not published"


def right(report: Report) -> Sentence:
    """Whether what the chip computes is the network, as far as it was looked at."""
    keys = ("verification.met", "verification.verdicts[].sentence", "verification.compared_values")
    found, question = report.verification, "Is it right?"
    if found is None:
        text = (
            "Nothing was run yet: tern2lava verify BUNDLE --data FILE compares core images, Lava, integers and the "
            "float model on your data."
        )
        return Sentence(question=question, mark="open", answer="Not checked yet", text=text, keys=("verification",))
    failed = [row for row in found.verdicts if row.met is False]
    if failed:
        said = "; ".join(_not_met(row, found) for row in failed)
        where = f"On {count(found.samples, 'sample')}, " if found.samples else ""
        text = f"{where}{said}. The verdicts below give the numbers and what is required."
        return Sentence(question=question, mark="no", answer="No: a check failed", text=text, keys=keys)
    return _passed(found, question, (*keys, "verification.arithmetic.share"))


def _not_met(row: VerdictRow, found: Verification) -> str:
    """What a verdict that is not met says of the user's network."""
    if row.status == "not compared":
        return f"{row.name} is required and was not compared"
    if row.name == "arithmetic":
        return f"the integers change more than is allowed: {_arithmetic(found)}"
    return {
        "execution": "core images, Lava and the integers do not compute the same",
        "reading": _reading(row),
        "ranges": "an accumulator left the range that its certificate states",
        "images": "the core images are not the program",
    }[row.name]


def _passed(found: Verification, question: str, keys: tuple[str, ...]) -> Sentence:
    """What held, where nothing that is required failed."""
    rows = {row.name: row for row in found.verdicts}
    if not found.samples:
        text = f"Without data only executions were compared: {_execution(found)}; the float model was not run."
        return Sentence(question=question, mark="open", answer="Executions agree", text=text, keys=keys)
    parts = [_execution(found), _arithmetic(found), _reading(rows["reading"])]
    text = f"On {count(found.samples, 'sample')}, {parts[0]}, and {parts[1]}; {parts[2]}."
    asked = [row for row in found.verdicts if row.met is not None]
    if not asked:
        return Sentence(question=question, mark="open", answer="Compared, nothing required", text=text, keys=keys)
    answer = "It is right on these data" if rows["arithmetic"].met else "What was required holds"
    return Sentence(question=question, mark="yes", answer=answer, text=text, keys=keys)


def _execution(found: Verification) -> str:
    """Which executions agree, in words of the first screen; where they need not and do not, that."""
    if not found.equal or (found.cover is not None and not found.cover.equal):
        return "executions differ"
    chain = found.chain or (found.cover.chain if found.cover is not None else [])
    lava = any(EXECUTIONS.get(name).lava for name in chain if name in EXECUTIONS)
    values = found.compared_values or (found.cover.compared_values if found.cover is not None else 0)
    who = "core images, Lava and the integers" if lava else "core images and the integers (Lava was not run)"
    return f"{who} agree in all {values:,} spikes and states"


def _arithmetic(found: Verification) -> str:
    counts = found.arithmetic
    differing = counts.missing + counts.extra
    if not counts.float_spikes and not differing:
        return "no neuron spiked in the float model either"
    if not differing:
        return f"all {counts.float_spikes:,} spikes are those of the float model"
    return f"{differing:,} spikes differ from the float model's {counts.float_spikes:,} ({percent(counts.share)})"


def _reading(row: VerdictRow) -> str:
    if row.status == "not compared":
        return "whether that is your framework's network was not compared"
    if row.status == "differs":
        return "the float model is not your framework's network"
    return "the float model is your framework's network on the recorded samples"


def saved(report: Report) -> Sentence:
    """What ternary weights save on the cores: against the same network mapped with 8-bit weights where it was, else
    against as many copies of the weights in plain formats. Like is held with like."""
    total, question = report.memory.total, "What did ternary save?"
    if report.twins:
        return _against_twin(report, question, report.twins[0], report.twins[1])
    keys = tuple(
        f"memory.total.{key}" for key in ("stored_bits", "held_weights", "ratio_int8", "ratio_fp32", "entropy_bits")
    )
    if total.ratio_int8 is None or total.ratio_fp32 is None:
        text = "There are no weights, and nothing is stored."
        return Sentence(question=question, mark="open", answer="There are no weights", text=text, keys=keys)
    text = (
        f"The cores store {size_text(total.stored_bits)} of weights, overheads and copies included; as many in int8 "
        f"would take {size_text(8 * total.held_weights)}, in fp32 {size_text(32 * total.held_weights)} "
        f"({_times(total.ratio_int8)} and {_times(total.ratio_fp32)} times that); {_once(report)}."
    )
    less = total.ratio_int8 > 1
    answer = f"{_times(total.ratio_int8)}x less than int8" if less else "Nothing against int8"
    return Sentence(question=question, mark="yes" if less else "no", answer=answer, text=text, keys=keys)


def _once(report: Report) -> str:
    """What the weights hold at least, each of them once."""
    return f"each weight once has an entropy of {size_text(report.memory.total.entropy_bits)}"


def _times(ratio: float) -> str:
    """How many times, in as many digits as one reads."""
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}"


def _against_twin(report: Report, question: str, own: TwinRow, twin: TwinRow) -> Sentence:
    keys = ("twins[].stored_bits", "twins[].cores", "memory.total.stored_bits", "memory.total.entropy_bits")
    if twin.stored_bits is None or not own.stored_bits:
        text = f"With 8-bit weights the network does not fit {report.target}; {_once(report)}."
        return Sentence(question=question, mark="yes", answer="8-bit weights do not fit", text=text, keys=keys)
    ratio = twin.stored_bits / own.stored_bits
    text = (
        f"Mapped alike with 8-bit weights, the network takes {size_text(twin.stored_bits)} of synaptic memory on "
        f"{count(twin.cores or 0, 'core')} instead of {size_text(own.stored_bits)} on {count(own.cores or 0, 'core')}; "
        f"{_once(report)}."
    )
    answer = f"{_times(ratio)}x less than 8 bits" if ratio > 1 else "Nothing against 8 bits"
    return Sentence(question=question, mark="yes" if ratio > 1 else "no", answer=answer, text=text, keys=keys)
