"""The object tree and the storages of a file written by torch.save, in its zip format or the one before torch 1.6.

Formats: torch/serialization.py (`_save`, `_legacy_save`). Torch is not imported, and nothing in the file is run.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from tern2lava.errors import InputError
from tern2lava.files.opening import MIB, OpenFile
from tern2lava.files.zip_archive import Archive
from tern2lava.frontends.files.foreign import EXPORTED, TORCHSCRIPT
from tern2lava.frontends.files.pickle_reader import Reference, Source, read_pickle
from tern2lava.frontends.files.tensors import Fetch, Storage, storage_itemsize

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_PICKLE = 64 * MIB
"""Bytes of the pickle in a zip file."""
MAX_OLD_PICKLE = 128 * MIB
"""Bytes of all pickles of an old or plain file, storages left out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TorchFile:
    """What torch.save wrote: the tree of its pickle, the way to its storages, and the format's name."""

    tree: Any
    fetch: Fetch
    format: str


def read_zip(path: Path, archive: Archive) -> TorchFile:
    """The content of a torch zip file. Raises InputError for one that is damaged or a TorchScript program."""
    pickles = [name for name in archive.names if name.endswith("/data.pkl") or name == "data.pkl"]
    if any(name.endswith(("archive_format", "models/model.json")) for name in archive.names):
        raise InputError(path, f"requires a checkpoint; found {EXPORTED[0]}; {EXPORTED[1]}")
    if not pickles:
        raise InputError(
            path, "requires a checkpoint of torch.save; found a zip file without data.pkl; write it with torch.save"
        )
    prefix = min(pickles, key=lambda name: (len(name), name)).removesuffix("data.pkl")
    if f"{prefix}constants.pkl" in archive.names:
        raise InputError(path, f"requires a checkpoint; found {TORCHSCRIPT[0]}; {TORCHSCRIPT[1]}")
    order = archive.read(f"{prefix}byteorder", limit=64).strip() if f"{prefix}byteorder" in archive.names else b"little"
    if order not in (b"little", b"big"):
        raise InputError(path, f"requires little or big byte order; found {order!r:.40}; save it again")
    tree = read_pickle(BytesIO(archive.read(f"{prefix}data.pkl", limit=MAX_PICKLE)), path)
    storages: dict[str, Storage] = {}

    def fetch(key: str) -> Storage:
        name = f"{prefix}data/{key}"
        if name not in archive.names:
            raise ValueError(f"its storage {key[:40]!r} is not in the file")
        if key not in storages:
            size = archive.size(name)
            storages[key] = Storage(
                size=size, packed=archive.packed(name), load=partial(archive.read, name, size),
                big_endian=order == b"big",
            )  # fmt: skip
        return storages[key]

    return TorchFile(tree=tree, fetch=fetch, format="torch zip")


def read_legacy(path: Path, file: OpenFile) -> TorchFile:
    """The content of a torch file in the old format, or of a plain pickle. Raises InputError for a damaged one.

    Old format: pickles of a magic number, a protocol, system facts, the tree and the list of storage keys; then for
    each key the number of elements (int64) and the elements.
    """
    stream = Source(file, MAX_OLD_PICKLE)
    first = read_pickle(stream, path)
    if first != LEGACY_MAGIC:
        return TorchFile(tree=first, fetch=_no_storage, format="pickle")
    protocol, system = read_pickle(stream, path), read_pickle(stream, path)
    if protocol != LEGACY_PROTOCOL:
        raise InputError(
            path, f"requires torch format {LEGACY_PROTOCOL}; found another; load it in torch and save it again"
        )
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    references: list[Reference] = []
    tree, keys = read_pickle(stream, path, references), read_pickle(stream, path)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError(
            path, "requires a list of storages; found a malformed one, as in a damaged file; copy it again"
        )
    try:
        sizes = dict(map(storage_itemsize, references))
    except ValueError as error:
        raise InputError(path, f"{error}; load it in torch and save the state_dict") from None
    storages: dict[str, Storage] = {}
    for key in keys:
        start = stream.tell() + 8
        if start > file.size:
            raise InputError(
                path,
                f"requires all storages; found the end of the file before '{key:.40}', so it is truncated; copy "
                "it again",
            )
        (count,) = struct.unpack(f"{order}q", file.read_exactly(8, start - 8))
        size = sizes.get(key, 0)
        if not size:
            raise InputError(
                path,
                f"requires storages of a known element type; found another for '{key:.40}'; load it in torch and "
                "save it again",
            )
        if count < 0 or start + count * size > file.size:
            raise InputError(
                path, f"requires storages that fit into the file; found '{key:.40}' of {count:,} numbers; copy it again"
            )
        storages[key] = Storage(
            size=count * size, packed=count * size, load=partial(file.read_room, count * size, start),
            big_endian=order == ">",
        )  # fmt: skip
        stream.seek(start + count * size)

    def fetch(key: str) -> Storage:
        if key not in storages:
            raise ValueError(f"its storage {key[:40]!r} is not in the file")
        return storages[key]

    return TorchFile(tree=tree, fetch=fetch, format="torch legacy")


def _no_storage(key: str) -> Storage:
    raise ValueError("its numbers lie outside the pickle; save it with torch.save")
