"""Shards on Ray: the same proof and the same traces as here, and a worker that dies costs its own shard alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from places import HELPERS
from tern2lava.compiler.ir.graph import Input
from tern2lava.effort import NORMAL
from tern2lava.errors import BackendError, InputError, MissingPackageError
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.executable import Executable
from tern2lava.sim.reference import integer
from tern2lava.sim.verify import shard
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.ray import map_on_ray
from tern2lava.sim.verify.verify import verify as prove


def test_without_ray_the_error_is_the_command_that_adds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match="uv sync --inexact --extra ray"):
        next(map_on_ray(max, 0, [0]))


def fake_ray(monkeypatch: pytest.MonkeyPatch, init: Exception | None = None) -> None:
    """A Ray whose tasks all lose their worker, or that raises `init` as it starts."""

    class RayError(Exception):
        pass

    def start(**_: Any) -> None:
        if init is not None:
            raise init

    def lose(reference: Any) -> None:
        raise RayError("the worker died\nunexpectedly")

    task = SimpleNamespace(remote=lambda *_: object())
    package = SimpleNamespace(
        is_initialized=lambda: False, init=start, shutdown=lambda: None, put=lambda value: value, get=lose,
        remote=lambda **_: lambda function: task, cluster_resources=lambda: {"CPU": 1},
        cancel=lambda reference, force: None, exceptions=SimpleNamespace(RayError=RayError),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "ray", package)


def test_a_worker_that_is_lost_for_good_is_one_line_and_exit_code_five(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ray(monkeypatch)
    with pytest.raises(BackendError, match="after 3 retries: the worker died unexpectedly") as lost:
        list(map_on_ray(max, 0, range(3)))
    assert lost.value.exit_code == 5


def test_a_ray_that_does_not_start_is_one_line_and_exit_code_five(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ray(monkeypatch, ConnectionError("no cluster\nat 10.0.0.1"))
    with pytest.raises(BackendError, match="Ray did not start: no cluster at 10.0.0.1; see RAY_ADDRESS") as lost:
        list(map_on_ray(max, 0, range(3)))
    assert lost.value.exit_code == 5


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of one machine and two cores, for all tests of this file; its workers find the jobs beside this file."""
    if os.environ.get("TERN2LAVA_TEST_RAY") != "1":
        pytest.skip("starting Ray and its workers takes too long for every run; set TERN2LAVA_TEST_RAY=1")
    package = pytest.importorskip("ray", reason="Ray is not installed (the extra ray)")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    package.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(HELPERS), *filter(None, sys.path)])}},
    )  # fmt: skip
    sys.path.insert(0, str(HELPERS))
    yield package
    sys.path.remove(str(HELPERS))
    package.shutdown()


@pytest.fixture(scope="module")
def jobs(ray: Any) -> Any:
    import ray_jobs

    return ray_jobs


def test_a_worker_that_is_killed_costs_its_own_part_alone(jobs: Any, tmp_path: Path) -> None:
    found = list(map_on_ray(jobs.square_or_die, (str(tmp_path), 3), range(6)))
    assert found == [0, 1, 4, 9, 16, 25]
    runs = [len(list(tmp_path.glob(f"{part}.*"))) for part in range(6)]
    assert runs == [1, 1, 1, 2, 1, 1]


def test_an_error_raised_on_purpose_keeps_its_type_and_text(jobs: Any) -> None:
    with pytest.raises(InputError, match="part 2: is refused") as caught:
        list(map_on_ray(jobs.refuse, None, range(4)))
    assert caught.value.where == "part 2"


def test_an_error_of_the_task_itself_is_one_line(jobs: Any) -> None:
    with pytest.raises(BackendError, match="ZeroDivisionError") as caught:
        list(map_on_ray(jobs.divide, 0, [1]))
    assert "\n" not in str(caught.value)


def test_a_proof_and_a_trace_on_ray_are_those_of_one_machine(ray: Any, executable: Executable) -> None:
    one = replace(NORMAL, shard_values=1)
    rng = np.random.default_rng(0)
    shape = executable.program.of_kind(Input)[0].shape
    data = SpikeData(inputs={"x": rng.integers(0, 2, (5, 12, *shape)).astype(np.uint8)}, labels=np.arange(5) % 3)
    done: list[int] = []
    here = prove(executable, data, backend="reference", samples=4, effort=one)
    there = prove(
        executable,
        data,
        backend="reference",
        samples=4,
        ray=True,
        effort=one,
        progress=lambda _, count, total: done.append(count),
    )
    assert done == [1, 2, 3, 4, 5]
    assert [replace(e, seconds=0.0) for e in there.executions] == [replace(e, seconds=0.0) for e in here.executions]
    assert replace(there, executions=()) == replace(here, executions=())
    parts = [({"x": data.inputs["x"][b : b + 2]}, True) for b in (0, 2)]
    traces = list(map_on_ray(shard.engine_trace, executable.program, parts))
    for (inputs, _), trace in zip(parts, traces, strict=True):
        found = compare({"I": integer.run(executable.program, inputs), "E": trace}, executable.program)
        assert found.equal, str(found)
        assert found.compared_values == 3 * sum(spikes.size for spikes in trace.spikes.values())
