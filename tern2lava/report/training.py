"""The outcome of an experiment as a terminal table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.sheet import NOTHING, Paragraph, sheet

# (key in metrics.json, heading, format)
ROWS = (
    ("accuracy", "accuracy", "{:.4f}"),
    ("nll", "negative log-likelihood (nats)", "{:.4f}"),
    ("brier", "Brier score", "{:.4f}"),
    ("ece", "calibration error (15 bins)", "{:.4f}"),
    ("entropy", "predictive entropy (nats)", "{:.4f}"),
    ("disagreement_over_time", "disagreement over time (nats)", "{:.4f}"),
    ("spikes_per_sample", "spikes per sample", "{:,.0f}"),
    ("synops_per_sample", "synaptic operations per sample", "{:,.0f}"),
    ("near_threshold", "neuron-timesteps within 2 % of the threshold", "{:.4%}"),
    ("in_band", "neuron-timesteps within the certificate's band", "{:.4%}"),
)
SCORE_NAMES = {"max_probability": "largest probability", "entropy": "entropy"}
UNITS = {"cores": "cores", "bytes": "bytes of synaptic memory", "fan_in": "synapses of a neuron"}
NAMES = {
    "teacher": "full-precision teacher", "model": "trained network", "integer": "its integers",
    "compiled": "its core images",
}  # fmt: skip


def render_training(result: dict[str, Any]) -> RenderableType:
    """One row per metric; a column for the teacher, the trained network, its integers, its core images, where there."""
    columns = [(key, result[key]) for key in NAMES if "accuracy" in (result.get(key) or {})]
    headings = [
        NAMES[key] + (f" ({count(values['samples'], 'sample')})" if "samples" in values else "")
        for key, values in columns
    ]
    title = f"{result['config']['data']['name']}: {result['config']['network']['layers']}"
    table = sheet(title, ("On the test samples", *headings))
    for key, heading, text in ROWS:
        if any(key in values for _, values in columns):
            table.add_row(heading, *(text.format(values[key]) if key in values else NOTHING for _, values in columns))
    return Group(table, *(Paragraph(line) for line in [*_judged(result), *_storage(result)]))


def _judged(result: dict[str, Any]) -> list[str]:
    """Lines on what `judge` measured."""
    judged = result.get("judge") or {}
    lines = []
    if scaled := judged.get("scaled"):
        lines.append(
            f"at the temperature {scaled['temperature']:.2f} of {count(scaled['held_out'], 'held-out sample')}: NLL "
            f"{scaled['nll']:.4f}, calibration error {scaled['ece']:.4f}"
        )
    if other := judged.get("out_of_distribution"):
        areas = ", ".join(f"{other[key]['auroc']:.4f} by {name}" for key, name in SCORE_NAMES.items())
        lines.append(f"{count(other['samples'], 'sample')} of {other['name']} told from its own: AUROC {areas}")
    for kind, rows in judged.get("corruptions", {}).items():
        cells = ", ".join(f"{row['accuracy']:.3f}/{row['nll']:.2f}" for row in rows)
        lines.append(f"{kind} of strengths 1 to {len(rows)}, accuracy/NLL: {cells}")
    if dropout := judged.get("dropout"):
        lines.append(
            f"mean of {count(dropout['passes'], 'pass')} with dropout: accuracy "
            f"{dropout['mean']['accuracy']:.4f}, NLL {dropout['mean']['nll']:.4f}"
        )
    return lines


def render_seeds(summary: dict[str, Any]) -> RenderableType:
    """One row per metric, its mean over seeds and half its interval; columns as render_training has them."""
    columns = [(key, summary[key]) for key in NAMES if key in summary]
    config, seeds = summary["config"], summary["seeds"]
    title = f"{config['data']['name']}: {config['network']['layers']}, {count(len(seeds), 'seed')}"
    table = sheet(title, ("On the test samples", *(NAMES[key] for key, _ in columns)))
    for key, heading, text in ROWS:
        if any(key in values for _, values in columns):
            table.add_row(heading, *(_over_seeds(values.get(key), text) for _, values in columns))
    interval = f"mean ± half the width of its {summary['level']:.0%} interval (Student's t); " if len(seeds) > 1 else ""
    return Group(table, Paragraph(f"{interval}{summary['seconds']:.0f} s in all"))


def _over_seeds(found: dict[str, Any] | None, text: str) -> str:
    if found is None:
        return NOTHING
    mean = text.format(found["mean"])
    return mean if found["high"] is None else f"{mean} ± {text.format(found['high'] - found['mean'])}"


def _target(target: dict[str, Any] | None) -> Iterator[str]:
    """A line on what the network takes of the target that it was trained for, beside what it may take."""
    if target is None or not target["limits"]:
        return
    pairs = [
        f"{target['took'].get(name, NOTHING)} of {most:,} {UNITS[name]}" for name, most in target["limits"].items()
    ]
    verdict = "within what was asked of it" if target["met"] else "MORE than was asked of it"
    yield f"{target['profile']}: {', '.join(pairs)}: {verdict}"


def _storage(result: dict[str, Any]) -> list[str]:
    """Lines on what the weights take, and why the network was not compiled where it was not."""
    storage, compiled = result["storage"], result.get("compiled") or {}
    weights = f"{storage['weights']:,} weights, {storage['zeros']:.1%} of them zero; {result['seconds']:.0f} s"
    lines = [*_target(result.get("target")), weights]
    if "refused" in compiled:
        lines.append(f"not compiled: {compiled['refused']}")
    elif compiled:
        stored, coded = (
            f"{storage['fp32_bits'] / compiled[key]:,.1f}" if compiled[key] else NOTHING
            for key in ("stored_bits", "coded_bits")
        )
        lines.append(
            f"fp32 weights take {stored} times the synaptic memory on {compiled['target']}, {coded} times the "
            "entropy-coded files"
        )
    return lines
