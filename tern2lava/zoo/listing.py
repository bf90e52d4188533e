"""What the zoo holds, as rows, as a table of the terminal and as the tables of docs/zoo.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.sheet import NOTHING, Paragraph, sheet
from tern2lava.zoo.nets import TARGETS, ZOO, ZooNet


@dataclass(frozen=True, kw_only=True)
class ZooRow:
    """One network. accuracy: as trained, on the whole test set; full: that of full precision, its teacher or a twin
    trained as long, None where it was not trained; cores: by target, None where it is refused."""

    name: str
    group: str
    data: str
    layers: str
    steps: int
    weights: int
    zeros: float
    test_samples: int
    accuracy: float
    full: float | None
    synops_per_sample: float
    cores: dict[str, int | None]


def row_of(net: ZooNet) -> ZooRow:
    """The row of `net`."""
    metrics = net.metrics()
    config, full = metrics["config"], metrics["full"]
    return ZooRow(
        name=net.name,
        group=net.group,
        data=config["data"]["name"],
        layers=config["network"]["layers"],
        steps=config["training"]["steps"],
        weights=metrics["storage"]["weights"],
        zeros=metrics["storage"]["zeros"],
        test_samples=metrics["data"]["test"],
        accuracy=metrics["model"]["accuracy"],
        full=None if full is None else full["accuracy"],
        synops_per_sample=metrics["model"]["synops_per_sample"],
        cores={row["target"]: row.get("cores") for row in net.compiled()},
    )


def listed() -> list[dict[str, Any]]:
    """All rows, as JSON has them."""
    return [asdict(row_of(net)) for net in ZOO.registered()]


def listing() -> RenderableType:
    """The table of `tern2lava demo --list`."""
    table = sheet(
        "Trained networks that ship with tern2lava",
        ("Network", "Data", "Weights", "Zeros", "Accuracy", *(f"Cores of {target}" for target in TARGETS)),
        left=("Data",),
    )
    rows = [row_of(net) for net in ZOO.registered()]
    for row in rows:
        cores = (row.cores[target] for target in TARGETS)
        table.add_row(
            row.name, row.data, f"{row.weights:,}", f"{100 * row.zeros:.1f} %", f"{100 * row.accuracy:.2f} %",
            *(NOTHING if number is None else f"{number:,}" for number in cores),
        )  # fmt: skip
    groups = dict.fromkeys(row.group for row in rows)
    return Group(
        table,
        Paragraph(
            f"Accuracy is that of the network as trained, on all test samples of its data; {NOTHING}: the target "
            "refuses it (docs/zoo.md says why)."
        ),
        Paragraph(f"tern2lava demo --net NAME runs one of them, or a group: {', '.join(groups)}."),
    )


def page() -> str:
    """The tables of docs/zoo.md."""
    lines = [
        "| network | what | data | layers | steps | weights | zeros |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    rows = [(net, row_of(net)) for net in ZOO.registered()]
    for net, row in rows:
        lines.append(
            f"| `{row.name}` | {net.what} | `{row.data}` | `{row.layers}` | {row.steps} | {row.weights:,} | "
            f"{100 * row.zeros:.1f} % |"
        )
    lines += ["", "| network | test samples | full precision | ternary | NLL | ECE |"]
    lines.append("|---|---|---|---|---|---|")
    for net, row in rows:
        metrics = net.metrics()
        full = NOTHING if row.full is None else f"{100 * row.full:.2f} %"
        model = metrics["model"]
        lines.append(
            f"| `{row.name}` | {row.test_samples:,} | {full} | {100 * row.accuracy:.2f} % | {model['nll']:.3f} | "
            f"{100 * model['ece']:.1f} % |"
        )
    lines += ["", *_targets(rows), "", *_origins(rows)]
    return "\n".join(lines) + "\n"


def _targets(rows: list[tuple[ZooNet, ZooRow]]) -> list[str]:
    """A table of every network on every target, and why one is refused."""
    found = [
        "| network | target | cores | at least | neurons | synapse memory | stored | events | integers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for net, _ in rows:
        for each in net.compiled():
            name = f"| `{net.name}` | `{each['target']}` |"
            if "refused" in each:
                found.append(f"{name} refused | | | | | | |")
                notes.append(f"- `{net.name}` on `{each['target']}`: {each['refused']}")
                continue
            used = each["used"]
            found.append(
                f"{name} {each['cores']:,} | {each['cores_lower_bound']:,} | {100 * used['neurons']:.1f} % | "
                f"{100 * used['synapse_bits']:.1f} % | {each['stored_bytes']:,.0f} B | "
                f"{each['synops_per_sample']:,.0f} | {100 * each['integer_accuracy']:.2f} % |"
            )
    return [*found, "", *notes] if notes else found


def _origins(rows: list[tuple[ZooNet, ZooRow]]) -> list[str]:
    """How each was trained: command, versions, seed, data."""
    found = ["| network | command | made with | seed | data (SHA-256) | licence of the data | samples in the package |"]
    found.append("|---|---|---|---|---|---|---|")
    for net, row in rows:
        metrics = net.metrics()
        versions = ", ".join(f"{name} {version}" for name, version in metrics["made_with"].items())
        shipped = count(metrics["samples"]["count"], "image") if metrics["samples"] else "none"
        found.append(
            f"| `{net.name}` | `{metrics['command']}` | {versions} | {metrics['config']['seed']} | `{row.data}` "
            f"({metrics['data']['digest'][:12]}) | {net.licence} | {shipped} |"
        )
    return found
