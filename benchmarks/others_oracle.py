"""SANA-FE as an independent count of spike hops: its architecture and net files, written from one of our mappings.

Every router of our mesh becomes a tile with the router's cores and one core more; that of tile 0, where our inputs
enter, holds the inputs. All neurons play the spikes that our integer reference made, so that both count the same
spikes: SANA-FE finds by itself which cores they go to, over which routers, and which synapses they meet. What plays
cannot receive, so a silent neuron beside it does.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.options import MapOptions
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim.reference import integer

TARGET = "tiny"
WIDTHS = (96, 200, 120, 10)
STEPS = 20


@dataclass(frozen=True)
class Counts:
    """Spikes of each population, packets from neurons to cores that they make, hops of those, nonzero synapses met, and
    the energy in pJ of both, at what Loihi's are published to take."""

    spikes: dict[str, int]
    packets: int
    hops: int
    synapses: int
    hop_energy: float
    synapse_energy: float


def energies() -> tuple[float, float, float]:
    """J of a synaptic event, a hop east or west and one north or south (Davies 2018, in loihi1's profile)."""
    table = load_profile("loihi1").energy["davies2018_table2"]
    return table["synapse_op"].value, table["hop_east_west"].value, table["hop_north_south"].value


def network(profile: Profile) -> Graph:
    """Dense layers of ternary weights, a third of them zeros."""
    rng = np.random.default_rng(5)
    zero = frozen(0, np.int64)
    nodes: list[Node] = [Input(name="in", shape=(WIDTHS[0],))]
    for at in range(1, len(WIDTHS)):
        source = "in" if at == 1 else f"p{at - 1}"
        weight = frozen(rng.integers(-1, 2, (WIDTHS[at], WIDTHS[at - 1])), np.int8)
        nodes.append(Projection(name=f"w{at}", inputs=(source,), weight=weight))
        nodes.append(
            Population(
                name=f"p{at}",
                inputs=(f"w{at}",),
                shape=(WIDTHS[at],),
                decay_u=frozen(1 << 12, np.int64),
                decay_v=zero,
                bias=zero,
                threshold=frozen(5, np.int64),
                reset=Reset.ZERO,
                reset_amount=zero,
                v_init=zero,
                lsb=frozen(1.0),
                start=at - 1,
            )
        )
    nodes.append(Output(name="out", inputs=(f"p{len(WIDTHS) - 1}",)))
    arithmetic = Arithmetic(**profile.arithmetic_values())
    return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=arithmetic, steps=STEPS)


def ours(program: Mapped, spikes: dict[str, Array]) -> Counts:
    """Our counts for these spikes (steps, neurons): every route carries the spikes of its neurons over its hops."""
    routing, parts = program.routing, program.partition
    packets = hops = 0
    synapse_op, across, along = energies()
    cores = program.placement.core
    begin = np.where(routing.source < 0, 0, cores[routing.source])
    ends = (router_positions(program.profile, at)[:2] for at in (begin, cores[routing.target]))
    (row, col), (to_row, to_col) = ends
    each = np.abs(row - to_row) * along + np.abs(col - to_col) * across
    energy = 0.0
    for i in range(routing.source.size):
        core, group = int(routing.source[i]), int(routing.group[i])
        if core < 0:
            name, box = "in", routing.boxes[i]
            sent = int(spikes[name].reshape(STEPS, -1)[:, box.flat()].sum())
        else:
            part = parts.of_core(core)[group]
            seen = np.intersect1d(part.box.flat(), routing.boxes[i].flat())
            sent = int(spikes[part.population].reshape(STEPS, -1)[:, seen].sum())
        packets += sent
        hops += sent * int(routing.hops[i])
        energy += sent * float(each[i])
    synapses = sum(
        int((spikes[p.inputs[0]].reshape(STEPS, -1).sum(axis=0) * np.count_nonzero(p.weight, axis=0)).sum())
        for p in program.graph.of_kind(Projection)
    )
    fired = {name: int(s.sum()) for name, s in spikes.items()}
    return Counts(fired, packets, hops, synapses, energy * 1e12, synapses * synapse_op * 1e12)


def files(program: Mapped, spikes: dict[str, Array], folder: Path) -> None:
    """arch.yaml and net.yaml; JSON is YAML, but for edges and mappings, which SANA-FE reads as `a -> b`."""
    system = program.profile.system
    height, width = system.chip_rows.value * system.mesh_rows.value, system.chip_cols.value * system.mesh_cols.value
    most = system.cores_per_router.value + 1
    synapse_op, across, along = energies()
    numbers = {
        "tile": dict.fromkeys((f"energy_{d}_hop" for d in ("north", "south")), along)
        | dict.fromkeys((f"energy_{d}_hop" for d in ("east", "west")), across)
        | dict.fromkeys((f"latency_{d}_hop" for d in ("north", "east", "south", "west")), 1e-9),
        "core": {"buffer_position": "soma", "buffer_inside_unit": False, "max_neurons_supported": 1 << 20},
    }
    access = dict.fromkeys(
        (f"{a}_{b}" for a in ("energy", "latency") for b in ("access_neuron", "update_neuron", "spike_out")), 0.0
    )
    core = {
        "name": f"core[0..{most - 1}]", "attributes": numbers["core"],
        "axon_in": [{"name": "in", "attributes": {"energy_message_in": 0.0, "latency_message_in": 1e-9}}],
        "soma": [
            {"name": "silent", "attributes": {"model": "leaky_integrate_fire", **access}},
            {"name": f"player[0..{max(WIDTHS)}]", "attributes": {"model": "input", **access}},
        ],
        "dendrite": [
            {"name": "d", "attributes": {"model": "accumulator", "energy_update": 0.0, "latency_update": 0.0}},
        ],
        "synapse": [
            {"name": "s", "attributes": {
                "model": "current_based", "energy_process_spike": synapse_op, "latency_process_spike": 1e-9}},
        ],
        "axon_out": [{"name": "out", "attributes": {"energy_message_out": 0.0, "latency_message_out": 1e-9}}],
    }  # fmt: skip
    tile = {"name": f"t[0..{height * width - 1}]", "attributes": numbers["tile"], "core": [core]}
    arch: dict[str, Any] = {"architecture": {
        "name": TARGET, "tile": [tile],
        "attributes": {"topology": "mesh", "width": width, "height": height, "link_buffer_size": 16,
                       "sync_model": "fixed", "latency_sync": 0.0},
    }}  # fmt: skip
    (folder / "arch.yaml").write_text(json.dumps(arch, indent=1), encoding="utf-8")
    lines = ["network:", "  name: net", "  groups:"]
    for name, played in spikes.items():
        lines += [f"    - name: {name}", "      attributes: [log_spikes: True]", "      neurons:"]
        lines += [
            f"        - {n}: [soma_hw_name: 'player[{n}]', spikes: {row.tolist()}]"
            for n, row in enumerate(played.astype(int).T)
        ]
        lines += [f"    - name: {name}_in", "      attributes: [soma_hw_name: silent, threshold: 1.0e+9]"]
        lines.append("      neurons:")
        lines += [f"        - {n}: []" for n in range(played.shape[1])]
    edges = []
    for node in program.graph.of_kind(Projection):
        target = next(p.name for p in program.graph.of_kind(Population) if node.name in p.inputs)
        edges += [
            f"    - {node.inputs[0]}.{j} -> {target}_in.{i}: [weight: {float(node.weight[i, j])}]"
            for i, j in np.argwhere(node.weight).tolist()
        ]
    places = [f"  - {name}.{n}: [core: 0.{most - 1}]" for name in ("in", "in_in") for n in range(WIDTHS[0])]
    for use, number in zip(program.core_use(), range(program.partition.cores), strict=True):
        chip_row, chip_col = divmod(use.chip, system.chip_cols.value)
        row = chip_row * system.mesh_rows.value + use.row
        col = chip_col * system.mesh_cols.value + use.col
        slot = use.id % system.cores_per_chip % system.cores_per_router.value
        # Tiles are numbered column by column.
        here = f"[core: {col * height + row}.{slot}]"
        for part in program.partition.of_core(number):
            places += [
                f"  - {part.population}{end}.{n}: {here}" for n in part.box.flat().tolist() for end in ("", "_in")
            ]
    text = [*lines, "  edges:", *edges, "mappings:", *places]
    (folder / "net.yaml").write_text("\n".join(text) + "\n", encoding="utf-8")


def compare(python: Path | None) -> tuple[Counts, dict[str, Any] | None]:
    """Our counts, and what SANA-FE in that environment counts for the same spikes (None: not run)."""
    profile = load_profile(TARGET)
    graph = network(profile)
    program = map_program(graph, profile, MapOptions(share_cores=False, placement="linear"))
    inputs = np.random.default_rng(6).integers(0, 2, (1, STEPS, WIDTHS[0]))
    spikes = {"in": inputs[0]} | {name: s[0] for name, s in integer.run(graph, {"in": inputs}).spikes.items()}
    mine = ours(program, spikes)
    if python is None:
        return mine, None
    with tempfile.TemporaryDirectory() as folder:
        files(program, spikes, Path(folder))
        script = Path(__file__).with_name("others_sanafe.py")
        done = subprocess.run(
            [str(python), str(script), f"{folder}/arch.yaml", f"{folder}/net.yaml", str(STEPS + 1),
             str(energies()[0])],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        return mine, {"failed": done.stderr.strip().splitlines()[-1][:300]}
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return mine, result
