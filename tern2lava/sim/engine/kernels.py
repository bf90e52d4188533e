"""Compiled functions: kept between processes, made when a network first needs them, called through their addresses.

numba puts what a function calls into the function's own code and optimises all of it again, at every level. Ways of
summing and stepping are therefore compiled by themselves, each once and only for a network that needs it, and reached
through addresses that the network's tables hold.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import cgutils, event, types

from tern2lava.sim.engine.kept_code import KeptCode

COMPILING = "compiling kernels (once)"
_KEPT_IN: set[str] = set()


@cache
def _sources() -> str:
    """A digest of all sources of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def kernel(function: Callable[..., Any] | None = None, *, inline: str = "never") -> Any:
    """`function` compiled by numba, to run without the interpreter's lock and kept on disk.

    numba compiles a kept function again when its own file is touched; here it is when any file of this package differs,
    since a function holds the code of those that it calls and the constants that it names (see kept_code.py).
    """
    if function is None:
        return lambda decorated: kernel(decorated, inline=inline)
    try:
        compiled = njit(nogil=True, cache=True, inline=inline)(function)
        cache = compiled._cache
        cache._cache_file = KeptCode(cache.cache_path, cache._impl.filename_base, _sources())
        _KEPT_IN.add(cache.cache_path)
    except RuntimeError:
        # No folder to keep it in (no home, a package that cannot be written): compiled anew in each process.
        return njit(nogil=True, inline=inline)(function)
    return compiled


def kept_in() -> tuple[str | None, int, int]:
    """The folder in which compiled kernels are kept, how many there are and their bytes; None: there is none."""
    importlib.import_module("tern2lava.sim.engine.neuron")
    if not _KEPT_IN:
        return None, 0, 0
    folder = min(_KEPT_IN)
    sizes = [path.stat().st_size for path in Path(folder).glob("*.nbc")]
    return folder, len(sizes), sum(sizes)


@cache
def address(function: Any, signature: Any) -> int:
    """Where the machine code of a kernel is, compiled for a signature or loaded."""
    function.compile(signature)
    made = function.get_compile_result(signature)
    return int(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))


@contextmanager
def telling(tell: Callable[[], None]) -> Iterator[None]:
    """Within it `tell` is called whenever numba begins to compile a function, not when it loads one."""

    class Told(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            tell()

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Told()):
        yield


def indirect(signature: Any) -> tuple[Any, Any]:
    """For an intrinsic (address, *arguments): its signature, and what generates the call of the function at the
    address, which was compiled for `signature`."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        pointer = builder.inttoptr(values[0], kind.as_pointer())
        status, _ = convention.call_function(builder, pointer, signature.return_type, signature.args, values[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, *signature.args), generate
