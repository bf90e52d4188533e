"""What takes more memory than there is is refused in one line with the number, before anything is allocated."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tern2lava
from archive import save_npz
from sample_nets import SAMPLES
from tern2lava import memory_need
from tern2lava.compiler.ir.graph import Arithmetic, Dense, Graph, Input, Level, Neuron, Output
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import InputError
from tern2lava.frontends.files.checkpoint import read_checkpoint

NEURON = "neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: false, fire: gt}"


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 100 kB left, where nothing is too small to be asked about."""
    monkeypatch.setattr(memory_need, "available", lambda: 100_000)
    monkeypatch.setattr(memory_need, "SMALL", 0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tern2lava.CompiledNetwork:
    folder = tmp_path_factory.mktemp("network")
    return tern2lava.compile(SAMPLES["mlp"].load(folder), "generic-ternary")


def dense(wide: int) -> Graph:
    """A dense layer of wide x wide weights that take no memory: all are one number."""
    weight = np.broadcast_to(np.float64(0.5), (wide, wide))
    return Graph(
        level=Level.IMPORTED, source="wide",
        nodes=(
            Input(name="input", shape=(wide,)), Dense(name="fc", inputs=("input",), weight=weight),
            Neuron(name="n", inputs=("fc",), shape=(wide,)), Output(name="output", inputs=("n",)),
        ),
    )  # fmt: skip


def test_a_dense_layer_of_30_000_by_30_000_is_refused_with_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_need, "available", lambda: 16 * 10**9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as raised:
        lower(dense(30_000), Arithmetic())
    said = str(raised.value)
    assert "requires about 46.8 GB of memory to compile 900,000," in said
    assert "found 16 GB available, of which 80% may be taken; use a machine with more memory, or split" in said
    assert "samples" not in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_checkpoint_of_3_6_gb_takes_no_memory_before_a_tensor_is_asked_for(tmp_path: Path) -> None:
    shape = [30_000, 30_000]
    header = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 3_600_000_000]}}).encode()
    path = tmp_path / "wide.safetensors"
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + 3_600_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(read_checkpoint(path).tensors) == ["w"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.usefixtures("little")
def test_every_step_is_refused_in_one_line_with_what_to_do(network: tern2lava.CompiledNetwork) -> None:
    spikes = np.zeros((50, 16, 24), np.uint8)
    module = nn.Sequential(nn.Linear(200, 200), nn.Identity())
    steps: dict[str, tuple[Any, str]] = {
        "compile": (lambda: tern2lava.compile(dense(100), "loihi2"), "split the layer"),
        "what-if": (lambda: lower(dense(100), Arithmetic()), "split the layer"),
        "module": (lambda: tern2lava.load(module, input_shape=(200,), steps=4), "hold 40,000 numbers in float64"),
        "simulate": (lambda: tern2lava.simulate(network, spikes, keep=False), "fewer shard_values"),
        "verify": (lambda: tern2lava.verify(network, spikes, backend="reference"), "fewer shard_values"),
    }
    for name, (step, hint) in steps.items():
        with pytest.raises(InputError, match="requires about .* of memory to .* found 100 kB available") as e:
            step()
        assert hint in str(e.value), name
        assert "\n" not in str(e.value)


def test_what_a_run_keeps_is_counted_and_what_it_writes_is_not(
    network: tern2lava.CompiledNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spikes = np.zeros((400, 16, 24), np.uint8)
    monkeypatch.setattr(memory_need, "SMALL", 0)
    monkeypatch.setattr(memory_need, "available", lambda: 10_000_000)
    with pytest.raises(InputError, match=r"keep the traces of 400 samples of 16 steps.*pass keep=False"):
        tern2lava.simulate(network, spikes, states=True)
    monkeypatch.setattr(memory_need, "available", lambda: 30_000_000)
    tern2lava.simulate(network, spikes, keep=False, out=tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["predictions"].shape == (400,)


def test_recording_is_refused_after_the_first_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    import snntorch as snn

    monkeypatch.setattr(memory_need, "SMALL", 0)
    monkeypatch.setattr(memory_need, "available", lambda: 1_000_000)
    calls = []
    module = nn.Sequential(nn.Linear(6, 40), snn.Leaky(beta=0.5, init_hidden=True))
    module[0].register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(InputError, match=r"keep the spikes and potentials of 1,000 samples.*record fewer"):
        tern2lava.record(module, np.zeros((1000, 8, 6), np.uint8), call="step")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), np._core._exceptions._ArrayMemoryError((30_000, 30_000), np.dtype(float))],  # type: ignore[attr-defined]
)
def test_an_allocation_that_fails_ends_as_one_line(
    network: tern2lava.CompiledNetwork, monkeypatch: pytest.MonkeyPatch, error: MemoryError
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    for name, act in (
        ("tern2lava.api.simulating.opened", lambda: tern2lava.simulate(network, np.zeros((1, 16, 24)))),
        ("tern2lava.api.compiling.build", lambda: tern2lava.compile(dense(4), "loihi2")),
    ):
        monkeypatch.setattr(name, fails)
        with pytest.raises(InputError, match="requires more memory than there is; found an allocation") as e:
            act()
        assert "\n" not in str(e.value)
        assert ("samples" in str(e.value)) == ("simulating" in name)


def test_torch_says_that_memory_is_short_in_its_own_way() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 58, dtype=torch.uint8)
    assert memory_need.is_out_of_memory(raised.value)
    assert not memory_need.is_out_of_memory(RuntimeError("other"))


def limited(command: list[str], limit: int) -> subprocess.CompletedProcess[str]:
    """The command line run with an address space of `limit` bytes."""
    return subprocess.run(
        [sys.executable, "-m", "tern2lava", *command], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip


def test_under_a_limit_the_command_line_says_what_it_needs_and_leaves_nothing(tmp_path: Path) -> None:
    save_npz(tmp_path / "net.npz", w=np.full((3500, 3500), 0.5, np.float32))
    (tmp_path / "net.yaml").write_text(
        f"input: {{shape: [3500]}}\nsteps: 4\nreadout: spike_count\nlayers:\n- dense: {{weight: w}}\n- {NEURON}\n"
    )
    out = tmp_path / "build"
    done = limited(
        ["compile", str(tmp_path / "net.npz"), "--net", str(tmp_path / "net.yaml"), "-o", str(out)], 1_100_000_000
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "of memory to" in done.stderr
    assert "samples" not in done.stderr
    assert not out.exists()


def test_available_is_the_least_of_machine_group_and_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory_need, "_machine", lambda: 1000)
    monkeypatch.setattr(memory_need, "_address_space", lambda: None)
    monkeypatch.setattr(memory_need, "_GROUPS", ((str(tmp_path), "", "max", "now", ("cache",)),))
    assert memory_need.available() == 1000
    (tmp_path / "now").write_text("300\n")
    for limit, left in (("max\n", 1000), (f"{1 << 63}\n", 1000), ("700\n", 400), ("200\n", 0)):
        (tmp_path / "max").write_text(limit)
        assert memory_need.available() == left
    monkeypatch.setattr(memory_need, "_address_space", lambda: 0)
    assert memory_need.available() == 0
    for name in ("_machine", "_group", "_address_space"):
        monkeypatch.setattr(memory_need, name, lambda: None)
    assert memory_need.available() is None
    memory_need.require_memory("x", "y", 1 << 60, "z")


@pytest.mark.parametrize(("controller", "line"), [("", "0::/a/b"), ("memory", "4:cpu,memory:/a/b")])
def test_the_least_of_a_group_and_those_above_it_counts_and_page_cache_is_free(
    controller: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text(f"7:pids:/c\n{line}\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(memory_need, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory_need, "_GROUPS", ((str(tmp_path), controller, "max", "now", ("old", "new")),))
    assert memory_need._group() is None
    for place, most, now in (("a", "1000", "300"), ("a/b", "900", "250"), (".", "max", "500")):
        (tmp_path / place / "max").write_text(f"{most}\n")
        (tmp_path / place / "now").write_text(f"{now}\n")
    assert memory_need._group() == 650
    (tmp_path / "a/b/memory.stat").write_text("anon 5\nold 30\nnew 40\n")
    assert memory_need._group() == 700
    (tmp_path / "a/b/memory.stat").write_text("anon 5\nold 100\nnew 0\n")
    assert memory_need._group() == 700


def test_the_address_space_that_is_left_is_its_limit_less_what_is_taken() -> None:
    code = "from tern2lava import memory_need as m; print(m._address_space())"
    limit = 4_000_000_000
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert limit - 2_000_000_000 < int(done.stdout) < limit - 5_000_000


@pytest.mark.parametrize(
    ("count", "words"),
    [(999, "0.999 kB"), (7_200_000_000, "7.2 GB"), (123_456_789, "123 MB"), (2 * 10**15, "2,000 TB")],
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert memory_need.in_words(count) == words
