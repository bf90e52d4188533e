"""lava-dl files of `export --to netx`, loaded by Intel's netx and run in Lava, against the integer programs.

    uv pip install --no-deps --target build/lava-dl lava-dl==0.6.0
    uv run --group dev python benchmarks/netx.py build/lava-dl          # a few minutes; writes results/netx.md
    uv run --group dev python benchmarks/netx.py build/lava-dl --check  # exit code 1 where a spike differs; prints only

netx itself needs h5py and Lava alone; what it imports of slayer, for resonate-and-fire neurons, is left out. Each
network is one of tests/helpers/export_nets.py, a small one for each feature; every sample of each layer is a run of its
own in Lava's runtime (`fixed_pt`), and its spikes are compared with those of the integer program. What netx and Lava
make of a dense weight (export/netx_weights.py) is compared with their own functions on random matrices.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests" / "helpers")]

from export_nets import NETS, Net  # noqa: E402
from nets import variant  # noqa: E402
from tern2lava import api  # noqa: E402
from tern2lava.compiler.ir.graph import Input  # noqa: E402
from tern2lava.export.exporters import EXPORTERS  # noqa: E402
from tern2lava.export.features import FEATURES  # noqa: E402
from tern2lava.export.netx_weights import netx_keeps  # noqa: E402
from tern2lava.sim.lava.compat import mend_lava  # noqa: E402
from tern2lava.sim.reference import integer  # noqa: E402

RESULT = Path(__file__).resolve().parent / "results" / "netx.md"
MATRICES = 5_000


def netx(folder: Path) -> Any:
    """The module lava.lib.dl.netx.hdf5 of the lava-dl in `folder`."""
    mend_lava()
    sys.path.append(str(folder))
    for name in ("", ".neuron", ".neuron.rf"):
        sys.modules[f"lava.lib.dl.slayer{name}"] = ModuleType(f"lava.lib.dl.slayer{name}")
    sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None  # type: ignore[attr-defined]
    from lava.lib.dl.netx import hdf5

    return hdf5


def differing(hdf5: Any, net: Net, file: Path) -> tuple[int, int, int]:
    """(layers, spikes compared, spikes that differ) of a network, written to `file` and run by netx."""
    compiled = api.compile(net.graph, variant("loihi2", arithmetic__gain_max_shift=13), options=net.options)
    api.export(compiled, file, to="netx")
    (values,) = net.inputs().values()
    expected = integer.run(compiled.lowered.program, net.inputs(), states=False).spikes
    layers = hdf5.NetDict(str(file))["layer"]
    ends = [i + 1 for i in range(len(layers)) if layers[i]["type"] not in ("input", "flatten")]
    compared = wrong = 0
    for depth, (end, spikes) in enumerate(zip(ends, expected.values(), strict=True), 1):
        for sample, wanted in zip(values, spikes, strict=True):
            found = run(hdf5, file, net, sample, depth, end).reshape(wanted.shape)
            compared += wanted.size
            wrong += int((found != wanted).sum())
    return len(ends), compared, wrong


def run(hdf5: Any, file: Path, net: Net, sample: Any, depth: int, end: int) -> Any:
    """Spikes (steps, neurons) of the layer that `end` layers of the file lead to, on one sample (steps, *shape)."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    steps = len(sample)
    (source,) = net.graph.of_kind(Input)
    bits = max(map(abs, source.levels)).bit_length() if source.levels != (0, 1) else 0
    # A source's spikes of step t reach the first neurons in step t + 1, where their sample begins.
    network = hdf5.Network(
        net_config=str(file), num_layers=end, reset_interval=steps, reset_offset=1, input_message_bits=bits
    )
    image = len(network.inp.shape) == 3
    given = sample.transpose(3, 2, 1, 0) if image else sample.reshape(steps, -1).T
    data = np.zeros((*given.shape[:-1], steps + depth), np.int32)
    data[..., :steps] = given
    feed, sink = Source(data=data), Sink(shape=network.out.shape, buffer=steps + depth)
    feed.s_out.connect(network.inp)
    network.out.connect(sink.a_in)
    network.run(condition=RunSteps(num_steps=steps + depth), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found = sink.data.get()[..., depth:]
    network.stop()
    return found.transpose(3, 2, 1, 0) if found.ndim == 4 else found.T


def weights_that_are_read_otherwise(matrices: int) -> tuple[int, int]:
    """Of random matrices: how many netx and Lava keep, and of how many `netx_keeps` says otherwise than they do."""
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    rng, kept, otherwise = np.random.default_rng(1), 0, 0
    for _ in range(matrices):
        high, low = rng.choice([1, 1, 2, 127, 128, 254, 255, 300]), rng.choice([0, -1, -1, -2, -128, -256, -300])
        weight = rng.integers(low, high + 1, (3, 4)) * rng.choice([1, 1, 2, 16, 128])
        weight = -np.abs(weight) if rng.random() < 0.2 else weight
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            try:
                scaled, bits, exponent, _ = optimize_weight_bits(weight)
            except (ValueError, OverflowError):
                bits = 0
        real = False
        if 1 <= bits <= 8:
            mode = determine_sign_mode(scaled)
            cut = truncate_weights(clip_weights(scaled, mode, 8), mode, bits)
            real = exponent <= 0 and np.array_equal(cut, weight * 2.0**-exponent)
        kept += real
        otherwise += real != netx_keeps(weight)
    return kept, otherwise


def page(rows: list[tuple[str, int, int, int]], kept: int, otherwise: int) -> str:
    """The results as Markdown."""
    from importlib.metadata import version

    lines = "".join(f"| {FEATURES[n]} | {layers} | {compared:,} | {wrong} |\n" for n, layers, compared, wrong in rows)
    return (
        "# lava-dl files in Intel's netx\n\n"
        "Written by `benchmarks/netx.py`: `export --to netx`, loaded by `lava.lib.dl.netx.hdf5.Network` of lava-dl\n"
        f"0.6.0 and run by lava-nc {version('lava-nc')} (`fixed_pt`), spikes of every layer against those of the "
        "integer program.\n\n| a network with | layers | spikes compared | differ |\n|---|---|---|---|\n"
        f"{lines}\n"
        f"Of {MATRICES:,} random weight matrices netx and Lava keep {kept:,} as they are; which they keep is foretold "
        f"otherwise for {otherwise}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lavadl", type=Path, help="the folder that lava-dl was installed to")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    hdf5 = netx(options.lavadl)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(NETS.items()):
            if name not in EXPORTERS.get("netx").refuses:
                rows.append((name, *differing(hdf5, make(), Path(folder) / f"{number}.net")))
                print(*rows[-1], flush=True)
    kept, otherwise = weights_that_are_read_otherwise(MATRICES)
    text = page(rows, kept, otherwise)
    if not options.check:
        RESULT.write_text(text, encoding="utf-8")
    wrong = [name for name, _, _, differ in rows if differ]
    if wrong or otherwise:
        sys.exit(f"differs: {', '.join(wrong) or 'weights'}")


if __name__ == "__main__":
    main()
