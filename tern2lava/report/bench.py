"""NeuroBench's numbers as terminal tables."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.sheet import NOTHING, Paragraph, sheet, text_column

FORMS = (
    ("float32 weights", "footprint_fp32_bytes"), ("8-bit weights", "footprint_int8_bytes"),
    ("codes at their width", "footprint_ternary_bytes"), ("entropy-coded file", "footprint_encoded_bytes"),
    ("on the target's cores, copies too", "footprint_stored_bytes"), ("all core images", "footprint_images_bytes"),
)  # fmt: skip


def bench_table(result: dict[str, Any]) -> RenderableType:
    """The numbers of tern2lava.bench: those of NeuroBench, the operations of each layer, the weights in every form."""
    own, operations = result["tern2lava"], result["SynapticOperations"]
    over = f"{count(own['samples'], 'sample')} of {count(own['steps'], 'step')}"
    numbers = sheet(f"NeuroBench, over {over}", (text_column("Metric"), "Value", text_column("Unit", 1)))
    numbers.add_row("Footprint", _whole(result["Footprint"]), "bytes of parameters and buffers")
    numbers.add_row("ConnectionSparsity", _share(result["ConnectionSparsity"]), "of weights are 0")
    numbers.add_row("ActivationSparsity", _share(result["ActivationSparsity"]), "of neurons and steps without a spike")
    for key, words in (
        ("Effective_ACs", "additions a sample"), ("Effective_MACs", "multiplications with addition a sample"),
        ("Dense", "operations a sample if nothing were 0"),
    ):  # fmt: skip
        numbers.add_row(f"SynapticOperations {key}", f"{operations[key]:,.1f}", words)
    if "ClassificationAccuracy" in result:
        numbers.add_row("ClassificationAccuracy", _share(result["ClassificationAccuracy"]), "of samples")
    layers = sheet("Operations a sample", ("Layer", "ACs", "MACs", "Dense"))
    for row in own["layers"]:
        cells = (row["Effective_ACs"], row["Effective_MACs"], row["Dense"])
        layers.add_row(row["layer"], *(f"{cell:,.1f}" for cell in cells))
    memory = sheet("The weights, which NeuroBench counts in float32", ("Form", "Bytes", "Of float32"))
    plain = own["footprint_fp32_bytes"]
    for words, key in FORMS:
        share = f"{100 * own[key] / plain:.1f} %" if plain else NOTHING
        memory.add_row(words, f"{own[key]:,}", share)
    return Group(numbers, layers, memory, *(Paragraph(line) for line in own["not_counted"]))


def _whole(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"
