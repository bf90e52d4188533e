"""Machine code that is kept between processes, one file for each function and signature.

numba's own cache has an index of files that it names by number: a run killed between index and file makes the next one
take the machine code of former sources for that of today's, and two first runs at once take each other's for another
signature. Here a file says what it is of, and is whole or not taken.
"""

from __future__ import annotations

import glob
import hashlib
import os
from pathlib import Path
from typing import Any

from numba.core.serialize import dumps

from tern2lava.errors import InputError
from tern2lava.writing import write_file

_DIGEST = 32


class KeptCode:
    """Takes the place of numba's IndexDataCacheFile, whose three methods it has.

    folder, base: where and how the files of one function are named. stamp: digest of the sources that it was made of.
    """

    def __init__(self, folder: str, base: str, stamp: str) -> None:
        self.folder, self.base, self.stamp = Path(folder), base, stamp

    def _path(self, key: Any) -> tuple[Path, bytes]:
        import numba

        what = dumps((self.stamp, numba.__version__, repr(key)))
        digest = hashlib.sha256(what).digest()
        return self.folder / f"{self.base}.{self.stamp[:12]}.{digest.hex()[:16]}.nbc", digest

    def save(self, key: Any, data: Any) -> None:
        """Keep `data` for `key`; where that cannot be written, it is made anew in the next process."""
        path, digest = self._path(key)
        code = dumps(data)
        try:
            write_file(path, lambda aside: aside.write_bytes(digest + hashlib.sha256(code).digest() + code), note=False)
            self._forget_others()
        except (InputError, OSError):
            pass

    def load(self, key: Any) -> Any:
        """What was kept for `key`; None where there is nothing, or anything but what `save` wrote."""
        import pickle

        path, digest = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        code = content[2 * _DIGEST :]
        if content[: 2 * _DIGEST] != digest + hashlib.sha256(code).digest():
            return None
        return pickle.loads(code)

    def flush(self) -> None:
        """Forget what is kept."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [Path(name) for name in glob.glob(glob.escape(str(self.folder / self.base)) + ".*nb[ci]")]

    def _forget_others(self) -> None:
        """Remove what was made of other sources, by numba's own names too."""
        for path in self._files():
            if not path.name.startswith(f"{self.base}.{self.stamp[:12]}."):
                os.unlink(path)
