"""Whether networks as frameworks ship and teach them load, and spike as in their own run.

    python benchmarks/model_zoo.py -o benchmarks/results/model_zoo.md    all of them, written as a table
    python benchmarks/model_zoo.py --quick                               the small ones, printed
    python benchmarks/model_zoo.py --check                               all of them, held against the file
    python benchmarks/model_zoo.py --only TEXT                           those whose names contain TEXT, printed

Every network (model_zoo_nets.py) has random ternary weights and random statistics. It is loaded as a live module, then
run by its framework in float64 on inputs that the loading did not see, and by the float reference: the spikes of every
neuron layer are compared, SAMPLES of STEPS steps. Each is lowered for the default target too, and its integer program
is run against the float reference. A refusal has to name an operation of REFUSED.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model_zoo_nets import WIDTH, Zoo, ternary, zoo
from numpy.typing import NDArray
from torch import nn

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Neuron, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import Tern2LavaError
from tern2lava.frontends.modules.known_modules import fresh_copy
from tern2lava.frontends.modules.read import read_module
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

TABLE = Path(__file__).resolve().parent / "results" / "model_zoo.md"
STEPS, SAMPLES = 4, 2
LEAST = 0.9
"""Share of the networks that has to load and spike as its own run."""

REFUSED = ("found the maximum of what",)
"""Operations that are no linear map of spikes, by words of their refusals: maxima of currents."""

TARGET = "loihi2"
"""The default target of the command line."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """What came of a network: its neurons, neuron-timesteps compared, spikes among them and different ones; different
    ones of the integer program against the float reference, or why there is no program; or the
    line that refused the network."""

    net: Zoo
    neurons: int = 0
    compared: int = 0
    spikes: int = 0
    different: int = 0
    integers: str = ""
    refusal: str = ""
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return not self.refusal and self.different == 0 and self.spikes > 0

    def cells(self) -> list[str]:
        """The row of the table."""
        if self.refusal:
            return [self.net.origin, self.net.name, "", "", "", "", self.refusal]
        numbers = [f"{n:,}" for n in (self.neurons, self.spikes, self.different)]
        return [self.net.origin, self.net.name, *numbers, self.integers, ""]


def own_run(model: nn.Module, names: dict[str, str], x: Array, over_time: bool) -> dict[str, Array]:
    """Spikes (samples, steps, neurons) of each population as the framework computes them on x (samples, steps, ...)."""
    found: dict[str, list[torch.Tensor]] = {}
    handles = []
    for name, part in model.named_modules():
        if name in names:

            def keep(m: nn.Module, a: Any, out: Any, name: str = name) -> None:
                found.setdefault(name, []).append(out[0] if isinstance(out, tuple) else out)

            handles.append(part.register_forward_hook(keep))
        if type(part).__module__.startswith("spikingjelly") and hasattr(part, "reset"):
            part.reset()
    values = torch.from_numpy(x).double()
    with torch.no_grad():
        if over_time:
            model(values.transpose(0, 1))
        else:
            for t in range(x.shape[1]):
                model(values[:, t])
    for handle in handles:
        handle.remove()
    samples, steps = x.shape[:2]
    result = {}
    for name, parts in found.items():
        stacked = torch.stack(parts) if len(parts) == steps else parts[0]
        result[names[name]] = stacked.reshape(steps, samples, -1).transpose(0, 1).double().numpy()
    return result


def measure(net: Zoo, seed: int = 0) -> Row:
    """Load a network, compare its spikes, lower it for the default target."""
    began = time.perf_counter()
    torch.manual_seed(seed)
    model = ternary(net.make(), seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = read_module(model, net.shape, STEPS)
        except Tern2LavaError as error:
            return Row(net, refusal=str(error), seconds=time.perf_counter() - began)
        x = np.random.default_rng(seed + 1).integers(0, 2, (SAMPLES, STEPS, *net.shape))
        wanted = own_run(fresh_copy(model), loaded.names, x, loaded.call != "step")
    graph = loaded.graph
    inputs = {graph.of_kind(Input)[0].name: x}
    real = run_float(graph, inputs, states=False)
    compared = spikes = different = 0
    for name, own in wanted.items():
        compared += own.size
        spikes += int(np.count_nonzero(own))
        different += int(np.count_nonzero(own != real.spikes[name]))
    neurons = sum(size(shapes(graph)[node.name]) for node in graph.of_kind(Neuron))
    integers = in_integers(graph, inputs, real)
    seconds = time.perf_counter() - began
    return Row(net, neurons, compared, spikes, different, integers, "", seconds)


def in_integers(graph: Graph, inputs: dict[str, Array], real: Trace) -> str:
    """Spikes that differ between the program for the default target and the float reference, or its refusal."""
    profile = load_profile(TARGET)
    arithmetic = Arithmetic(**profile.arithmetic_values())
    try:
        program = lower(graph, arithmetic, Options(steps=STEPS), profile).program
    except Tern2LavaError as error:
        return f"refused: {str(error).partition(';')[0]}"
    trace = integer.run(program, inputs)
    shared = [node.name for node in program.of_kind(Population) if node.name in real.spikes]
    return f"{sum(int(np.count_nonzero(trace.spikes[name] != real.spikes[name])) for name in shared):,}"


def table(rows: Iterable[Row]) -> str:
    """The page of the results."""
    rows = list(rows)
    right = sum(row.right for row in rows)
    head = ("from", "network", "neurons", "spikes", "different", "integers different", "refused")
    lines = [
        "# Networks as they are shipped and taught", "",
        "Made by `python benchmarks/model_zoo.py -o benchmarks/results/model_zoo.md`, whose head says how.", "",
        f"{right} of {len(rows)} load and spike as their own run in float64 ({SAMPLES} samples of {STEPS} steps of "
        "random spikes, random ternary weights). Integers: spikes in which the program for "
        f"{TARGET}, lowered without calibration samples, differs from the network's real dynamics: random networks "
        "with random statistics of batch normalisation, in which one other spike brings on many.", "",
        "SpikingJelly's classes have one or two blocks for each stage and small inputs; VGGs a sixteenth of their "
        f"channels, and {WIDTH} neurons in each layer of the classifier.", "",
        "| " + " | ".join(head) + " |", "|" + "---|" * len(head),
    ]  # fmt: skip
    return "\n".join([*lines, *("| " + " | ".join(row.cells()) + " |" for row in rows)]) + "\n"


def failures(rows: Iterable[Row]) -> list[str]:
    """What a reader should not find: other spikes, silence, refusals of other operations, too few networks."""
    rows, found = list(rows), []
    for row in rows:
        if row.refusal and not any(words in row.refusal for words in REFUSED):
            found.append(f"{row.net.name}: {row.refusal}")
        elif not row.refusal and not row.right:
            found.append(f"{row.net.name}: {row.different:,} spikes differ, {row.spikes:,} spikes")
    if sum(row.right for row in rows) < LEAST * len(rows):
        found.append(f"{sum(row.right for row in rows)} of {len(rows)} networks are right")
    return found


def main(arguments: list[str]) -> int:
    """Exit status 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("-o", type=Path)
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    for net in zoo():
        if given.only not in net.name or (given.quick and not net.quick):
            continue
        row = measure(net)
        rows.append(row)
        print(f"{row.seconds:6.1f} s  " + "  ".join(filter(None, row.cells())), flush=True)
    page = table(rows)
    if given.o is not None:
        given.o.write_text(page, encoding="utf-8")
    problems = failures(rows)
    if given.check and TABLE.read_text(encoding="utf-8") != page:
        problems.append(f"{TABLE.name} is not what was measured")
    print("\n".join(problems) or f"{sum(row.right for row in rows)} of {len(rows)} right", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
