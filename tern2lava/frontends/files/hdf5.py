"""An HDF5 file (NIR, lava-dl) as a tree of groups, arrays and texts, read by a child process that may crash alone."""

from __future__ import annotations

import json
import math
import mmap
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.extras import lacks
from tern2lava.files.json_text import parse_json
from tern2lava.files.npz import RATIO, UNPACKED
from tern2lava.files.opening import GIB, MIB, FileError, Kind, begins, size_of

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECONDS = 120.0
"""Time that the child may take in all; of a processor's time it takes less (hdf5_child.py)."""
TOO_LONG = 24
"""SIGXCPU: the child used up its time."""
HDF5 = Kind("an HDF5 file", 16 * GIB, larger="export the network alone")
MAX_HEAD = 64 * MIB
"""Bytes of the names, shapes and texts of a file."""

Leaf: TypeAlias = "Array | str | list[Any]"
Tree: TypeAlias = "dict[str, Tree | Leaf]"

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tern2lava.frontends.files.hdf5_child import main; main()"
)
# One thread: a thread pool of the linear algebra library would only cost start-up time and addresses. No plug-ins: a
# file must not make the HDF5 library load code. No lock: files in read-only places are read too.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE",
}  # fmt: skip


def is_hdf5(path: Path) -> bool:
    """Whether the file at `path` begins as HDF5 files do; False where it cannot be read."""
    return begins(path, SIGNATURE)


def read_hdf5(path: Path, *, attributes: bool = False) -> Tree:
    """The groups of the file as dicts, its arrays as read-only arrays, its texts as str (arrays of text as lists).

    attributes: with those of groups, each a number or a text, as members @NAME; else they are left out. Raises
    InputError for a file that is damaged or hostile: it links elsewhere, declares more than UNPACKED bytes and RATIO
    times its size, holds anything but numbers and text, or makes the HDF5 library crash or run for long.
    """
    limit = max(UNPACKED, RATIO * size_of(path, HDF5))
    paths = json.dumps([entry for entry in sys.path if isinstance(entry, str)])
    command = [sys.executable, "-S", "-c", _BOOT, paths, str(path.resolve()), str(limit)]
    command.append("attributes" if attributes else "members")
    # Not through a pipe: the arrays stay in the child's output, from which their pages are read when they are used.
    with tempfile.TemporaryFile() as output:
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, timeout=SECONDS,
                env=os.environ | _ENVIRONMENT,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = -TOO_LONG
        if code == -TOO_LONG:
            raise InputError(
                path,
                "requires a file that the HDF5 library reads in seconds; found one that takes longer, as damaged files "
                "do; copy it again",
            )
        output.seek(0)
        head = output.readline(MAX_HEAD)
        begin = output.tell()
        body: bytes | mmap.mmap = mmap.mmap(output.fileno(), 0, access=mmap.ACCESS_READ) if begin else b""
    try:
        reply = parse_json(head, path)
    except FileError:
        reply = None
    if code != 0 or not isinstance(reply, dict):
        raise InputError(path, "requires a whole HDF5 file; found one that makes the library fail; copy it again")
    if "missing" in reply:
        raise lacks("hdf5", "h5py", "NIR and lava-dl files need it")
    if "error" in reply:
        raise InputError(
            path, f"requires an HDF5 file that can be read; found {reply['error']}; copy or write the file again"
        )
    tree, end = _filled(reply["tree"], body, begin)
    assert end == len(body)
    return tree


def _filled(members: dict[str, Any], body: bytes | mmap.mmap, at: int) -> tuple[Tree, int]:
    """(the tree with its arrays cut out of `body` from `at` on, in order, and the end of the last)."""
    result: Tree = {}
    for name, member in members.items():
        if "group" in member:
            result[name], at = _filled(member["group"], body, at)
        elif "text" in member:
            result[name] = member["text"]
        elif "number" in member:
            result[name] = np.asarray(member["number"])
        else:
            dtype, shape = np.dtype(member["dtype"]), tuple(member["shape"])
            count = math.prod(shape)
            flat = np.frombuffer(body, dtype, count, at) if count else np.empty(0, dtype)
            flat.setflags(write=False)
            result[name] = flat.reshape(shape)
            at += count * dtype.itemsize
    return result, at
