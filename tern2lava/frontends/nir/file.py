"""A NIR file as flat nodes and edges: nested graphs opened up, legacy names resolved, every field checked.

Format: nir/serialization.py of NIR 1.0 (neuromorphs/NIR): /node is a graph of nodes/NAME/{type, fields} and edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tern2lava.errors import InputError, UnsupportedError
from tern2lava.findings import alone
from tern2lava.frontends.files.hdf5 import Leaf, Tree
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.nir.sizes import declared_shape

Edge = tuple[str, str]

SPIKING = ("IF", "LIF", "CubaLIF", "Threshold")
ANALOG = ("I", "LI", "CubaLI")
NEURONS = (*SPIKING, *ANALOG)
FIELDS: dict[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Scale": ("scale",),
    "Conv1d": ("weight", "stride", "padding", "dilation", "groups", "bias"),
    "Conv2d": ("weight", "stride", "padding", "dilation", "groups", "bias"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Flatten": ("start_dim", "end_dim"),
    "Delay": ("delay",),
    "Threshold": ("threshold",),
    "I": ("r",),
    "LI": ("tau", "r", "v_leak"),
    "IF": ("r", "v_threshold"),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "w_in"),
}
"""The primitives of NIR 1.0 and the fields each must have (v_reset and w_in came later and have defaults)."""

REFUSED = "refused"
"""The kind of a node that is none of NIR's, where refusals are collected (findings.py)."""

SAID = "tern2lava"
"""Metadata key under which a node says what NIR has no field for, in the words of --assume."""

AMOUNT = "reset_amount"
"""Metadata key beside SAID: what a soft reset subtracts, where that is not the threshold."""

_DEFAULTS = ("w_in", "bias", "start_dim", "end_dim")


@dataclass(frozen=True, eq=False, kw_only=True)
class NirGraph:
    """Flat nodes by name and edges between them; notes of how legacy files were read.

    dt, steps: the time step and the steps of a sample that the graph's metadata hold, where they do (files that
    tern2lava wrote). said: for each node,
    what its metadata say in the words of --assume, which other readers pass over.
    """

    version: str
    nodes: dict[str, Hdf5Node]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...]
    dt: float | None = None
    steps: int = 0
    said: dict[str, str] = field(default_factory=dict)

    def sources(self, name: str) -> list[str]:
        """The nodes that feed `name`, in the order of the edges."""
        return [a for a, b in self.edges if b == name]

    def targets(self, name: str) -> list[str]:
        """The nodes that `name` feeds, in the order of the edges."""
        return [b for a, b in self.edges if a == name]


def is_nir(tree: Tree) -> bool:
    """Whether an HDF5 file's tree is a NIR graph."""
    return isinstance(tree.get("node"), dict)


def parse_nir(tree: Tree, where: object) -> NirGraph:
    """The flat graph of a NIR file's tree. Raises InputError for a damaged one, UnsupportedError for unknown nodes."""
    version, root = tree.get("version"), tree["node"]
    kind = root.get("type") if isinstance(root, dict) else None
    if not isinstance(root, dict) or not isinstance(kind, str) or kind != "NIRGraph":
        raise InputError(where, "requires NIRGraph as /node/type; found another; write the file again with nir.write")
    notes: list[str] = []
    nodes: dict[str, Hdf5Node] = {}
    edges: list[Edge] = []
    _open(root, "", where, nodes, edges, notes)
    if len(set(edges)) != len(edges):
        twice = next(edge for i, edge in enumerate(edges) if edge in edges[:i])
        raise InputError(
            where, f"requires one edge between two nodes; found {twice[0]} -> {twice[1]} twice; remove one"
        )
    said = {node.name: text for node in nodes.values() if isinstance(text := node.fields.pop(SAID, None), str)}
    return NirGraph(
        version=version if isinstance(version, str) else "", nodes=nodes, edges=tuple(edges), notes=tuple(notes),
        dt=_metadata_dt(root), steps=_metadata_steps(root), said=said,
    )  # fmt: skip


def _metadata_dt(root: Tree) -> float | None:
    metadata = root.get("metadata")
    value = metadata.get("dt") if isinstance(metadata, dict) else None
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind != "f":
        return None
    dt = float(value.reshape(-1)[0])
    return dt if np.isfinite(dt) and dt > 0 else None


def _metadata_steps(root: Tree) -> int:
    metadata = root.get("metadata")
    value = metadata.get("steps") if isinstance(metadata, dict) else None
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind not in "iu":
        return 0
    steps = int(value.reshape(-1)[0])
    return steps if 0 < steps < 1 << 30 else 0


def _open(
    group: Tree, prefix: str, where: object, nodes: dict[str, Hdf5Node], edges: list[Edge], notes: list[str]
) -> tuple[list[str], list[str]]:
    """Add the nodes and edges of a graph and of those nested in it; (its inputs, its outputs) by flat name."""
    members = group.get("nodes")
    if not isinstance(members, dict) or not members:
        raise InputError(
            where,
            f"requires nodes in each graph; found none in {prefix.rstrip('.') or 'the outermost'}; write the "
            "file again",
        )
    ends: dict[str, tuple[list[str], list[str]]] = {}
    inputs, outputs = [], []
    for name, member in members.items():
        full = f"{prefix}{name}"
        kind = member.get("type") if isinstance(member, dict) else None
        if not isinstance(member, dict) or not isinstance(kind, str):
            raise InputError(where, f"requires a type for each node; found none for {full}; write the file again")
        if kind == "NIRGraph":
            ends[name] = _open(member, f"{full}.", where, nodes, edges, notes)
            continue
        node = Hdf5Node(name=full, kind=REFUSED)
        with alone(full):
            node = _node(full, kind, member)
        if prefix and kind in ("Input", "Output"):
            node = Hdf5Node(name=full, kind="Identity")
        inputs += [full] if kind == "Input" else []
        outputs += [full] if kind == "Output" else []
        if full in nodes:
            raise InputError(where, f"requires a name of its own for each node; found two called {full}; rename one")
        nodes[full] = node
        ends[name] = ([full], [full])
    for source, target in _edges(group, where):
        a = _ends(_resolve(source, members, prefix, where, notes), ends, prefix, where)[1]
        b = _ends(_resolve(target, members, prefix, where, notes), ends, prefix, where)[0]
        edges.append((a[0], b[0]))
    return inputs, outputs


def _node(full: str, kind: str, member: Tree) -> Hdf5Node:
    if kind not in FIELDS:
        raise UnsupportedError(
            full, "primitives of NIR 1.0", kind, f"rewrite it with {', '.join(FIELDS)} or a nested NIRGraph"
        )
    fields: dict[str, Leaf] = {
        key: value for key, value in member.items() if not isinstance(value, dict) and key != "type"
    }
    missing = [key for key in FIELDS[kind] if key not in fields and key not in _DEFAULTS]
    if missing:
        raise InputError(full, f"requires all fields of {kind}; found no {', '.join(missing)}; write the file again")
    metadata = member.get("metadata")
    text = metadata.get(SAID) if isinstance(metadata, dict) else None
    if isinstance(text, str):
        fields[SAID] = text
        amount = metadata.get(AMOUNT) if isinstance(metadata, dict) else None
        if isinstance(amount, np.ndarray):
            fields[AMOUNT] = amount
    node = Hdf5Node(name=full, kind=kind, fields=fields)
    if kind in NEURONS:
        declared_shape(node)
    return node


def _edges(group: Tree, where: object) -> list[Edge]:
    found = group.get("edges")
    if isinstance(found, np.ndarray) and found.size == 0:
        return []
    if not isinstance(found, list) or not all(
        isinstance(edge, list) and len(edge) == 2 and all(isinstance(end, str) for end in edge) for edge in found
    ):
        raise InputError(where, "requires a list of edges (pairs of node names); found none; write the file again")
    return [(edge[0], edge[1]) for edge in found]


def _ends(
    name: str, ends: dict[str, tuple[list[str], list[str]]], prefix: str, where: object
) -> tuple[list[str], list[str]]:
    inputs, outputs = ends[name]
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            where,
            f"requires one input and one output of a nested graph that edges name; found {len(inputs)} and "
            f"{len(outputs)} in {prefix}{name}; give it one of each",
        )
    return inputs, outputs


def _resolve(name: str, members: Tree, prefix: str, where: object, notes: list[str]) -> str:
    """The node that an edge means by `name`.

    Files of NIR 0.2 hold edges to names that stand only at the beginning (or, behind a dot, at the end) of a node's:
    `lif` for `lif1`, `lif1` for `lif1.lif`. Those are read as the one neuron so named.
    """
    if name in members:
        return name
    kinds = {key: member.get("type") for key, member in members.items() if isinstance(member, dict)}
    near = [key for key in kinds if key.startswith(name) or key.endswith(f".{name}")]
    close = [key for key in near if kinds[key] in NEURONS] or near
    if not name or len(close) != 1:
        known = ", ".join(list(members)[:12])
        raise InputError(
            where,
            f"requires edges between nodes; found one to {prefix}{name!r}, which does not exist; choose from {known}",
        )
    note = f"edges to '{prefix}{name}', which does not exist, are read as edges to '{prefix}{close[0]}'"
    if note not in notes:
        notes.append(note)
    return close[0]
