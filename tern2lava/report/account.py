"""The account of memory as terminal tables; every ratio names its baseline."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tern2lava.compiler.ir.graph import Arithmetic
from tern2lava.counts import count
from tern2lava.report.model import Baselines, LayerMemory, MemoryTotal, NeuronArithmetic, Report, TwinRow
from tern2lava.report.sheet import NOTHING, Paragraph, Sheet, sheet

_PLAIN = ("fp32", "fp16", "int8", "int4")


def memory_table(report: Report) -> RenderableType:
    """Plain and entropy-coded sizes of the weights, what the cores store of them, and all else that they hold."""
    stored = Group(_stored_table(report), *_sharing(report))
    return Group(_weights_table(report), stored, _ratio_table(report), *_everything(report))


def _weights_table(report: Report) -> Sheet:
    codes = "2-bit" if all(layer.code_bits == 2 for layer in report.memory.layers if layer.weights) else "Codes"
    table = sheet("Weights alone", ("Layer", "Weights", "Zeros", *_PLAIN, codes, "Entropy", "rANS coded"))

    def cells(row: Baselines) -> list[str]:
        bits = [getattr(row, f"{name}_bits") for name in _PLAIN]
        return [size_text(b) for b in (*bits, row.ternary_bits, row.entropy_bits, row.transport_bits)]

    for layer in report.memory.layers:
        zeros = NOTHING if layer.zeros is None else f"{100 * layer.zeros:.1f}%"
        table.add_row(layer.projection, f"{layer.weights:,}", zeros, *cells(layer))
    total = report.memory.total
    table.add_section()
    table.add_row("Total", f"{total.weights:,}", "", *cells(total), style="bold")
    return table


def _stored_table(report: Report) -> Sheet:
    """What the cores store of each layer, and how."""
    table = sheet(
        f"Synaptic memory of {report.target}, overheads included",
        ("Layer", "Encoding", "Sharing", "Cores", "Copies", "Synapses", "Stored", "Bits per weight"),
        left=("Encoding", "Sharing"),
    )

    def cells(row: LayerMemory | MemoryTotal) -> list[str]:
        return [f"{row.synapses:,}", size_text(row.stored_bits), _per_weight(row.stored_bits, row)]

    for layer in report.memory.layers:
        counts = f"{layer.cores:,}", f"{layer.copies:.1f}"
        table.add_row(layer.projection, " ".join(_short(layer)), layer.sharing, *counts, *cells(layer))
    table.add_section()
    total = report.memory.total
    table.add_row("Total", "", "", f"{len(report.cores):,}", "", *cells(total), style="bold")
    return table


_SHARING = {
    "kernel": "kernel: each core holds the kernels of its channels once, for all positions",
    "lists": "lists: each core holds a synapse list for every source channel and every way in which the kernel falls "
    "on its neurons",
    "unrolled": "unrolled: the target shares nothing, each position has its own synapses",
}


def _sharing(report: Report) -> list[Paragraph]:
    """For each way in which convolutions are stored, what it is and what it costs. Projections that pass the sums of
    relays on have no weights: what they take is no kernel's cost."""
    lines = []
    for sharing, what in _SHARING.items():
        layers = [layer for layer in report.memory.layers if layer.sharing == sharing and layer.weights]
        if layers:
            costs = [layer.stored_bits / layer.ternary_bits for layer in layers]
            low, high = min(costs), max(costs)
            times = f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f}"
            bits = "/".join(str(b) for b in sorted({layer.code_bits for layer in layers}))
            lines.append(Paragraph(f"{what}; all cores take {times} times the kernels once at {bits} bits"))
    return [*lines, Paragraph("")] if lines else []


def _ratio_table(report: Report) -> Sheet:
    """The same memory against plain formats of the weights, copied as often, and against the entropy of each once."""
    table = sheet(
        "The same against as many copies of the weights in plain formats, and against their entropy",
        ("Layer", *_PLAIN, "Bits per weight", "Entropy per weight", "Over entropy"),
    )

    def cells(row: LayerMemory | MemoryTotal) -> list[str]:
        over = NOTHING if row.over_entropy is None else f"{100 * row.over_entropy:+,.1f}%"
        return [
            *(NOTHING if ratio is None else f"{ratio:,.1f}x" for ratio in (getattr(row, f"ratio_{n}") for n in _PLAIN)),
            _per_weight(row.stored_bits, row), _per_weight(row.entropy_bits, row), over,
        ]  # fmt: skip

    for layer in report.memory.layers:
        table.add_row(layer.projection, *cells(layer))
    table.add_section()
    table.add_row("Total", *cells(report.memory.total), style="bold")
    return table


def _per_weight(bits: float, row: LayerMemory | MemoryTotal) -> str:
    return f"{bits / row.weights:,.2f}" if row.weights else NOTHING


def _short(layer: LayerMemory) -> list[str]:
    """The names of a layer's encodings, each once (a block of lists names several, joined by +)."""
    return sorted({name for encoding in layer.encodings for name in encoding.split("+")})


def held_line(total: MemoryTotal) -> str:
    """What all cores hold, in one sentence."""
    return (
        f"All cores: synapses {size_text(total.stored_bits)}, axon tables and routes {size_text(total.axon_bits)}, "
        f"neuron parameters {size_text(total.parameter_bits)}, neuron states {size_text(total.state_bits)}; "
        f"images {size_text(total.image_bits)}"
    )


def _everything(report: Report) -> list[Paragraph]:
    """Lines on the rest of what the cores hold, and on the checkpoint."""
    total = report.memory.total
    lines = [Paragraph(held_line(total))]
    lines.append(Paragraph(_arithmetic(report.memory.arithmetic)))
    if total.checkpoint_bits is not None and total.ratio_checkpoint is not None:
        lines.append(
            Paragraph(
                f"The file that was compiled has {size_text(total.checkpoint_bits)}: {total.ratio_checkpoint:.1f}x all "
                "images"
            )
        )
    return lines


def _arithmetic(found: NeuronArithmetic) -> str:
    """The widths of a neuron's numbers, what they come to, and how much more or less that is than in Loihi's."""
    over, loihi = found.neuron_bits - found.loihi_bits, Arithmetic()
    beside = f"{abs(over)} {'more' if over > 0 else 'fewer'} than" if over else "as many as"
    decays = f"decays of {found.decay_bits}, " if found.decay_bits else ""
    widths = [loihi.state_bits, *([loihi.decay_bits] if decays else []), loihi.threshold_bits]
    return (
        f"Neuron arithmetic: states of {count(found.state_bits, 'bit')}, {decays}thresholds of {found.threshold_bits}, "
        f"biases of {found.bias_bits}: {count(found.neuron_bits, 'bit')} a neuron that shares none of them, {beside} "
        f"in Loihi's {', '.join(map(str, widths))} and {loihi.bias_bits}"
    )


def twin_table(report: Report) -> RenderableType:
    """The network and its twins side by side."""
    title = f"Mapped onto {report.target}: ternary and 8-bit weights of the same shapes"
    table = sheet(title, ("Weights", "Bits per weight", "Cores", "Lower bound", "Chips", "Synaptic memory", "Images"))
    first = report.twins[0]
    for row in report.twins:
        table.add_row(row.name, str(row.weight_bits), *_twin_cells(row, first))
    reasons = [Paragraph(f"{row.name}: {row.reason}", style="yellow") for row in report.twins if row.reason]
    return Group(table, *reasons)


def _twin_cells(row: TwinRow, first: TwinRow) -> list[str]:
    """Cells with how many times the first row's value each is."""
    cells = []
    for key in ("cores", "cores_lower_bound", "chips", "stored_bits", "image_bits"):
        value, own = getattr(row, key), getattr(first, key)
        if value is None:
            cells.append("does not fit")
        else:
            text = size_text(value) if key.endswith("_bits") else f"{value:,}"
            cells.append(text if row is first or not own else f"{text} ({value / own:.2f}x)")
    return cells


def size_text(bits: float) -> str:
    """Bits as B, KiB, MiB or GiB."""
    size = bits / 8
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
