"""Makes Intel's Lava (lava-nc 0.10) work on later Pythons and numpys. Every import of Lava goes through here.

lava-nc 0.10.0 declares Python <3.11 and numpy <2. Beyond these, two of its modules fail:

- lava/magma/compiler/var_model.py, on Python 3.11 and later: the dataclasses CoreEncoder, ChipEncoder and AxonEncoder
  have instances of the dataclass ByteEncoder as field defaults, which must be hashable since then (docs.python.org,
  dataclasses, "Mutable default values"). ByteEncoder gets a hash: `@dataclass(unsafe_hash=True)`.
- lava/magma/core/process/ports/ports.py, on numpy 2.1 and later: ReshapePort hands its shape to np.reshape as
  `newshape`, which numpy 2.1 calls `shape` and later releases know by no other name (numpy 2.1.0 release notes,
  "np.reshape: shape"). It is handed over as `shape`.

`require_lava` executes these two from their unchanged source files, read with that difference: no file in site-packages
is written (not even a cached .pyc), and the module `dataclasses` and numpy stay as they are. `.ci/lava_tests.py` runs
Lava's own tests of the parts used here with and without the mends.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType

import numpy as np

from tern2lava.extras import require

ENCODERS = "lava.magma.compiler.var_model"
PORTS = "lava.magma.core.process.ports.ports"
Mend = Callable[[ast.Module], None]


def needed_mends() -> dict[str, Mend]:
    """What is mended on this Python and numpy: for each module of Lava, what changes its syntax tree."""
    mends: dict[str, Mend] = {}
    if sys.version_info >= (3, 11):
        mends[ENCODERS] = hash_byte_encoder
    if "shape" in inspect.signature(np.reshape).parameters:
        mends[PORTS] = rename_newshape
    return mends


def hash_byte_encoder(tree: ast.Module) -> None:
    """Make `@dataclass` of ByteEncoder `@dataclass(unsafe_hash=True)`."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "ByteEncoder":
            node.decorator_list = [
                ast.Call(func=d, args=[], keywords=[ast.keyword("unsafe_hash", ast.Constant(True))])
                if isinstance(d, ast.Name) and d.id == "dataclass"
                else d
                for d in node.decorator_list
            ]


def rename_newshape(tree: ast.Module) -> None:
    """Make each keyword argument `newshape` of a call the keyword `shape`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "newshape":
            node.arg = "shape"


class _MendingLoader(SourceFileLoader):
    """Loads a module from its source with one mend; never reads or writes cached bytecode."""

    def __init__(self, fullname: str, path: str, mend: Mend) -> None:
        super().__init__(fullname, path)
        self.mend = mend

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        self.mend(tree)
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


class _MendingFinder(MetaPathFinder):
    """Finds the modules that have a mend, where Python's own finder finds them."""

    def __init__(self, mends: Mapping[str, Mend]) -> None:
        self.mends = mends

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname not in self.mends:
            return None
        spec = PathFinder.find_spec(fullname, path)  # type: ignore[arg-type]
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _MendingLoader(fullname, spec.loader.path, self.mends[fullname])
        return spec


def require_lava() -> None:
    """Make `import lava.<anything>` work in this interpreter.

    Raises MissingPackageError, with the command that adds it, where Lava is not installed. Importing Lava sets the
    start method of multiprocessing to `fork` for the whole interpreter, which is why tern2lava runs it in a child.
    """
    require("lava")
    mend_lava()


def mend_lava() -> None:
    """Import the modules of Lava that have a mend, each from its source with it."""
    mends = needed_mends()
    finder = _MendingFinder(mends)
    sys.meta_path.insert(0, finder)
    try:
        for name in mends:
            importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)
