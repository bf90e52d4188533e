"""Ours beside other people's compilers and simulators, where they run.

    uv run python benchmarks/others.py                                  # against recorded results, about two minutes
    uv run python benchmarks/others.py -o benchmarks/results/others.md  # and writes what it printed
    uv run python benchmarks/others.py --paibox --sanafe                # runs both again, in their own environments
    uv run python benchmarks/others.py --quick --check                  # under one minute

PAIBox 1.3.0 (GPL-3), the compiler of PAICORE 2.0: cores of the same nets, with the same weights, on the same chip.
Ours are those of `paicore2`, cores with neurons, which PAIBox calls required; it also counts those that multicast
addresses leave unused between them (occupied). Recorded in results/paibox.json by the command in others_paibox.py.

SANA-FE 2.2.9 (GPL-3), a simulator of such chips: it plays the spikes of one of our mappings and counts packets, hops
and synapses by itself, and the energy of both at Loihi's published prices. Recorded in results/sanafe.json by
`--sanafe`.

Intel's own Loihi 2 compiler printed tables of its mappings into lava-dl's notebooks (others_loihi2.py): the same layers
in our loihi2 cost model, beside what was printed. tests/compiler/image/test_loihi2_tables.py holds them too.

Nothing of ours imports either; both run in other processes. --check ends with exit code 1 and names the bars missed:

    paibox      never more cores than PAIBox's required ones
    sanafe      packets, hops, synapses and spikes equal to ours, energies to a millionth
    intel       Total within 0.01 percentage points of the printed one, counts equal
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from others_loihi2 import table as loihi2_table
from others_nets import BITS, NETS, QUICK, THRESHOLD, shapes, weights
from others_oracle import TARGET, WIDTHS, compare

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import ConvGeometry, frozen
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.target.rules import check_rules
from tern2lava.hw_profiles import Profile, load_profile

# Both add floats, in another order.
ENERGY_BAR = 1e-6
RESULTS = Path(__file__).with_name("results")
HERE = Path(__file__).parent


def network(name: str, bits: int, profile: Profile) -> Graph:
    """A net as our INTEGER graph: integrate-and-fire neurons, reset to zero."""
    zero = frozen(0, np.int64)
    before = NETS[name][0]
    nodes: list[Node] = [Input(name="in", shape=before)]
    codes = weights(name, bits)
    for index, (layer, shape) in enumerate(zip(NETS[name][1:], shapes(name), strict=True)):
        source, geometry = f"p{index - 1}" if index else "in", None
        if layer[0] == "conv":
            geometry = ConvGeometry(
                in_shape=(before[0], before[1], before[2]), out_shape=(shape[0], shape[1], shape[2]),
                stride=(layer[3], layer[3]), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1,
            )  # fmt: skip
        width = 8 if bits == 8 else 2
        weight = frozen(codes[index], np.int8)
        nodes.append(
            Projection(name=f"w{index}", inputs=(source,), weight=weight, geometry=geometry, bits=width)
        )  # fmt: skip
        nodes.append(
            Population(
                name=f"p{index}",
                inputs=(f"w{index}",),
                shape=shape,
                decay_u=frozen(1 << 12, np.int64),
                decay_v=zero,
                bias=zero,
                threshold=frozen(THRESHOLD - 1, np.int64),
                reset=Reset.ZERO,
                reset_amount=zero,
                v_init=zero,
                lsb=frozen(1.0),
                start=index,
            )
        )
        before = shape
    nodes.append(Output(name="out", inputs=(f"p{len(codes) - 1}",)))
    return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=Arithmetic(**profile.arithmetic_values()))


def environment(folder: str, package: str) -> Path:
    """The Python of a fresh environment with one package."""
    subprocess.run(["uv", "venv", "-q", folder], check=True)
    python = Path(folder) / "bin" / "python"
    subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), package], check=True)
    return python


def paibox(names: tuple[str, ...], again: bool) -> dict[tuple[str, int], dict[str, Any]]:
    """What PAIBox takes for each net and width, recorded or run again."""
    if again:
        with tempfile.TemporaryDirectory() as folder:
            python = environment(f"{folder}/venv", "paibox==1.3.0")
            done = subprocess.run(
                [str(python), str(HERE / "others_paibox.py"), *names], check=True, stdout=subprocess.PIPE, text=True
            )
        found = json.loads(done.stdout)
        if names == tuple(NETS):
            (RESULTS / "paibox.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        found = json.loads((RESULTS / "paibox.json").read_text(encoding="utf-8"))
    return {(row["net"], row["bits"]): row for row in found["rows"]}


def cores_table(names: tuple[str, ...], again: bool, missed: list[str]) -> list[str]:
    """Rows of cores: ours, the lower bound, PAIBox's."""
    profile = load_profile("paicore2")
    theirs = paibox(names, again)
    lines = [
        "| net | bits | ours | lower bound | PAIBox required | occupied | our seconds |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name in names:
        for bits in BITS:
            graph = network(name, bits, profile)
            check_rules(graph, profile)
            began = time.perf_counter()
            mine = partition(graph, profile, MapOptions())
            seconds = time.perf_counter() - began
            row = theirs[name, bits]
            lines.append(
                f"| {name} | {bits} | {mine.cores} | {mine.cores_lower_bound} | {row['required']} "
                f"| {row['occupied']} | {seconds:.2f} |"
            )
            if mine.cores > row["required"]:
                missed.append(f"paibox: {name} at {bits} bits takes {mine.cores} cores, PAIBox {row['required']}")
    return lines


def oracle_table(again: bool, missed: list[str]) -> list[str]:
    """Rows of what both count for one mapping."""
    if again:
        with tempfile.TemporaryDirectory() as folder:
            mine, found = compare(environment(f"{folder}/venv", "sanafe==2.2.9"))
        if found is not None and "failed" not in found:
            (RESULTS / "sanafe.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    else:
        mine, found = compare(None)[0], json.loads((RESULTS / "sanafe.json").read_text(encoding="utf-8"))
    assert found is not None
    if "failed" in found:
        missed.append(f"sanafe: did not run: {found['failed']}")
        return [f"SANA-FE did not run: {found['failed']}"]
    rows = [("packets", mine.packets, found["packets"]), ("hops", mine.hops, found["hops"])]
    rows.append(("nonzero synapses met", mine.synapses, found["synapses"]))
    rows += [(f"spikes of {name}", count, found["fired"].get(name, 0)) for name, count in mine.spikes.items()]
    # What was recorded is that of the mapping of its day: after a change of the mapper it is to be run again.
    hint = "" if again else " (as recorded; a mapper that maps otherwise needs --sanafe)"
    missed += [f"sanafe: {what}: ours {a}, SANA-FE {b}{hint}" for what, a, b in rows if a != b]
    lines = ["| count | ours | SANA-FE |", "|---|---|---|", *(f"| {what} | {a:,} | {b:,} |" for what, a, b in rows)]
    for what, a, b in (("hops", mine.hop_energy, found["hop_energy"]),
                       ("synapses", mine.synapse_energy, found["synapse_energy"])):  # fmt: skip
        lines.append(f"| energy of {what}, pJ | {a:,.1f} | {b:,.1f} |")
        if abs(a - b) > ENERGY_BAR * b:
            missed.append(f"sanafe: energy of {what}: ours {a:,.1f} pJ, SANA-FE {b:,.1f}{hint}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small nets only: under one minute")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--paibox", action="store_true", help="run PAIBox again, do not read its recorded results")
    parser.add_argument("--sanafe", action="store_true", help="run SANA-FE again, do not read its recorded results")
    parser.add_argument("-o", "--out", type=Path, help="also write the tables to this Markdown file")
    args = parser.parse_args()
    missed: list[str] = []
    lines = [
        "# Others", "",
        "Made by `uv run python benchmarks/others.py`; the head of that file says what is compared.", "",
        "## Cores on PAICORE 2.0, beside PAIBox 1.3.0", "",
        *cores_table(QUICK if args.quick else tuple(NETS), args.paibox, missed), "",
        f"## One mapping of {'-'.join(map(str, WIDTHS))} on {TARGET}, beside SANA-FE 2.2.9", "",
        *oracle_table(args.sanafe, missed), "", "## Our loihi2 cost model, beside what Intel's compiler printed", "",
        "Percent of a core (mnist) and counts (pilotnet_snn). Total is 0.80 (AxonIn + Synapses + AxonMap) + 0.205 "
        "Neurons over all printed rows; Synapses, whose unit is not public, is taken from the table.", "",
        *loihi2_table(missed), "", "## Bars", "",
        *(["All bars are met."] if not missed else [f"- missed: {line}" for line in missed]),
    ]  # fmt: skip
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[4:]))
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
