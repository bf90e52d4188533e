"""The tables and the bars of benchmarks/training.py, from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from training_cases import CASES, METHODS

from tern2lava.train.uncertainty.paired import paired

Record = Mapping[str, Any]
Value = Callable[[Record], float | None]
Runs = Mapping[str, Mapping[int, Record]]
"""By method and seed."""


def value(*keys: str, times: float = 1.0) -> Value:
    """`times` what stands under these keys of a record; None where nothing does."""

    def found(record: Record) -> float | None:
        at: Any = record
        for key in keys:
            if not isinstance(at, Mapping) or key not in at:
                return None
            at = at[key]
        return times * float(at)

    return found


COLUMNS: tuple[tuple[str, Value, str], ...] = (
    ("held-out accuracy %", value("held", "accuracy", times=100), "{:.2f}"),
    ("NLL", value("held", "nll"), "{:.4f}"),
    ("scaled", value("held", "nll_scaled"), "{:.4f}"),
    ("test accuracy %", value("test", "accuracy", times=100), "{:.2f}"),
    ("NLL", value("test", "nll"), "{:.4f}"),
    ("ECE %", value("test", "ece", times=100), "{:.2f}"),
    ("NLL scaled", value("test", "nll_scaled"), "{:.4f}"),
    ("ECE scaled %", value("test", "ece_scaled", times=100), "{:.2f}"),
    ("AUROC %", value("auroc", times=100), "{:.2f}"),
    ("integers %", value("integer", "accuracy", times=100), "{:.2f}"),
    ("zeros %", value("zeros", times=100), "{:.1f}"),
    ("synops", value("integer", "synops_per_sample"), "{:,.0f}"),
    ("CPU s", value("seconds"), "{:,.0f}"),
)
PAIR, SMALL, LARGE = "fashion-29k-pair", "fashion-29k", "fashion-421k"
OURS = "regularised"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar: what is measured (None: not yet), and the most or least it may be."""

    name: str
    measured: float | None
    sign: str
    limit: float
    note: str = ""

    @property
    def met(self) -> bool:
        if self.measured is None:
            return False
        return self.measured <= self.limit if self.sign == "<=" else self.measured >= self.limit


def groups(records: Mapping[str, Record]) -> dict[str, dict[str, dict[int, Record]]]:
    """Records by case, method and seed."""
    found: dict[str, dict[str, dict[int, Record]]] = {}
    for key, record in records.items():
        case, method, seed = key.split("/")
        found.setdefault(case, {}).setdefault(method, {})[int(seed)] = record
    return found


def average(runs: Runs, method: str, wanted: Value) -> float | None:
    """Mean over the seeds; None where one was not measured, or none is there."""
    values = [wanted(record) for record in runs.get(method, {}).values()]
    return None if not values or any(v is None for v in values) else mean(float(v) for v in values if v is not None)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Paired difference over the common seeds: mean, and the limits of its 95 % interval."""

    mean: float
    low: float
    high: float
    seeds: int


def mean_of(pair: Pair | None) -> float | None:
    """The mean of a difference that was measured."""
    return None if pair is None else pair.mean


def having(runs: Runs, method: str, wanted: Value) -> list[int]:
    """The seeds of which a value was measured."""
    return [seed for seed, record in runs.get(method, {}).items() if wanted(record) is not None]


def difference(runs: Runs, one: str, other: str, wanted: Value, least: int = 2) -> Pair | None:
    """one - other over the seeds that have both; None where fewer than `least` have."""
    both = sorted(set(having(runs, one, wanted)) & set(having(runs, other, wanted)))
    values = [(wanted(runs[one][seed]), wanted(runs[other][seed])) for seed in both]
    if len(both) < least:
        return None
    found = paired([float(a) for a, _ in values if a is not None], [float(b) for _, b in values if b is not None])
    return Pair(mean=found.mean, low=found.low, high=found.high, seeds=len(both))


def bars(records: Mapping[str, Record], *, quick: bool = False) -> list[Bar]:
    """The bars of docs/training.md."""
    found = groups(records)
    if quick:
        runs = found.get("digits", {})
        accuracy = average(runs, OURS, value("test", "accuracy"))
        return [Bar(name="digits: accuracy of the regularised network", measured=accuracy, sign=">=", limit=0.85)]
    return [*_regulariser(found.get(PAIR, {})), *_others(found.get(SMALL, {})), *_precision(found), *_shift(found)] + [
        Bar(
            name=f"{case}: points between float and integer accuracy, worst network",
            measured=max(gaps_of(methods), default=None),
            sign="<=", limit=0.2,
        )
        for case, methods in found.items()
    ]  # fmt: skip


def gaps_of(runs: Runs) -> list[float]:
    """The integer_gap of all networks that have one."""
    gaps = (integer_gap(record) for by_seed in runs.values() for record in by_seed.values())
    return [gap for gap in gaps if gap is not None]


def integer_gap(record: Record) -> float | None:
    """Points between float and integer accuracy on the test samples."""
    if "integer" not in record:
        return None
    return float(100.0 * abs(record["integer"]["accuracy"] - record["test"]["accuracy"]))


def _regulariser(runs: Runs) -> list[Bar]:
    """With the regulariser against the same without."""
    result = []
    for name, wanted, sign, limit in (
        ("points of accuracy gained", value("held", "accuracy", times=100), ">=", 0.2),
        ("NLL gained", value("held", "nll"), "<=", -0.005),
    ):
        pair = difference(runs, OURS, "direct", wanted, 20)
        up = sign == ">="
        mean_, near = (None, None) if pair is None else (pair.mean, pair.low if up else pair.high)
        text = "" if pair is None else f"{pair.seeds} seeds, 95 %: {pair.low:+.4f} to {pair.high:+.4f}"
        result += [
            Bar(name=f"regulariser, held-out samples: {name}", measured=mean_, sign=sign, limit=limit, note=text),
            Bar(name=f"regulariser, held-out samples: end of the interval nearer 0, {name}", measured=near, sign=sign,
                limit=0.0),
        ]  # fmt: skip
    for name, wanted, sign in (
        ("points of accuracy gained", value("test", "accuracy", times=100), ">="),
        ("NLL gained", value("test", "nll"), "<="),
    ):
        pair = difference(runs, OURS, "direct", wanted, 20)
        result.append(Bar(name=f"regulariser, test samples: {name}", measured=mean_of(pair), sign=sign, limit=0.0))
    ece = average(runs, OURS, value("test", "ece", times=100))
    result.append(Bar(name="regulariser, test samples: ECE %", measured=ece, sign="<=", limit=1.5))
    scaled = difference(runs, OURS, "direct", value("held", "nll_scaled"), 20)
    result.append(
        Bar(name="regulariser: NLL after temperature scaling", measured=mean_of(scaled), sign="<=", limit=0.0)
    )
    return result


def _others(runs: Runs) -> list[Bar]:
    """Against what takes as much CPU time."""
    result = []
    for method in ("direct", "smoothed", "mixed", "tet"):
        accuracy = difference(runs, OURS, method, value("test", "accuracy", times=100), 5)
        nll = difference(runs, OURS, method, value("test", "nll"), 5)
        half = None if accuracy is None else min((accuracy.high - accuracy.low) / 2, 0.4)
        title = METHODS[method].title
        result += [
            Bar(name=f"regularised against {title}: points of accuracy", measured=mean_of(accuracy), sign=">=",
                limit=-half if half is not None else 0.0, note="limit: minus half the interval, at most 0.4"),
            Bar(name=f"regularised against {title}: upper end of the interval of NLL",
                measured=None if nll is None else nll.high, sign="<=", limit=0.0),
        ]  # fmt: skip
    return result


def _precision(found: Mapping[str, Runs]) -> list[Bar]:
    """Ternary against full precision of equal length."""
    result = []
    for case, least in ((SMALL, 90.0), (LARGE, 91.5)):
        runs, accuracy = found.get(case, {}), value("test", "accuracy", times=100)
        ours, full = average(runs, OURS, accuracy), average(runs, "full", accuracy)
        behind = None if ours is None or full is None else full - ours
        result += [
            Bar(name=f"{case}: points behind full precision of equal length", measured=behind, sign="<=", limit=0.8),
            Bar(name=f"{case}: accuracy %", measured=ours, sign=">=", limit=least),
        ]
    return result


def _shift(found: Mapping[str, Runs]) -> list[Bar]:
    """On samples of another data set, and corrupted ones."""
    runs = found.get(PAIR, {})
    auroc = difference(runs, OURS, "direct", value("auroc", times=100), 5)
    cells = [record["shifted"] for record in runs.get(OURS, {}).values() if "shifted" in record]
    better = None
    if cells:
        pairs = [difference(runs, OURS, "direct", value("shifted", cell, "nll"), 5) for cell in cells[0]]
        better = None if None in pairs else float(sum(pair.mean < 0 for pair in pairs if pair is not None))
    return [
        Bar(name="AUROC of MNIST gained, points", measured=mean_of(auroc), sign=">=", limit=1.0),
        Bar(name="corruptions of 15 with lower NLL", measured=better, sign=">=", limit=12),
    ]


def check(records: Mapping[str, Record], *, quick: bool = False) -> list[str]:
    """One line for each bar that is missed or was not measured; one for each proof in Lava that failed."""
    short = [
        f"{bar.name}: not measured" if bar.measured is None
        else f"{bar.name}: {bar.measured:.4f}, the bar is {bar.sign} {bar.limit:.4g}"
        for bar in bars(records, quick=quick) if not bar.met
    ]  # fmt: skip
    for key, record in records.items():
        if "lava" in record and not record["lava"]["equal"]:
            short.append(f"{key}: Lava differs from the integer program")
    return short


def cell(runs: Mapping[int, Record], wanted: Value, text: str) -> str:
    """Mean and sample standard deviation over the seeds, or nothing where it was not measured."""
    values = [v for record in runs.values() if (v := wanted(record)) is not None]
    if not values:
        return ""
    return text.format(mean(values)) + (f" ± {text.format(stdev(values))}" if len(values) > 1 else "")


def section(case: str, runs: Runs) -> list[str]:
    """The lines of one case."""
    settings: Record = CASES[case].training
    lines = [
        f"## {case}", "",
        f"`{CASES[case].layers}` on {CASES[case].data['name']}; T = {settings['steps']}, {settings['encoding']} "
        f"coding; full precision for {CASES[case].start} epochs, from which all others go on for {CASES[case].epochs}"
        + (f" ({CASES[case].more} more where there are no teachers to pay for)" if CASES[case].more else "")
        + f". Command: `uv run python benchmarks/training.py --only {case}`.", "",
        "| method | seeds | " + " | ".join(head for head, _, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]  # fmt: skip
    for method in METHODS:
        if by_seed := runs.get(method):
            cells = [cell(by_seed, wanted, text) for _, wanted, text in COLUMNS]
            lines.append(f"| {METHODS[method].title} | {len(by_seed)} | " + " | ".join(cells) + " |")
    lines += ["", "Regularised minus the other, over common seeds, with 95 % intervals:", ""]
    lines += ["| other | seeds | held-out accuracy | NLL | test accuracy | NLL | AUROC |", "|---" * 7 + "|"]
    for method in METHODS:
        pairs = [
            (difference(runs, OURS, method, wanted), text)
            for wanted, text in (
                (value("held", "accuracy", times=100), "{:+.2f}"), (value("held", "nll"), "{:+.4f}"),
                (value("test", "accuracy", times=100), "{:+.2f}"), (value("test", "nll"), "{:+.4f}"),
                (value("auroc", times=100), "{:+.2f}"),
            )
        ]  # fmt: skip
        if method != OURS and pairs[0][0] is not None:
            shown = [
                "" if p is None else f"{text.format(p.mean)} ({text.format(p.low)} to {text.format(p.high)})"
                for p, text in pairs
            ]
            lines.append(f"| {METHODS[method].title} | {pairs[0][0].seeds} | " + " | ".join(shown) + " |")
    for method, by_seed in runs.items():
        for seed, record in by_seed.items():
            if proof := record.get("lava"):
                words = "equal" if proof["equal"] else "NOT equal"
                lines += ["", f"{METHODS[method].title}, seed {seed}: {proof['samples']} samples in Lava are {words}."]
    return [*lines, ""]


def markdown(records: Mapping[str, Record], *, quick: bool = False) -> str:
    """The results as a Markdown page."""
    lines = [
        "# Training: what was measured", "",
        "Written by `uv run python benchmarks/training.py`, which trains what is not in training.json yet. "
        "Mean ± sample standard deviation over seeds; docs/training.md says what each column is.", "",
    ]  # fmt: skip
    for case, runs in groups(records).items():
        lines += section(case, runs)
    lines += ["## Bars", "", "| bar | measured | limit | met | |", "|---|---|---|---|---|"]
    for bar in bars(records, quick=quick):
        measured = "not measured" if bar.measured is None else f"{bar.measured:.4f}"
        met = "yes" if bar.met else "**no**"
        lines.append(f"| {bar.name} | {measured} | {bar.sign} {bar.limit:.4g} | {met} | {bar.note} |")
    return "\n".join(lines) + "\n"
