"""The test samples of a network of the zoo, encoded as it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tern2lava.compiler.ir.shapes import Array, Ints, Spikes
from tern2lava.errors import InputError
from tern2lava.files.npz import open_npz
from tern2lava.train.data import Dataset, load_dataset
from tern2lava.train.encode import encode
from tern2lava.zoo.nets import ZooNet

# Keys of an experiment's `data` that are no options of the data set.
OF_ALL = ("name", "train", "test", "hold_out")


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """Test samples: spikes (samples, steps, *shape) and labels (samples,). accuracy: that of the network as it was
    trained, on these samples; whole: the number of test samples that there are."""

    spikes: Spikes
    labels: Ints
    accuracy: float
    whole: int

    @property
    def arrays(self) -> dict[str, Array]:
        """As a spike file has them."""
        return {"spikes": self.spikes, "labels": self.labels}


def samples_of(net: ZooNet, data_dir: Path | None = None) -> Samples:
    """The samples that ship with `net`, or with `data_dir`, or where none ship, the whole test set of its data.

    Raises InputError where the files of the data are not there, or are other data than it was trained on.
    """
    metrics = net.metrics()
    with net.files() as files:
        if files.samples is not None and data_dir is None:
            with open_npz(files.samples) as npz:
                x, labels, top = npz.read("x"), npz.read("y"), int(npz.read("top"))
            spikes = _encoded(x, top, metrics)
            accuracy = metrics["samples"]["accuracy"]
            return Samples(spikes=spikes, labels=labels, accuracy=accuracy, whole=metrics["data"]["test"])
    data = data_of(metrics, data_dir)
    if data.digest != (wanted := metrics["data"]["digest"]):
        raise InputError(
            data_dir or data.name,
            f"requires the data of {net.name}, SHA-256 {wanted[:12]}; found {data.digest[:12]}; get the files again "
            "(docs/training-data.md)",
        )
    return Samples(
        spikes=_encoded(data.test_x, data.top, metrics), labels=data.test_y, accuracy=metrics["model"]["accuracy"],
        whole=len(data.test_y),
    )  # fmt: skip


def data_of(metrics: dict[str, Any], data_dir: Path | None) -> Dataset:
    """The whole data set that metrics.json names; InputError where its files are not there."""
    keys = metrics["config"]["data"]
    options = {key: value for key, value in keys.items() if key not in OF_ALL and value is not None}
    return load_dataset(keys["name"], data_dir, steps=metrics["config"]["training"]["steps"], **options)


def _encoded(x: Array, top: int, metrics: dict[str, Any]) -> Spikes:
    keys = metrics["config"]["training"]
    return encode(x, keys["steps"], method=keys["encoding"], top=top, seed=metrics["config"]["seed"])
