"""The content of an HDF5 file written to standard output, run in a process of its own (see hdf5).

The HDF5 library is written in C, and damaged files make it crash or ask for absurd memory: whatever it does here ends
this process and no other. Imports nothing of tern2lava, so that it starts quickly.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

MAX_DEPTH = 12
MAX_OBJECTS = 50_000
MAX_TEXTS = 400_000
MAX_TEXT = 4_096


class RefusedError(Exception):
    """What is wrong with the file, in words that end a sentence beginning with its name."""


class Reader:
    """Walks a file once; `arrays` collects the datasets whose numbers are sent after the JSON head."""

    def __init__(self, limit: int, attributes: bool = False) -> None:
        self.attributes = attributes
        self.left = limit
        self.limit = limit
        self.objects = 0
        self.texts = 0
        self.arrays: list[Any] = []

    def group(self, group: Any, place: str, depth: int) -> dict[str, Any]:
        """The head of a group: its members by name. Raises RefusedError for links out of the file and odd nesting."""
        import h5py

        if depth > MAX_DEPTH:
            raise RefusedError(f"{place} lies more than {MAX_DEPTH} groups deep")
        members: dict[str, Any] = self.said(group, place) if self.attributes else {}
        for name in group:
            self.objects += 1
            if self.objects > MAX_OBJECTS:
                raise RefusedError(f"holds more than {MAX_OBJECTS:,} objects")
            inside = f"{place}/{name}"[:200]
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise RefusedError(f"{inside} is a link elsewhere ({type(link).__name__}), which is not followed")
            member = group[name]
            if isinstance(member, h5py.Group):
                members[name] = {"group": self.group(member, inside, depth + 1)}
            elif isinstance(member, h5py.Dataset):
                members[name] = self.dataset(member, inside)
            else:
                raise RefusedError(f"{inside} is a {type(member).__name__}; expected groups and datasets")
        return members

    def said(self, group: Any, place: str) -> dict[str, Any]:
        """The head of a group's attributes, @NAME: those that are one number or one text."""
        found: dict[str, Any] = {}
        for name in group.attrs:
            self.objects += 1
            if self.objects > MAX_OBJECTS:
                raise RefusedError(f"holds more than {MAX_OBJECTS:,} objects")
            kind = group.attrs.get_id(name)
            if kind.get_storage_size() > MAX_TEXT or kind.shape not in ((), (1,)):
                raise RefusedError(f"{place} has an attribute {name[:80]} that is neither a number nor a text")
            value = group.attrs[name]
            if isinstance(value, (str, bytes)):
                found[f"@{name}"] = {"text": value if isinstance(value, str) else value.decode("utf-8", "replace")}
            else:
                number = np.asarray(value).reshape(-1)
                if number.size != 1 or number.dtype.kind not in "biuf":
                    raise RefusedError(f"{place} has an attribute {name[:80]} that is neither a number nor a text")
                found[f"@{name}"] = {"number": float(number[0])}
        return found

    def dataset(self, dataset: Any, place: str) -> dict[str, Any]:
        """The head of a dataset: text in it, or the shape and type of the array that follows."""
        import h5py

        if dataset.shape is None:
            raise RefusedError(f"{place} holds nothing")
        if dataset.is_virtual or dataset.external is not None:
            raise RefusedError(f"{place} keeps its numbers in another file, which is not opened")
        text = h5py.check_string_dtype(dataset.dtype)
        if text is not None:
            return {"text": self.text(dataset, place)}
        dtype = dataset.dtype
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise RefusedError(f"{place} has type {dtype}; expected real numbers or text")
        count = 1
        for length in dataset.shape:
            count *= int(length)
        self.left -= count * dtype.itemsize
        if self.left < 0:
            raise RefusedError(f"{place} declares shape {dataset.shape}, above the limit of {self.limit:,} bytes")
        self.arrays.append(dataset)
        return {"shape": list(dataset.shape), "dtype": dtype.newbyteorder("<").str}

    def text(self, dataset: Any, place: str) -> Any:
        self.texts += dataset.size
        if self.texts > MAX_TEXTS or dataset.ndim > 2:
            raise RefusedError(f"{place} declares {dataset.size:,} texts")
        if dataset.dtype.itemsize > MAX_TEXT:
            raise RefusedError(f"{place} declares texts of {dataset.dtype.itemsize:,} bytes")
        found = dataset[()]

        def plain(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return [plain(item) for item in value]
            raw = value if isinstance(value, bytes) else str(value).encode()
            if len(raw) > MAX_TEXT:
                raise RefusedError(f"{place} holds a text of {len(raw):,} bytes")
            return raw.decode("utf-8", "replace")

        return plain(found)


def main() -> None:
    """Write to standard output: a line of JSON (tree or error), then the arrays' bytes one after the other."""
    path, limit, attributes = sys.argv[-3], int(sys.argv[-2]), sys.argv[-1] == "attributes"
    _end_with_parent()
    _confine(limit)
    out = sys.stdout.buffer
    try:
        import h5py
    except ImportError:
        out.write(json.dumps({"missing": "h5py"}).encode() + b"\n")
        return
    reader = Reader(limit, attributes)
    try:
        with h5py.File(path, "r") as file:
            tree = reader.group(file, "", 0)
            out.write(json.dumps({"tree": tree}).encode() + b"\n")
            # One at a time: memory holds the largest of them.
            for dataset in reader.arrays:
                array = np.asarray(dataset[()]).astype(dataset.dtype.newbyteorder("<"), copy=False)
                out.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            out.flush()
        return
    except RefusedError as error:
        why = str(error)
    # Whatever else the library raises on damaged bytes is damage; its text names the place in the library.
    except Exception as error:
        why = f"damaged or truncated HDF5 ({type(error).__name__}: {str(error)[:100]})"
    # Instead of what was written of it before.
    out.flush()
    out.seek(0)
    out.truncate()
    out.write(json.dumps({"error": why}).encode() + b"\n")
    out.flush()


def _end_with_parent() -> None:
    """Have the system end this process, whatever it does, when its parent ends (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: linux/prctl.h


def _confine(limit: int) -> None:
    """Bound this process's memory and time, where the system can."""
    try:
        import resource
    except ImportError:
        return
    # The interpreter with numpy and h5py maps about 1 GB of addresses; arrays exist twice while they are converted.
    resource.setrlimit(resource.RLIMIT_AS, (3 * limit + (2 << 30),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Reading takes a second for each 50 MB; damaged files make the library go in circles. Hard limit: killed for sure.
    seconds = 4 + limit // 50_000_000
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
