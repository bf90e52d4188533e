"""Pictures of a finished training, from its metrics.json and log.jsonl: PNG for looking, SVG for papers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.files.json_text import read_json
from tern2lava.train.log import read_log
from tern2lava.writing import write_file

FORMATS = ("png", "svg")
SIZE = (5.0, 4.0)
"""Inches."""

Draw = Callable[[Any, dict[str, Any], list[dict[str, Any]]], bool]


def losses(axes: Any, metrics: dict[str, Any], log: list[dict[str, Any]]) -> bool:
    """Every term of the loss by epoch, of each stage."""
    series: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    for line in log:
        for term, value in line.items():
            if term not in ("stage", "epoch") and isinstance(value, int | float):
                epochs, values = series.setdefault((line["stage"], term), ([], []))
                epochs.append(line["epoch"])
                values.append(value)
    for (stage, term), (epochs, values) in series.items():
        axes.plot(epochs, values, marker=".", label=f"{stage}: {term}")
    top = max((value for _, values in series.values() for value in values), default=0.0)
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.2 * top or 1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")
    return bool(series)


def reliability(axes: Any, metrics: dict[str, Any], log: list[dict[str, Any]]) -> bool:
    """Accuracy by confidence, before and after temperature scaling, and the share of samples in each bar."""
    judged = metrics.get("judge") or {}
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="calibrated")
    for key, label, marker in (("reliability", "as it is", "o-"), ("reliability_scaled", "scaled", "s--")):
        bars = [bar for bar in judged.get(key, []) if bar["samples"]]
        if bars:
            axes.plot([b["confidence"] for b in bars], [b["accuracy"] for b in bars], marker, label=label)
    bars = judged.get("reliability", [])
    total = max(1, sum(bar["samples"] for bar in bars))
    axes.bar(
        [bar["above"] for bar in bars], [bar["samples"] / total for bar in bars], color="0.85", align="edge",
        width=[bar["to"] - bar["above"] for bar in bars], label="share of samples", zorder=0,
    )  # fmt: skip
    axes.set(xlabel="largest probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.03))
    axes.legend(fontsize="small", loc="upper left")
    return bool(bars)


def coverage(axes: Any, metrics: dict[str, Any], log: list[dict[str, Any]]) -> bool:
    """The share of errors among the surest predictions."""
    points = (metrics.get("judge") or {}).get("risk_coverage", [])
    axes.plot([point[0] for point in points], [point[1] for point in points])
    axes.set(xlabel="coverage (share of samples, surest first)", ylabel="risk (share of errors)", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    return bool(points)


def corruptions(axes: Any, metrics: dict[str, Any], log: list[dict[str, Any]]) -> bool:
    """NLL by the strength of each corruption, 0 being the test samples as they are."""
    judged = metrics.get("judge") or {}
    shifts = judged.get("corruptions", {})
    for (kind, rows), colour in zip(shifts.items(), ("C0", "C1", "C2", "C3", "C4"), strict=False):
        strengths = range(len(rows) + 1)
        axes.plot(strengths, [judged["plain"]["nll"], *(r["nll"] for r in rows)], "o-", color=colour, label=kind)
        if "nll_scaled" in rows[0]:
            scaled = [judged["scaled"]["nll"], *(row["nll_scaled"] for row in rows)]
            axes.plot(strengths, scaled, "s--", color=colour, label=f"{kind}, scaled")
    axes.set(xlabel="strength", ylabel="NLL (nats)", ylim=(0, None))
    if shifts:
        axes.legend(fontsize="small")
    return bool(shifts)


PLOTS: dict[str, Draw] = {
    "losses": losses, "reliability": reliability, "risk-coverage": coverage, "corruptions": corruptions,
}  # fmt: skip
"""What is drawn, by the name of its files; True where there was anything to draw."""


def plot(folder: Path) -> list[Path]:
    """The pictures written beside the metrics.json of a finished training, of what it holds: NAME.png and NAME.svg.

    Raises MissingPackageError without matplotlib, InputError for a folder that has no metrics.json.
    """
    require("plots")
    import matplotlib
    from matplotlib.figure import Figure

    metrics = read_json(folder / "metrics.json")
    if not isinstance(metrics, dict):
        raise InputError(
            folder / "metrics.json", f"requires what `train` writes; found a {type(metrics).__name__}; train anew"
        )
    log = read_log(folder)
    written = []
    for name, draw in PLOTS.items():
        figure = Figure(figsize=SIZE, layout="constrained")
        if not draw(figure.add_subplot(), metrics, log):
            continue
        for kind in FORMATS:
            path = folder / f"{name}.{kind}"
            # The same bytes for the same numbers.
            with matplotlib.rc_context({"svg.hashsalt": name}):
                options: dict[str, Any] = {"format": kind, "metadata": {"Date": None} if kind == "svg" else None}
                write_file(path, lambda aside, f=figure, o=options: f.savefig(aside, dpi=120, **o))  # type: ignore[misc]
            written.append(path)
    return written
