"""The registry of the networks that ship with tern2lava, and the files of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from tern2lava.errors import InputError
from tern2lava.files.json_text import read_json
from tern2lava.registry import Registry

DIGITS = "digits"
"""The group that `tern2lava demo` shows by itself."""
TARGETS = ("loihi2", "generic-ternary", "loihi1")
"""Targets that every network of the zoo is compiled for."""


@dataclass(frozen=True, kw_only=True)
class ZooFiles:
    """The files of a network. weights: its checkpoint; net: its net.yaml; run: its own recorded run; experiment: the
    file that it was trained from; metrics: what the training measured; compiled: what became of it on TARGETS; samples:
    test samples. None: there is no such file."""

    weights: Path
    net: Path
    experiment: Path
    metrics: Path
    compiled: Path
    run: Path | None
    samples: Path | None


@dataclass(frozen=True, kw_only=True)
class ZooNet:
    """A trained network. what: one line of docs/zoo.md. group: nets of the same data, which `demo --net` takes by this
    name too. licence: the data's, in words. ships: whether test samples of it ship; records: whether a run of the
    network on some does. package: the package in which its files lie; weights: the ending of its checkpoint."""

    name: str
    what: str
    group: str
    licence: str
    ships: bool = True
    records: bool = True
    package: str = "tern2lava.zoo"
    weights: str = "npz"

    def files_in(self, folder: Path) -> ZooFiles:
        """Its files, those that there may not be among them only where they are there."""
        run, samples = folder / f"{self.name}-run.npz", folder / f"{self.name}-samples.npz"
        return ZooFiles(
            weights=folder / f"{self.name}.{self.weights}",
            net=folder / f"{self.name}.yaml",
            experiment=folder / f"{self.name}-experiment.yaml",
            metrics=folder / f"{self.name}-metrics.json",
            compiled=folder / f"{self.name}-compiled.json",
            run=run if run.is_file() else None,
            samples=samples if samples.is_file() else None,
        )

    @contextmanager
    def files(self) -> Iterator[ZooFiles]:
        """Its files, for as long as the block runs."""
        with resources.as_file(resources.files(self.package)) as folder:
            yield self.files_in(folder)

    def metrics(self) -> dict[str, Any]:
        """What its training measured (metrics.json of docs/training.md); `full`, the metrics of full precision;
        `samples`, how it does on those that ship; `command` and `made_with`."""
        with self.files() as files:
            found: dict[str, Any] = read_json(files.metrics)
        return found

    def compiled(self) -> list[dict[str, Any]]:
        """What became of it on each of TARGETS (zoo.compiled)."""
        with self.files() as files:
            found: list[dict[str, Any]] = read_json(files.compiled)
        return found


FASHION = "Fashion-MNIST, (c) 2017 Zalando SE, MIT (tern2lava/zoo/FASHION-MNIST-LICENSE)"


ZOO: Registry[ZooNet] = Registry("network of the zoo")

for _net in (
    ZooNet(
        name="mlp",
        what="dense, reset to zero, one scale a layer: runs on Lava's own LIF",
        group=DIGITS,
        licence="scikit-learn's digits, bundled with it (CC BY 4.0)",
        ships=False,
        package="tern2lava.demo",
        weights="pt",
    ),
    ZooNet(
        name="conv",
        what="batch norm, pooling, groups, a scale a channel, soft reset one step late",
        group=DIGITS,
        licence="scikit-learn's digits, bundled with it (CC BY 4.0)",
        ships=False,
        package="tern2lava.demo",
        weights="pt",
    ),
    ZooNet(
        name="fashion-small",
        what="grey values at each step, batch norm, pooling, potentials as readout",
        group="fashion",
        licence=FASHION,
    ),
    ZooNet(
        name="spoken-digits",
        what="spikes over time, dense, potentials as readout",
        group="spoken-digits",
        licence="Free Spoken Digit Dataset, CC BY-SA 4.0",
        ships=False,
        records=False,
    ),
):
    ZOO.add(_net)


def chosen(name: str) -> tuple[ZooNet, ...]:
    """The network of this name, or those of the group of this name. Raises InputError."""
    group = tuple(net for net in ZOO.registered() if net.group == name)
    if group or name in ZOO.names():
        return group or (ZOO.get(name),)
    groups = dict.fromkeys(net.group for net in ZOO.registered())
    known = ", ".join(dict.fromkeys((*groups, *ZOO.names())))
    raise InputError("net", f"requires one of {known}; found {name}; choose one of them (tern2lava demo --list)")
