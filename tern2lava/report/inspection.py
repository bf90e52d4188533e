"""An inspected checkpoint as terminal tables."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType

from tern2lava.frontends.inspect.facts import Inspection, TensorFacts
from tern2lava.frontends.inspect.ternary import Form
from tern2lava.report.sheet import Paragraph, plain, sheet, text_column


def render_inspection(found: Inspection) -> RenderableType:
    """What the file is, its tensors, its neuron layers and what a net.yaml must add."""
    parts: list[RenderableType] = [Paragraph(f"{found.path}: {found.format}, {found.content}", style="bold")]
    if found.prefix:
        parts.append(Paragraph(f"Tensor names without their common prefix '{found.prefix}'"))
    parts += [Paragraph(note) for note in found.notes]
    if found.wiring:
        nodes = sheet("Nodes", ("Node", "Kind", "Reads"), left=("Kind", "Reads"))
        for name, sources in found.wiring.items():
            nodes.add_row(name, found.modules[name], ", ".join(sources) or "-")
        parts.append(nodes)
    table = sheet(
        None,
        (
            "Tensor", text_column("Shape"), text_column("Type"), text_column("Range", 1), "Zeros",
            text_column("Weights", 2), text_column("Scale", 3), "Error, one scale", "Error, scale per row",
        ),
    )  # fmt: skip
    for tensor in found.tensors:
        table.add_row(*_row(tensor))
    parts.append(table)
    if any(tensor.ternary for tensor in found.tensors):
        parts.append(
            Paragraph(
                "Error: |w - scale t| / |w| of the best ternary weights t, with one scale for the tensor or one for "
                "each row."
            )
        )
    if found.neurons:
        adds = "compile must be told" if found.wiring else "net.yaml must add"
        words = (text_column("Framework"), text_column("Parameters", 1), text_column("Reset"), text_column(adds, 2))
        layers = sheet("Neuron layers", ("Layer", *words))
        for neuron in found.neurons:
            parameters = ", ".join(
                f"{key} {low:g}" if low == high else f"{key} {low:g} .. {high:g}"
                for key, (low, high) in neuron.parameters.items()
            )
            layers.add_row(
                neuron.prefix, neuron.framework, parameters, neuron.reset or "-", ", ".join(neuron.missing) or "-"
            )
        parts.append(layers)
    parts += [Paragraph(line, style="yellow", name="compile would refuse ") for line in found.refused]
    for name, text in found.written.items():
        parts.append(Paragraph(f"{name} lies in parts: {text}"))
    if found.settings:
        table = sheet("Settings", ("Module", text_column("Class"), text_column("Values", 1)))
        for name, values in found.settings.items():
            told = ", ".join(f"{key} {value}" for key, value in values.items())
            table.add_row(name or "(whole)", found.modules[name], told)
        parts.append(table)
    parts += [Paragraph(f"unreadable: {name}: {why}", style="yellow") for name, why in found.unreadable.items()]
    if found.left_out:
        parts.append(Paragraph(f"left out: {', '.join(found.left_out)}"))
    return Group(*parts)


def _row(tensor: TensorFacts) -> list[str]:
    span = "-" if tensor.smallest is None else f"{tensor.smallest:.4g} .. {tensor.largest:.4g}"
    if tensor.not_finite:
        span += f", {tensor.not_finite:,} not finite (first at {tensor.first_not_finite})"
    cells = [tensor.name, "x".join(map(str, tensor.shape)) or "scalar", tensor.dtype, span]
    facts = tensor.ternary
    if facts is None:
        return [*cells, "", "", "", "", ""]
    scales = sorted(set(facts.scales))
    scale = "" if not scales else f"{scales[0]:.6g}" if len(scales) == 1 else f"{scales[0]:.4g} .. {scales[-1]:.4g}"
    exact = facts.form in (Form.TENSOR, Form.ROW, Form.ZERO)
    form = facts.form.value + (" (to float rounding)" if facts.rounded and exact else "")
    errors = (plain(error) if math.isnan(error) else f"{error:.3f}" for error in (facts.error_tensor, facts.error_row))
    return [*cells, f"{100 * facts.zeros:.1f}%", form, scale, *errors]
