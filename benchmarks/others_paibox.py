"""Runs PAIBox, PAICORE's own compiler, on the nets of others_nets.py and prints its cores as JSON.

Run by others.py in an environment that holds paibox 1.3.0 (GPL-3; nothing of ours imports it):

    uv venv DIR && uv pip install --python DIR/bin/python paibox==1.3.0
    DIR/bin/python benchmarks/others_paibox.py > benchmarks/results/paibox.json

required: cores with neurons; occupied: with those that lie between them unused, since a multicast address reaches
powers of two.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from typing import Any

import paibox as pb  # type: ignore[import-not-found]
from others_nets import BITS, NETS, THRESHOLD, shapes, weights


def network(name: str, bits: int) -> Any:
    """The net as PAIBox takes it: integrate-and-fire neurons, convolutions without padding."""
    net = pb.Network()
    layers = NETS[name]
    source = net.source = pb.InputProj(input=None, shape_out=layers[0])
    codes = weights(name, bits)
    for index, (layer, shape) in enumerate(zip(layers[1:], shapes(name), strict=True)):
        neurons = pb.IF(shape, threshold=THRESHOLD, reset_v=0, tick_wait_start=index + 1)
        weight = codes[index].astype(bool) if bits == 1 else codes[index]
        if layer[0] == "dense":
            wire = pb.FullConn(source, neurons, weights=weight.T, conn_type=pb.SynConnType.All2All)
        else:
            wire = pb.Conv2d(source, neurons, kernel=weight, stride=layer[3])
        setattr(net, f"neurons{index}", neurons)
        setattr(net, f"wire{index}", wire)
        source = neurons
    return net


def main() -> int:
    warnings.simplefilter("ignore")
    rows = []
    for name in sys.argv[1:] or NETS:
        for bits in BITS:
            began = time.perf_counter()
            mapper = pb.Mapper()
            with contextlib.redirect_stdout(io.StringIO()):
                mapper.build(network(name, bits))
                found = mapper.compile()
            seconds = time.perf_counter() - began
            cores = {"required": found["n_core_required"], "occupied": found["n_core_occupied"]}
            rows.append({"net": name, "bits": bits, **cores, "seconds": round(seconds, 2)})
            print(rows[-1], file=sys.stderr)
    json.dump({"paibox": pb.__version__, "rows": rows}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
