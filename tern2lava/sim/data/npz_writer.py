"""An npz file that is written piece by piece: memory holds one piece, however many samples there are."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.sim.data.trace import Trace


class Record:
    """Arrays by name that grow along their first axis, kept in files without names until `save`.

    folder: where these files are, on the disk that the result goes to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._kinds: dict[str, tuple[int, tuple[int, ...], np.dtype[Any]]] = {}
        self._around = ExitStack()

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._around.close()

    def append(self, name: str, values: Array) -> None:
        """Append `values` along the first axis of the array `name`; all other axes must agree.

        Raises InputError where the folder cannot be written to (a full disk, for example).
        """
        count, shape, dtype = self._kinds.get(name, (0, values.shape[1:], values.dtype))
        if (shape, dtype) != (values.shape[1:], values.dtype):
            raise ValueError(f"{name}: {values.shape[1:]} of {values.dtype} after {shape} of {dtype}")
        try:
            if name not in self._files:
                file = TemporaryFile(dir=self._folder)  # noqa: SIM115
                self._files[name] = self._around.enter_context(file)
            self._files[name].write(np.ascontiguousarray(values).data)
        except OSError as error:
            raise InputError(
                self._folder,
                f"requires a folder that can be written; found {error.strerror or error}; free space or choose another",
            ) from None
        self._kinds[name] = (count + len(values), shape, dtype)

    def append_trace(self, trace: Trace, states: bool) -> None:
        """Append the spikes of further samples as spikes.NAME; with `states` also v.NAME and u.NAME."""
        kinds = {"spikes": trace.spikes} | ({"v": trace.v, "u": trace.u} if states else {})
        for kind, of in kinds.items():
            for name, values in of.items():
                self.append(f"{kind}.{name}", values)

    def kept(self) -> Iterator[tuple[str, tuple[int, ...], np.dtype[Any], IO[bytes]]]:
        """(name, shape, type, its values as bytes in C order) of each array."""
        for name, file in self._files.items():
            count, shape, dtype = self._kinds[name]
            file.seek(0)
            yield name, (count, *shape), dtype, file

    def save(self, path: Path, compressed: bool = True) -> None:
        """Write the arrays to `path` as an npz file."""
        npy_format: Any = np.lib.format
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
            for name, file in self._files.items():
                count, shape, dtype = self._kinds[name]
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    header = {"descr": dtype.str, "fortran_order": False, "shape": (count, *shape)}
                    npy_format.write_array_header_1_0(member, header)
                    file.seek(0)
                    shutil.copyfileobj(file, member, 1 << 20)
