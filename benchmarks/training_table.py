"""The table and the bars of benchmarks/training.py, from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import mean, stdev
from typing import Any

Record = Mapping[str, Any]
Value = Callable[[Record], float | None]


def scaled(record: Record, key: str) -> float | None:
    """fp32 bytes over the bytes under `key` and those of the scales (4 for each output channel)."""
    if key not in record:
        return None
    return float(record["fp32_bytes"] / (record[key] + record["scale_bytes"]))


def percent(key: str, *inner: str) -> Value:
    """100 times a value of a record; None where it has none."""

    def value(record: Record) -> float | None:
        found: Any = record
        for name in (key, *inner):
            if name not in found:
                return None
            found = found[name]
        return 100 * float(found)

    return value


def banded(record: Record, layer: int) -> float | None:
    """% of the neuron-timesteps of a hidden layer that are in the band."""
    shares = list(record.get("in_band_layers", {}).values())
    return 100.0 * shares[layer] if layer < len(shares) else None


# (heading, value of a record, format)
COLUMNS: tuple[tuple[str, Value, str], ...] = (
    ("accuracy %", percent("accuracy"), "{:.2f}"),
    ("NLL", lambda r: r["nll"], "{:.4f}"),
    ("Brier", lambda r: r["brier"], "{:.4f}"),
    ("ECE %", percent("ece"), "{:.2f}"),
    ("NLL scaled", lambda r: r.get("nll_scaled"), "{:.4f}"),
    ("ECE scaled %", percent("ece_scaled"), "{:.2f}"),
    ("entropy", lambda r: r["entropy"], "{:.3f}"),
    ("over time", lambda r: r["disagreement_over_time"], "{:.4f}"),
    ("integer accuracy %", percent("integer", "accuracy"), "{:.2f}"),
)
COSTS: tuple[tuple[str, Value, str], ...] = (
    ("spikes", lambda r: r["spikes_per_sample"], "{:,.0f}"),
    ("synops", lambda r: r["synops_per_sample"], "{:,.0f}"),
    ("energy nJ", lambda r: 1e9 * r["energy"], "{:,.0f}"),
    ("zeros %", percent("zeros"), "{:.1f}"),
    ("stored bytes", lambda r: r.get("stored_bytes", r["fp32_bytes"]), "{:,.0f}"),
    ("fp32 / stored", lambda r: scaled(r, "stored_bytes"), "{:.1f}"),
    ("coded bytes", lambda r: r.get("coded_bytes"), "{:,.0f}"),
    ("fp32 / coded", lambda r: scaled(r, "coded_bytes"), "{:.1f}"),
    ("near threshold %", percent("near_threshold"), "{:.3f}"),
    ("in band, layer 1 %", lambda r: banded(r, 0), "{:.4f}"),
    ("layer 2 %", lambda r: banded(r, 1), "{:.4f}"),
)
TOGETHER = (("disagreement_over_seeds", 1.0, "{:.4f}"), ("accuracy_together", 100.0, "{:.2f}"))
# Points of accuracy (percent) that ternary (b) + regulariser may lose to its teacher, and integers to the float model.
TEACHER_BAR = 1.0
INTEGER_BAR = 0.2
STORAGE_BAR = 16.0
CODEC_BAR = 20.0
QUICK_BAR = 0.85
# Cases with bars on accuracy, and the one with all bars.
BARRED = ("digits-mlp", "digits-conv", "fashion-mlp", "fashion-conv")
WHOLE = "fashion-conv"


def groups(records: Mapping[str, Record]) -> dict[str, dict[str, dict[int, Record]]]:
    """Records by case, method and seed."""
    found: dict[str, dict[str, dict[int, Record]]] = {}
    for key, record in records.items():
        case, method, seed = key.split("/")
        found.setdefault(case, {}).setdefault(method, {})[int(seed)] = record
    return found


def average(runs: Mapping[int, Record], value: Value) -> float:
    """Mean of a value over the seeds."""
    return mean(float(v) for record in runs.values() if (v := value(record)) is not None)


def cell(runs: Mapping[int, Record], value: Value, text: str) -> str:
    """Mean and sample standard deviation over the seeds, or nothing where it was not measured."""
    values = [v for record in runs.values() if (v := value(record)) is not None]
    if not values:
        return ""
    spread = f" ± {text.format(stdev(values))}" if len(values) > 1 else ""
    return text.format(mean(values)) + spread


def bars(records: Mapping[str, Record], *, quick: bool = False) -> list[tuple[str, float | None, str, float]]:
    """(bar, measured or None, "<=" or ">=", limit), of means over seeds."""
    found = groups(records)
    if quick:
        runs = found.get("digits-mlp", {}).get("distil+reg", {})
        accuracy = average(runs, lambda r: r["accuracy"]) if runs else None
        gap = average(runs, integer_gap) if runs else None
        return [
            ("digits-mlp: accuracy of (b) + regulariser", accuracy, ">=", QUICK_BAR),
            ("digits-mlp: points between float and integer accuracy", gap, "<=", INTEGER_BAR),
        ]
    result: list[tuple[str, float | None, str, float]] = []
    for case in BARRED:
        by_method: dict[str, dict[int, Mapping[str, Any]]] = {
            name: found.get(case, {}).get(name, {}) for name in ("full", "distil", "distil+reg")
        }
        whole = len(set.intersection(*map(set, by_method.values()))) >= 3
        ours = by_method["distil+reg"]

        def mean_of(method: str, value: Value, runs: Any = by_method, whole: bool = whole) -> float | None:
            return average(runs[method], value) if whole else None

        def above(value: Value, method: str, sign: float = 1.0, mean_of: Any = mean_of) -> float | None:
            one, other = mean_of("distil+reg", value), mean_of(method, value)
            return None if one is None or other is None else sign * (one - other)

        behind = above(percent("accuracy"), "full", -1.0)
        result.append((f"{case}: points of accuracy behind the teacher", behind, "<=", TEACHER_BAR))
        gap = max(integer_gap(record) for record in ours.values()) if whole else None
        result.append((f"{case}: points between float and integer accuracy, worst seed", gap, "<=", INTEGER_BAR))
        if case != WHOLE:
            continue
        for key, limit, words in (
            ("stored_bytes", STORAGE_BAR, "in the core images"), ("coded_bytes", CODEC_BAR, "entropy-coded")
        ):  # fmt: skip
            ratio = mean_of("distil+reg", lambda r, key=key: scaled(r, key))  # type: ignore[misc]
            result.append((f"{case}: fp32 bytes / bytes {words}, scales counted", ratio, ">=", limit))
        for key in ("nll", "ece"):
            for name, method in (("(b) without the regulariser", "distil"), ("the teacher", "full")):
                over = above(lambda r, key=key: r[key], method)  # type: ignore[misc]
                result.append((f"{case}: {key.upper()} above that of {name}", over, "<=", 0.0))
        for key, words in (("near_threshold", "near the threshold"), ("in_band", "in the certificate's band")):
            over = above(percent(key), "distil")
            result.append((f"{case}: % of neuron-timesteps {words} above that of (b) alone", over, "<=", 0.0))
    return result


def integer_gap(record: Record) -> float:
    """Points between float and integer accuracy."""
    return float(100.0 * abs(record["integer"]["accuracy"] - record["accuracy"]))


def check(records: Mapping[str, Record], *, quick: bool = False) -> list[str]:
    """One line for each bar that is missed or was not measured; one for each proof in Lava that failed."""
    short = []
    for name, found, sign, limit in bars(records, quick=quick):
        if found is None:
            short.append(f"{name}: not measured" + ("" if quick else " on three seeds"))
        elif not (found <= limit if sign == "<=" else found >= limit):
            short.append(f"{name}: {found:.4f}, the bar is {sign} {limit}")
    for key, record in records.items():
        if "lava" in record and not record["lava"]["equal"]:
            short.append(f"{key}: Lava differs from the integer program")
    return short


def rows(
    found: Mapping[str, Mapping[int, Record]],
    names: Mapping[str, str],
    columns: tuple[tuple[str, Value, str], ...],
    more: Mapping[str, Record] | None = None,
) -> list[str]:
    """A Markdown table: a row per method, mean ± standard deviation over its seeds. more: by method, what its seeds do
    together."""
    heads = [heading for heading, _, _ in columns] + (["over seeds", "accuracy together %"] if more else [])
    lines = ["| method | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for method, label in names.items():
        if runs := found.get(method):
            cells = [cell(runs, value, text) for _, value, text in columns]
            if more:
                both = more.get(method, {})
                for name, factor, text in TOGETHER:
                    cells.append(text.format(factor * both[name]) if both else "")
            lines.append(f"| {label} | {', '.join(map(str, sorted(runs)))} | " + " | ".join(cells) + " |")
    return lines


def weights_in(found: Mapping[str, Mapping[int, Record]]) -> str:
    """What the regulariser of a case was set to, as a sentence; empty where no network had one."""
    for record in found.get("distil+reg", {}).values():
        values = ", ".join(f"{key} {value:g}" for key, value in record["settings"]["regularizer"].items())
        return f" Regulariser: {values}."
    return ""


def about(settings: Record) -> str:
    """The first sentence on a case, from the settings of any of its records."""
    options = settings["options"]
    train = f"the first {settings['train']:,}" if settings["train"] else "all"
    share = settings.get("sparsity")
    return (
        f"`{settings['layers']}` on {settings['dataset']}, {train} training samples, "
        f"{'held-out training' if settings['held_out'] else 'all test'} samples; T = {options['steps']}, "
        f"{options['encoding']} coding, {options['epochs']} epochs of batches of {options['batch']}, "
        f"read by {settings['readout']}"
        + (f"; trained ternary networks have {share:.0%} zeros a channel." if share else ".")
    )


def section(
    case: str, found: dict[str, dict[int, Record]], more: Mapping[str, Record], methods: Mapping[str, str],
    ablation: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """The lines of one case."""
    settings = [record["settings"] for runs in found.values() for record in runs.values()]
    lines = [
        f"## {case}", "", about(max(settings, key=len)), "",
        f"Command: `uv run python benchmarks/training.py --only {case}`.{weights_in(found)}", "",
        *rows(found, methods, COLUMNS, more), "", *rows(found, methods, COSTS), "",
    ]  # fmt: skip
    if any(name in found for name in ablation):
        only = {name: f"only {', '.join(terms)}" for name, terms in ablation.items()}
        names = {"distil": "no regulariser", **only, "distil+reg": "all terms"}
        columns = (*COLUMNS, *COSTS[-3:])
        lines += [f"### {case}: the regulariser's terms", "", *rows(found, names, columns, more), ""]
    for method, runs in found.items():
        for seed, record in runs.items():
            if proof := record.get("lava"):
                words = "equal in every" if proof["equal"] else "NOT equal in every"
                lines.append(
                    f"{methods.get(method, method)}, seed {seed}: {proof['samples']} samples in Lava are {words} "
                    f"compared spike and state."
                )
    return [*lines, ""]


def markdown(
    records: Mapping[str, Record], over_seeds: Mapping[str, Record], *, methods: Mapping[str, str],
    ablation: Mapping[str, Any], quick: bool = False,
) -> str:  # fmt: skip
    """The results as a Markdown page."""
    lines = [
        "# Training: what was measured", "",
        "Written by `uv run python benchmarks/training.py`, which trains what is not in training.json yet. "
        "Mean ± sample standard deviation over the seeds named; docs/training.md says what each column is.", "",
    ]  # fmt: skip
    for case, found in groups(records).items():
        more = {key.split("/")[1]: value for key, value in over_seeds.items() if key.split("/")[0] == case}
        lines += section(case, found, more, methods, ablation)
    have = groups(records)
    missing = [
        f"{case} {method}"
        for case in (() if quick else BARRED) for method in methods if len(have.get(case, {}).get(method, {})) < 3
    ]  # fmt: skip
    if missing:
        lines += ["## Not finished", "", "Fewer than three seeds: " + ", ".join(missing) + ".", ""]
    lines += ["## Bars", "", "| bar | measured | limit | met |", "|---|---|---|---|"]
    for name, value, sign, limit in bars(records, quick=quick):
        if value is None:
            lines.append(f"| {name} | not measured on three seeds | {sign} {limit} | no |")
        else:
            met = value <= limit if sign == "<=" else value >= limit
            lines.append(f"| {name} | {value:.4f} | {sign} {limit} | {'yes' if met else '**no**'} |")
    return "\n".join(lines) + "\n"
