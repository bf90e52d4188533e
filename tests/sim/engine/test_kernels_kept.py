"""Kernels: only those that a network needs, compiled once for all processes, again whenever a source differs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import tern2lava
from tern2lava.compiler.ir.graph import Graph
from tern2lava.sim.engine import columns, kernels
from tern2lava.sim.engine.kernels import COMPILING, telling
from tern2lava.sim.engine.program import prepare


def ways_of(graph: Graph) -> set[int]:
    """The ways that a program has addresses of."""
    found = set()
    for group in prepare(graph).groups:
        assert group.tables is not None
        assert set(np.flatnonzero(group.tables.addresses)) == set(group.tables.ways)
        found |= set(group.tables.ways)
    return found


def test_a_network_needs_only_its_own_ways(integer_network: Callable[..., tuple[Graph, object]]) -> None:
    plain = ways_of(integer_network("stock_chain")[0])
    assert plain <= {columns.DENSE, columns.ALIKE, columns.EACH}
    assert columns.DENSE in plain
    assert columns.CONV in ways_of(integer_network("stock_convolution")[0])
    assert columns.DENSE_LEVELS in ways_of(integer_network("graded")[0])
    assert columns.FURTHER in ways_of(integer_network("every_kind")[0])


def test_compiling_is_told_and_what_is_compiled_already_is_not() -> None:
    @njit  # type: ignore[untyped-decorator]
    def twice(x: int) -> int:
        return 2 * x

    told: list[int] = []
    with telling(lambda: told.append(1)):
        assert twice(3) == 6
        first = len(told)
        assert twice(4) == 8
    assert first == len(told) > 0


SCRIPT = """
import sys
from tern2lava.sim.engine import kernels
if len(sys.argv) > 1:
    kernels._sources = lambda: sys.argv[1]
from numba import types
from tern2lava.sim.engine.bits import pack
told = []
with kernels.telling(lambda: told.append(1)):
    kernels.address(pack, types.int64(types.Array(types.uint8, 1, "C"), types.Array(types.uint64, 1, "C")))
print(len(told) > 0)
"""


def test_a_kernel_is_compiled_once_for_all_processes_and_again_when_any_source_differs(tmp_path: Path) -> None:
    root = str(Path(tern2lava.__file__).parent.parent)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": root}

    def compiles(*arguments: str) -> bool:
        command = [sys.executable, "-c", SCRIPT, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout.strip() == "True"

    assert compiles()
    assert not compiles()
    assert compiles("another digest of the sources")


def test_the_digest_is_that_of_every_source_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(kernels, "__file__", str(tmp_path / "a.py"))
    digest = kernels._sources.__wrapped__
    before = digest()
    assert digest() == before
    (tmp_path / "b.py").write_text("# b.py, changed\n")
    assert digest() != before


def test_progress_says_that_kernels_are_compiled(
    integer_network: Callable[..., tuple[Graph, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tern2lava.sim.engine import ways

    def compile_something(function: object, signature: object) -> int:
        @njit  # type: ignore[untyped-decorator]
        def once(x: int) -> int:
            return x

        return once(1)  # type: ignore[no-any-return]

    monkeypatch.setattr(ways, "address", compile_something)
    told: list[tuple[str, int, int]] = []
    prepare(integer_network("stock_chain")[0], lambda *of: told.append(of))
    assert {stage for stage, _, _ in told} == {COMPILING}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert all(done < total for _, done, total in told)
