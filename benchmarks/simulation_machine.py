"""What benchmarks/simulation.py measures of the machine, of the engine alone, and of the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from simulation_nets import Array, Net, mlp, network

from tern2lava.bundle import read_bundle
from tern2lava.compiler.ir.graph import Input
from tern2lava.sim.data.npz_writer import Record
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.engine.bits import popcount
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine

CORES = 2
# The command line in a process that then prints the most KiB it held (rusage would count what its parent held).
_PEAK = """
from tern2lava.__main__ import main
try:
    main()
finally:
    print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""


def seconds_of(action: Callable[[], Any], budget: float, most: int = 30) -> float:
    """The least wall time of a few runs within `budget` seconds; of two where one takes longer (of one without a
    budget): a single run is at the mercy of whatever else the machine does."""
    begin = time.perf_counter()
    best = np.inf
    for run in range(most):
        before = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - before)
        if time.perf_counter() - begin > budget and (run or not budget):
            break
    return float(best)


@njit(nogil=True)  # type: ignore[untyped-decorator]
def _popcounts(words: Array, masks: Array, sums: Array, repeats: int) -> None:
    m0, m1, m2, m3 = masks[0], masks[1], masks[2], masks[3]
    m4, m5, m6, m7 = masks[4], masks[5], masks[6], masks[7]
    for _ in range(repeats):
        for i in range(words.size):
            w = words[i]
            sums[i] += np.int64(
                popcount(w & m0) + popcount(w & m1) + popcount(w & m2) + popcount(w & m3)
                + popcount(w & m4) + popcount(w & m5) + popcount(w & m6) + popcount(w & m7)
            )  # fmt: skip
        # The masks depend on what was counted: no pass can be left out.
        m0 ^= np.uint64(sums[0])
        m1 ^= m0
        m2 ^= m1
        m3 ^= m2
        m4 ^= m3
        m5 ^= m4
        m6 ^= m5
        m7 ^= m6


def popcount_rate(budget: float) -> float:
    """AND + popcount + add of 64-bit words a second on one core, operands in registers and the first-level cache."""
    rng = np.random.default_rng(0)
    words, masks = rng.integers(0, 2**63, 512).astype(np.uint64), rng.integers(0, 2**63, 8).astype(np.uint64)
    sums = np.zeros(512, np.int64)
    repeats = 4000
    _popcounts(words, masks, sums, 1)
    return 512 * 8 * repeats / seconds_of(lambda: _popcounts(words, masks, sums, repeats), budget, 200)


def bandwidth(budget: float) -> float:
    """Bytes read a second from main memory by one core."""
    array = np.ones(1 << 25, np.int64)
    return array.nbytes / seconds_of(lambda: array.sum(), budget)


def one_thread(net: Net) -> Callable[[Array], Any]:
    """What runs a network in the engine on one core."""
    ready = prepare(net.graph)
    return lambda x: run_engine(ready, {"x": x}, states=False, threads=1)


def dense_fraction(budget: float, side: int = 1024) -> tuple[float, float]:
    """(words a second, share of inputs that spike) of the engine on one dense layer, one core, everything included."""
    net = network("dense", [("dense", side, 0)], (side,), 64)
    x = net.spikes(8, rate=0.5)
    run = one_thread(net)
    run(x)
    words = 2 * side * (side // 64) * net.steps * len(x)
    return words / seconds_of(lambda: run(x), budget, 100), float(x.mean())


def growth(budget: float) -> list[tuple[str, str, float, float]]:
    """(what grows, its value, seconds, nanoseconds per synaptic operation) of the engine with one thread."""
    cases: list[tuple[str, str, Net, int]] = []
    for width in (128, 512, 2048, 8192):
        net = network("", [("dense", width, 12), ("dense", 10, 12)], (256,), 25)
        cases.append(("neurons (256-n-10, 25 steps, batch 8)", f"{width:,}", net, 8))
    for width in (256, 1024, 4096):
        square = network("", [("dense", width, 20)], (width,), 25)
        cases.append(("synapses (n x n, 25 steps, batch 8)", f"{width**2:,}", square, 8))
    for steps in (10, 100, 1000):
        cases.append(("steps (784-512-10, batch 8)", f"{steps:,}", replace(mlp(), steps=steps), 8))
    for batch in (1, 16, 256, 1024):
        cases.append(("batch (784-512-10, 25 steps)", f"{batch:,}", replace(mlp(), steps=25), batch))
    found = []
    for what, value, net, batch in cases:
        run, x = one_thread(net), net.spikes(batch)
        run(x[:1])
        spent = seconds_of(partial(run, x), budget)
        found.append((what, value, spent, spent / (net.operations * batch) * 1e9))
    return found


def verification(samples: int) -> list[tuple[str, float]]:
    """(network, seconds) of tern2lava.verify on `samples` test samples of each demonstration network: the engine on
    all, reference and core images on 10; compiled kernels loaded before."""
    from tern2lava import api
    from tern2lava.zoo import DIGITS, chosen
    from tern2lava.zoo.samples import samples_of

    found = []
    for net in chosen(DIGITS):
        name = net.name
        with tempfile.TemporaryDirectory() as folder, net.files() as files:
            api.compile(files.weights, "loihi2", net=files.net, out=Path(folder) / name)
            bundle = read_bundle(Path(folder) / name)
            arrays = samples_of(net).arrays
            once = len(arrays["labels"])
            many = {key: np.concatenate([value] * -(-samples // once))[:samples] for key, value in arrays.items()}
            node = bundle.executable.program.of_kind(Input)[0]
            spikes = SpikeData(inputs={node.name: many["spikes"]}, labels=many["labels"])
            api.verify(bundle, spikes.first(20), samples=10, backend="reference")
            before = time.perf_counter()
            report = api.verify(bundle, spikes, samples=10, backend="reference")
            found.append((name, time.perf_counter() - before))
            proof = report.verification
            if proof is None or not proof.equal or proof.engine_samples != samples:
                sys.exit(f"{name}: verification failed: {proof}")
    return found


def streamed(counts: tuple[int, ...]) -> list[tuple[int, float, float]]:
    """(samples, MiB of their spikes, peak MiB held) of `tern2lava simulate` on each of these numbers of samples of 256
    steps from one file, its spikes and scores left out; each in a process of its own."""
    from importlib import resources

    from tern2lava import api

    data = resources.files("tern2lava.demo")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        api.compile(str(data / "mlp.pt"), "loihi2", net=str(data / "mlp.yaml"), out=Path(folder) / "mlp")
        node = read_bundle(Path(folder) / "mlp").executable.program.of_kind(Input)[0]
        some = (np.random.default_rng(0).random((250, 256, *node.shape)) < 0.2).astype(np.uint8)
        for count in counts:
            file = Path(folder) / "spikes.npz"
            with Record(Path(folder)) as record:
                for _ in range(count // len(some)):
                    record.append("spikes", some)
                record.save(file, compressed=False)
            command = [sys.executable, "-c", _PEAK, "simulate", f"{folder}/mlp", "--data", str(file), "--any-steps"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append((count, file.stat().st_size / 2**20, int(done.stdout.split()[-1]) / 2**10))
    return found


def start_up() -> float:
    """Least seconds of `tern2lava --help` in seven runs."""
    command = [sys.executable, "-m", "tern2lava", "--help"]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True), 60.0, 7)
