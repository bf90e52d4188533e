"""The tables of benchmarks/mapping.py, and the bars that their rows miss."""

from __future__ import annotations

from typing import Any

from mapping_rows import ALGORITHMS, GROWTH_TARGET, PROOF_SECONDS, Row
from networks import TWINS

from tern2lava.hw_profiles import load_profile

CORES_BAR, SMALL_CORES_BAR, HOPS_BAR, SMALL_BAR, SECONDS_BAR, GIB_BAR = 1.10, 1.25, 0.6, 1.05, 20.0, 8.0
TIMED = ("vgg16", "kapoho-point")
TWIN = "\\*"
Rows = dict[tuple[str, str], Row]


def stores_once(target: str) -> bool:
    """Whether the objective `cores` puts memory before traffic on that target (mapper/search/objectives.py)."""
    return load_profile(target).routing.out_axon_model.value == "ranges"


def named(network: str, target: str) -> str:
    """The first cells of a row."""
    return f"| {network}{TWIN if target in TWINS else ''} | {target} |"


def shown(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def over(value: float, other: float) -> str:
    return f"{value / other:.3f}" if other else f"{value:,.0f} / 0"


def head(*names: str) -> list[str]:
    """The first two lines of a table, numbers right."""
    return ["| network | target | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]


def not_mapped(rows: Rows) -> list[str]:
    """The reasons of rows without a mapping, those alike in one line."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (network, target), row in rows.items():
        if "error" in row:
            by_reason.setdefault((target, row["error"]), []).append(network)
    lines = [f"- {', '.join(names)} on {target}: {error}" for (target, error), names in by_reason.items()]
    return ["", "Not mapped, with the reason:", "", *lines] if lines else []


def cores_over(network: str, target: str, row: Row, missed: list[str], what: str = "") -> float:
    """Cores over the lower bound; adds what misses the bar."""
    ratio = float(row["cores"] / row["bound"])
    bar = CORES_BAR if row["large"] else SMALL_CORES_BAR
    if ratio > bar:
        missed.append(
            f"cores: {network} on {target}{what} takes {row['cores']:,}, {ratio:.2f} x the bound {row['bound']:,} "
            f"(bar {bar:.2f}; the bound is that of {row['scarce']})"
        )
    return ratio


def hops_over(row: Row) -> float | None:
    """Hops over those of sequential filling row by row; 0 for none at all, None where that fits nowhere."""
    if row["row_major"] is None:
        return None
    return float(row["hops"] / row["row_major"]) if row["row_major"] else float(row["hops"] > 0)


def mapping_table(rows: Rows, missed: list[str]) -> list[str]:
    lines = [
        "## What a mapping takes", "",
        "bound: no mapping takes fewer cores. filled: sequential filling, hops with its parts placed at random and row "
        "by row (-: it fits nowhere); ratio: our hops over the latter. link: spikes a step on the most loaded link. "
        "CPU s: partition, placement, routes and images. GiB: the most that the process held. one a core, filled: "
        "their cores; output axons are looked at only where filling without takes more than cores have. "
        f"{TWIN}: {', '.join(TWINS)} have no neurons that leak; there the network is a twin without leak, and on "
        "truenorth one whose layers are cut into groups of channels, so that a neuron has at most 128 inputs (two "
        "axons each). Those chips copy neurons for their readers (docs/targets.md), which the bound and filling count. "
        "(m): the ratio is shown, the bar is checked under `--objective traffic`, see there.",
        "", *head("cores", "bound", "ratio", "chips", "hops", "filled, random", "filled, row-major", "ratio", "link",
                  "CPU s", "GiB", "one a core", "filled"),
    ]  # fmt: skip
    for (network, target), row in rows.items():
        if "error" in row:
            lines.append(f"{named(network, target)} - |" + " |" * 12)
            continue
        ratio, against = cores_over(network, target, row, missed), hops_over(row)
        free = stores_once(target)
        if against is not None and against > HOPS_BAR and not free:
            missed.append(f"hops: {network} on {target} makes {against:.2f} x those of filling + row-major")
        if (network, target) == TIMED and row["seconds"] > SECONDS_BAR:
            missed.append(f"seconds: {network} on {target} took {row['seconds']:.1f} CPU s")
        if row["gib"] > GIB_BAR:
            missed.append(f"memory: {network} on {target} held {row['gib']:.1f} GiB")
        lines.append(
            f"{named(network, target)} {row['cores']:,} | {row['bound']:,} | {ratio:.2f} | {row['chips']:,} | "
            f"{row['hops']:,.0f} | {shown(row['anywhere'])} | {shown(row['row_major'])} | {shown(against, 2)}"
            f"{' (m)' if free else ''} | {row['link']:,.0f} | {row['seconds']:.1f} | {row['gib']:.2f} | {row['alone']} "
            f"| {shown(row['filled'])} |"
        )
    return [*lines, *not_mapped(rows)]


def traffic_table(rows: Rows, defaults: Rows, missed: list[str]) -> list[str]:
    """The objective `traffic`; both bars are checked where the default objective puts memory first."""
    where = ", ".join(sorted({target for _, target in rows if stores_once(target)}))
    lines = [
        "## With `--objective traffic`", "",
        "What the other objective finds: the least traffic, whatever number of cores it takes. Columns as above. On "
        f"{where}, both bars, cores and hops, are checked here; elsewhere on the mappings above.",
        "", *head("cores", "bound", "ratio", "hops", "filled, row-major", "ratio", "CPU s"),
    ]  # fmt: skip
    both = [
        "", f"On {where} a core stores a kernel once and a route takes all spikes of a part. There the default "
        "objective cuts convolutions by channels, so that each weight lies on one core (what brings synaptic memory to "
        "a 16th of fp32 and less), and all cores of a layer get all spikes of the one before: on larger networks its "
        "hops stay above 0.6 x those of filling, which cuts images by rows and stores their kernels on each core. "
        "`traffic` cuts images too. No mapping found has both; what each costs:",
        "", *head("cores", "traffic: cores", "hops", "traffic: hops", "over filled", "traffic: over filled",
                  "Mbit of synapses", "traffic: Mbit", "fp32 over it", "traffic: fp32 over it"),
    ]  # fmt: skip
    for (network, target), row in rows.items():
        if "error" in row:
            lines.append(f"{named(network, target)} - |" + " |" * 6)
            continue
        checked: list[str] = missed if stores_once(target) else []
        ratio, against = cores_over(network, target, row, checked, " for traffic"), hops_over(row)
        if against is not None and against > HOPS_BAR:
            checked.append(f"hops: {network} on {target} for traffic makes {against:.2f} x filling + row-major")
        lines.append(
            f"{named(network, target)} {row['cores']:,} | {row['bound']:,} | {ratio:.2f} | {row['hops']:,.0f} | "
            f"{shown(row['row_major'])} | {shown(against, 3)} | {row['seconds']:.1f} |"
        )
        default = defaults.get((network, target), {"error": "not measured"})
        if stores_once(target) and "error" not in default:
            pairs = ((default["cores"], row["cores"]), (default["hops"], row["hops"]))
            cells = [f"{value:,.0f}" for pair in pairs for value in pair]
            cells += [shown(hops_over(default), 2), shown(against, 3)]
            cells += [f"{each['stored'] / 1e6:,.2f}" for each in (default, row)]
            cells += [f"{each['fp32'] / each['stored']:.1f}" for each in (default, row)]
            both.append(f"{named(network, target)} {' | '.join(cells)} |")
    return [*lines, *not_mapped(rows), *both]


def placement_table(rows: Rows, missed: list[str]) -> list[str]:
    lines = [
        "## Placement", "",
        "Hops of each algorithm on the same partition, over those of linear (row-major); CPU seconds in brackets. -: "
        "more cores than the algorithm takes. mtkahypar: its own mapping, from 97 cores on onto regions of the mesh "
        "first, then inside of each.", "", *head("cores", *ALGORITHMS),
    ]  # fmt: skip
    small = [
        "", f"Few cores: our placement over the best known, and what CP-SAT proves in {PROOF_SECONDS:.0f} s.",
        "", "| network | target | cores | auto | best known | ratio | lower bound | proven |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]  # fmt: skip
    for (network, target), row in rows.items():
        if "error" in row or row["cores"] < 2:
            continue
        cells = [
            "-" if row[name] is None else f"{over(row[name], row['linear'])} ({row[f'{name} s']:.1f})"
            for name in ALGORITHMS[1:]
        ]  # fmt: skip
        lines.append(f"{named(network, target)} {row['cores']:,} | {row['linear']:,.0f} | {' | '.join(cells)} |")
        if row["mtkahypar"] is None:
            missed.append(f"mtkahypar: {network} on {target}: not mapped")
        elif row["auto"] > row["mtkahypar"] * (1 + 1e-9):
            missed.append(f"mtkahypar: {network} on {target}: its {row['mtkahypar']:,.0f}, ours {row['auto']:,.0f}")
        if "best" in row:
            ratio = row["auto"] / row["best"] if row["best"] else 1.0
            if ratio > SMALL_BAR:
                missed.append(f"small: {network} on {target} is {ratio:.3f} x the best known")
            small.append(
                f"{named(network, target)} {row['cores']} | {row['auto']:,.1f} | {row['best']:,.1f} | {ratio:.3f} | "
                f"{row['proof']:,.1f} | {'yes' if row['optimal'] else 'no'} |"
            )
    return lines + small


def growth_table(rows: Rows, missed: list[str]) -> list[str]:
    lines = [
        "## Growth", "",
        f"How time and memory grow, on {GROWTH_TARGET}: dense layers by synapses (each weight its own), convolutions "
        "on a camera's image by neurons.", "", "| size | network | cores | bound | chips | CPU s | GiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for (size, kind), row in rows.items():
        if "error" in row:
            lines.append(f"| {size} {kind} | {row['error']} | | | | | |")
            missed.append(f"growth: {size} {kind}: {row['error']}")
            continue
        if row["gib"] > GIB_BAR:
            missed.append(f"memory: {size} {kind} held {row['gib']:.1f} GiB")
        lines.append(
            f"| {size} {kind} | {row['source']} | {row['cores']:,} | {row['bound']:,} | {row['chips']:,} | "
            f"{row['seconds']:.1f} | {row['gib']:.2f} |"
        )
    return lines


def render(found: dict[str, Any], origin: str) -> tuple[str, list[str]]:
    """The whole text, and the bars missed. found: rows by part."""
    missed: list[str] = []
    tables = [["# The mapper", "", origin], mapping_table(found["cores"], missed)]
    tables.append(traffic_table(found["traffic"], found["cores"], missed))
    tables += [placement_table(found["cores"], missed), growth_table(found["growth"], missed)]
    bars = [f"- missed: {line}" for line in missed] if missed else ["All bars are met."]
    tables.append(["## Bars", "", *bars])
    return "\n\n".join("\n".join(table) for table in tables) + "\n", missed
