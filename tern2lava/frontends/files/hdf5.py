"""An HDF5 file (NIR, lava-dl) as a tree of groups, arrays and texts, read by a child process that may crash alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.extras import lacks

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECONDS = 120.0
MAX_UNPACKED = 256 << 20
"""Bytes that the arrays of a file may declare together, unless 100 times the file's own size is more."""

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
    try:
        with path.open("rb") as stream:
            return stream.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def read_hdf5(path: Path) -> Tree:
    """The groups of the file as dicts, its arrays as read-only arrays, its texts as str (arrays of text as lists).

    Attributes are left out. Raises InputError for a file that is damaged or hostile: it links elsewhere, declares more
    than MAX_UNPACKED bytes, holds anything but numbers and text, or makes the HDF5 library crash or run for long.
    """
    limit = max(MAX_UNPACKED, 100 * path.stat().st_size)
    paths = json.dumps([entry for entry in sys.path if isinstance(entry, str)])
    command = [sys.executable, "-S", "-c", _BOOT, paths, str(path.resolve()), str(limit)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=os.environ | _ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            path,
            f"requires a file that the HDF5 library reads in {SECONDS:.0f} s; found one that takes longer, as "
            "damaged files do; copy it again",
        ) from None
    if done.returncode != 0:
        raise InputError(path, "requires a whole HDF5 file; found one that makes the library fail; copy it again")
    head, _, body = done.stdout.partition(b"\n")
    try:
        reply = json.loads(head)
    except ValueError:
        raise InputError(
            path, "requires a whole HDF5 file; found one that makes the library fail; copy it again"
        ) from None
    if "missing" in reply:
        raise lacks("hdf5", "h5py", "NIR and lava-dl files need it")
    if "error" in reply:
        raise InputError(
            path, f"requires an HDF5 file that can be read; found {reply['error']}; copy or write the file again"
        )
    tree, end = _filled(reply["tree"], body, 0)
    assert end == len(body)
    return tree


def _filled(members: dict[str, Any], body: bytes, at: int) -> tuple[Tree, int]:
    """(the tree with its arrays cut out of `body` from `at` on, in order, and the end of the last)."""
    result: Tree = {}
    for name, member in members.items():
        if "group" in member:
            result[name], at = _filled(member["group"], body, at)
        elif "text" in member:
            result[name] = member["text"]
        else:
            dtype, shape = np.dtype(member["dtype"]), tuple(member["shape"])
            count = math.prod(shape)
            result[name] = np.frombuffer(body, dtype, count, at).reshape(shape)
            at += count * dtype.itemsize
    return result, at
