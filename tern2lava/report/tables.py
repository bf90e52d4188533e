"""Terminal tables of profiles and rules."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tern2lava.hw_profiles import Profile
from tern2lava.report.sheet import Cell, Paragraph, sheet, text_column


def profiles_table(profiles: list[Profile]) -> RenderableType:
    """One row per profile: size and what a core holds; then what each is."""
    table = sheet(
        "Hardware profiles",
        (
            "Profile",
            "Chips",
            "Cores",
            "Neurons per core",
            "Synapses per core",
            "Input axons per core",
            "Output axons per core",
        ),
    )
    for p in profiles:
        memory = f"{p.core.synapse_memory.value / 8192:.0f} KiB"
        table.add_row(
            p.name, f"{p.system.chips:,}", f"{p.system.cores:,}", f"{p.core.neurons.value:,}", memory,
            f"{p.core.in_axons.value:,}", f"{p.core.out_axons.value:,}",
        )  # fmt: skip
    return Group(table, *(Paragraph(f": {p.summary}", name=p.name) for p in profiles))


def profile_table(profile: Profile) -> RenderableType:
    """Every number of one profile with its unit, kind and source."""
    words = (text_column("Value"), text_column("Unit"), text_column("Kind"), text_column("Source", 1))
    table = sheet(f"{profile.name}: {profile.summary}", ("Key", *words))
    for key, value, unit, kind, source in profile.leaves():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        table.add_row(key, shown, unit, Cell(kind, "yellow" if kind == "assumed" else ""), source)
    return table


def rules_table(rows: list[dict[str, str]], profiles: list[str]) -> RenderableType:
    """The support table: what is allowed by each rule, and by which targets."""
    table = sheet("What each target can execute", ("Rule", "Allowed", "Targets"), left=("Allowed", "Targets"))
    for row in rows:
        targets: dict[str, list[str]] = {}
        for name in profiles:
            targets.setdefault(row[name], []).append(name)
        for at, (allowed, names) in enumerate(targets.items()):
            table.add_row(row["rule"] if at == 0 else "", allowed, ", ".join(names))
    details = [Paragraph(f": {row['meaning']} Otherwise: {row['hint']}.", name=row["rule"]) for row in rows]
    return Group(table, *details)
