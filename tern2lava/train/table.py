"""The outcome of an experiment as a terminal table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

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
    ("near_threshold", "neuron-steps within 2 % of the threshold", "{:.4%}"),
    ("in_band", "neuron-steps within the certificate's band", "{:.4%}"),
)
NAMES = {
    "teacher": "full-precision teacher", "model": "trained network", "integer": "its integers",
    "compiled": "its core images",
}  # fmt: skip


def render_training(result: dict[str, Any]) -> Table:
    """One row per metric; a column for the teacher, the trained network, its integers, its core images, where there."""
    from rich.table import Table

    columns = [(key, result[key]) for key in NAMES if "accuracy" in (result.get(key) or {})]
    storage = result["storage"]
    table = Table(title=f"{result['config']['data']['name']}: {result['config']['network']['layers']}")
    table.add_column("on the test samples")
    for key, values in columns:
        note = f" ({values['samples']:,} samples)" if "samples" in values else ""
        table.add_column(NAMES[key] + note, justify="right")
    for key, heading, text in ROWS:
        if any(key in values for _, values in columns):
            table.add_row(heading, *(text.format(values[key]) if key in values else "" for _, values in columns))
    table.caption = f"{storage['weights']:,} weights, {storage['zeros']:.1%} of them zero; {result['seconds']:.0f} s"
    compiled = result.get("compiled") or {}
    if "refused" in compiled:
        table.caption += f"; not compiled: {compiled['refused']}"
    elif compiled:
        stored, coded = (storage["fp32_bits"] / compiled[key] for key in ("stored_bits", "coded_bits"))
        table.caption += (
            f"\nfp32 weights take {stored:.1f} times the synaptic memory on {compiled['target']}, {coded:.1f} times "
            f"the entropy-coded files"
        )
    return table
