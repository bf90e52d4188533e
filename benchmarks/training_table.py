"""The table and the bars of benchmarks/training.py, from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import mean, stdev
from typing import Any

Record = Mapping[str, Any]
Value = Callable[[Record], float | None]

# (heading, value of a record, format)
COLUMNS: tuple[tuple[str, Value, str], ...] = (
    ("accuracy %", lambda r: 100 * r["accuracy"], "{:.2f}"),
    ("NLL", lambda r: r["nll"], "{:.4f}"),
    ("ECE %", lambda r: 100 * r["ece"], "{:.2f}"),
    ("NLL scaled", lambda r: r.get("nll_scaled"), "{:.4f}"),
    ("ECE scaled %", lambda r: 100 * r["ece_scaled"] if "ece_scaled" in r else None, "{:.2f}"),
    ("entropy", lambda r: r["entropy"], "{:.3f}"),
    ("over time", lambda r: r["disagreement_over_time"], "{:.4f}"),
    ("synops", lambda r: r["synops_per_sample"], "{:,.0f}"),
    ("energy nJ", lambda r: 1e9 * r["energy"], "{:,.0f}"),
    ("stored bytes", lambda r: r["stored_bytes"], "{:,.0f}"),
    ("fp32 / stored", lambda r: r["fp32_bytes"] / r["stored_bytes"], "{:.1f}"),
    ("integer accuracy %", lambda r: 100 * r["integer"]["accuracy"] if "integer" in r else None, "{:.2f}"),
    ("in band %", lambda r: 100 * r["in_band"] if "in_band" in r else None, "{:.4f}"),
    ("near threshold %", lambda r: 100 * r["near_threshold"], "{:.3f}"),
)
CASES = ("digits-mlp", "digits-conv", "fashion-mlp", "fashion-conv")
# Points of accuracy (percent) that ternary (b) + regulariser may lose to its teacher, and integers to the float model.
TEACHER_BAR = 1.0
INTEGER_BAR = 0.2
STORAGE_BAR = 16.0
CODEC_BAR = 20.0
QUICK_BAR = 0.85


def groups(records: Mapping[str, Record]) -> dict[str, dict[str, dict[int, Record]]]:
    """Records by case, method and seed."""
    found: dict[str, dict[str, dict[int, Record]]] = {}
    for key, record in sorted(records.items()):
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
        gap = max((abs(r["integer"]["accuracy"] - r["accuracy"]) * 100 for r in runs.values()), default=None)
        return [
            ("digits-mlp: accuracy of (b) + regulariser", accuracy, ">=", QUICK_BAR),
            ("digits-mlp: points between float and integer accuracy", gap, "<=", INTEGER_BAR),
        ]
    result: list[tuple[str, float | None, str, float]] = []
    for case in CASES:
        methods = found.get(case, {})
        teacher, plain, ours = (methods.get(name, {}) for name in ("full", "distil", "distil+reg"))
        seeds = set(teacher) & set(plain) & set(ours)
        whole = len(seeds) >= 3

        def of(runs: Mapping[int, Record], value: Value, whole: bool = whole) -> float | None:
            return average(runs, value) if whole else None

        def minus(a: float | None, b: float | None) -> float | None:
            return None if a is None or b is None else a - b

        def accuracy_of(record: Record) -> float:
            return 100 * float(record["accuracy"])

        behind = minus(of(teacher, accuracy_of), of(ours, accuracy_of))
        result.append((f"{case}: points of accuracy behind the teacher", behind, "<=", TEACHER_BAR))
        gap = of(ours, lambda r: abs(100 * r["integer"]["accuracy"] - 100 * r["accuracy"]))
        result.append((f"{case}: points between float and integer accuracy", gap, "<=", INTEGER_BAR))
        if case != "fashion-conv":
            continue
        stored = of(ours, lambda r: r["fp32_bytes"] / r["stored_bytes"])
        result.append((f"{case}: fp32 bytes / stored bytes, all overheads: at least", stored, ">=", STORAGE_BAR))
        result.append((f"{case}: fp32 bytes / stored bytes, all overheads: aim of the codecs", stored, ">=", CODEC_BAR))
        for key in ("nll", "ece"):
            value = of(ours, lambda r, key=key: r[key])  # type: ignore[misc]
            for name, other in (("(b) without the regulariser", plain), ("the teacher", teacher)):
                over = minus(value, of(other, lambda r, key=key: r[key]))  # type: ignore[misc]
                result.append((f"{case}: {key.upper()} above that of {name}", over, "<=", 0.0))
        for key in ("in_band", "near_threshold"):
            value = of(ours, lambda r, key=key: r[key])  # type: ignore[misc]
            over = minus(value, of(plain, lambda r, key=key: r[key]))  # type: ignore[misc]
            result.append((f"{case}: {key} above that of (b) without the regulariser", over, "<=", 0.0))
    return result


def check(records: Mapping[str, Record], *, quick: bool = False) -> list[str]:
    """One line for each bar that is missed or was not measured; one for each proof in Lava that failed."""
    short = []
    for name, found, sign, limit in bars(records, quick=quick):
        if found is None:
            short.append(f"{name}: not measured on three seeds")
        elif not (found <= limit if sign == "<=" else found >= limit):
            short.append(f"{name}: {found:.4f}, the bar is {sign} {limit}")
    for key, record in records.items():
        if "lava" in record and not record["lava"]["equal"]:
            short.append(f"{key}: Lava differs from the integer program")
    return short


def rows(found: Mapping[str, Mapping[int, Record]], names: Mapping[str, str]) -> list[str]:
    """A Markdown table: a row per method, mean ± standard deviation over its seeds."""
    heads = [heading for heading, _, _ in COLUMNS]
    lines = ["| method | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for method, label in names.items():
        if runs := found.get(method):
            cells = [cell(runs, value, text) for _, value, text in COLUMNS]
            lines.append(f"| {label} | {', '.join(map(str, sorted(runs)))} | " + " | ".join(cells) + " |")
    return lines


def weights_in(found: Mapping[str, Mapping[int, Record]]) -> str:
    """What the regulariser of a case was set to, as a sentence; empty where no network had one."""
    for record in found.get("distil+reg", {}).values():
        values = ", ".join(f"{key} {value:g}" for key, value in record["settings"]["regularizer"].items())
        return f" Regulariser: {values}."
    return ""


def markdown(records: Mapping[str, Record], methods: Mapping[str, str], ablation: Mapping[str, Any]) -> str:
    """The results as a Markdown page."""
    lines = [
        "# Training: what was measured", "",
        "Written by `uv run python benchmarks/training.py`, which trains what is not in training.json yet. "
        "Mean ± sample standard deviation over the seeds named; docs/training.md says what each column is.", "",
    ]  # fmt: skip
    for case, found in groups(records).items():
        first = next(iter(next(iter(found.values())).values()))
        settings = first["settings"]
        options = settings["options"]
        train = f"the first {settings['train']:,}" if settings["train"] else "all"
        lines += [
            f"## {case}", "",
            f"`{settings['layers']}` on {settings['dataset']}, {train} training samples, "
            f"{'held-out training' if settings['held_out'] else 'all test'} samples; T = {options['steps']}, "
            f"{options['encoding']} coding, {options['epochs']} epochs of batches of {options['batch']}, "
            f"read by {settings['readout']}.",
            "", f"Command: `uv run python benchmarks/training.py --only {case}`.{weights_in(found)}",
            "", *rows(found, methods), "",
        ]  # fmt: skip
        if any(name in found for name in ablation):
            only = {name: f"only {', '.join(terms)}" for name, terms in ablation.items()}
            names = {"distil": "no regulariser", **only, "distil+reg": "all terms"}
            lines += [f"### {case}: the regulariser's terms", "", *rows(found, names), ""]
        for method, runs in found.items():
            for seed, record in runs.items():
                if proof := record.get("lava"):
                    words = "equal in every" if proof["equal"] else "NOT equal in every"
                    lines.append(
                        f"{methods.get(method, method)}, seed {seed}: {proof['samples']} samples in Lava are {words} "
                        f"compared spike and state."
                    )
        lines.append("")
    have = groups(records)
    missing = [
        f"{case} {method}"
        for case in CASES for method in methods if len(have.get(case, {}).get(method, {})) < 3
    ]  # fmt: skip
    missing += [f"{name} (ablation)" for name in ablation if not any(name in runs for runs in have.values())]
    if missing:
        lines += ["## Not finished", "", "Fewer than three seeds: " + ", ".join(missing) + ".", ""]
    lines += ["## Bars", "", "| bar | measured | limit | met |", "|---|---|---|---|"]
    for name, value, sign, limit in bars(records):
        if value is None:
            lines.append(f"| {name} | not measured on three seeds | {sign} {limit} | no |")
        else:
            met = value <= limit if sign == "<=" else value >= limit
            lines.append(f"| {name} | {value:.4f} | {sign} {limit} | {'yes' if met else '**no**'} |")
    return "\n".join(lines) + "\n"
