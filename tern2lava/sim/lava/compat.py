"""Makes Intel's Lava (lava-nc 0.10) importable on Python 3.10 to 3.12. Every import of Lava goes through here.

lava-nc 0.10.0 declares Python <3.11. On 3.11 and later exactly one of its modules fails to import: in
lava/magma/compiler/var_model.py the dataclasses CoreEncoder, ChipEncoder and AxonEncoder have instances of the
dataclass ByteEncoder as field defaults, and since Python 3.11 a default must be hashable (docs.python.org,
dataclasses, "Mutable default values"). Giving ByteEncoder a hash is the whole cure. `require_lava` executes that one
module from its unchanged source file with `@dataclass` of ByteEncoder read as `@dataclass(unsafe_hash=True)`: no file
in site-packages is written (not even a cached .pyc) and the module `dataclasses` stays as it is.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType

from tern2lava.errors import MissingPackageError

BROKEN_MODULE = "lava.magma.compiler.var_model"
BROKEN_CLASS = "ByteEncoder"
LAVA = "lava-nc==0.10.0"


def how_to_install() -> str:
    """The one command that adds Lava to this Python, for the text of an error."""
    if sys.version_info < (3, 11):
        return f"install it with: pip install {LAVA}"
    return (
        f"install it with: pip install --ignore-requires-python {LAVA} "
        "(its wheel declares Python <3.11; tern2lava mends the one import that fails on later versions)"
    )


class _HashableDefaults(SourceFileLoader):
    """Loads BROKEN_MODULE with ByteEncoder made hashable; never reads or writes cached bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == BROKEN_CLASS:
                node.decorator_list = [
                    ast.Call(func=d, args=[], keywords=[ast.keyword("unsafe_hash", ast.Constant(True))])
                    if isinstance(d, ast.Name) and d.id == "dataclass"
                    else d
                    for d in node.decorator_list
                ]
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


def require_lava() -> None:
    """Nothing; afterwards `import lava.<anything>` works in this interpreter.

    Raises MissingPackageError, with the command that adds it, where Lava is not installed. Importing Lava sets the
    start method of multiprocessing to `fork` for the whole interpreter, which is why tern2lava runs it in a child.
    """
    if BROKEN_MODULE in sys.modules:
        return
    try:
        spec = importlib.util.find_spec(BROKEN_MODULE)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise MissingPackageError("lava-nc (Intel's Lava)", how_to_install())
    if sys.version_info < (3, 11):
        return
    loader = _HashableDefaults(spec.loader.name, spec.loader.path)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[BROKEN_MODULE] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[BROKEN_MODULE]
        raise
    parent, _, name = BROKEN_MODULE.rpartition(".")
    setattr(importlib.import_module(parent), name, module)
