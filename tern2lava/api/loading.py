"""Reading a network from a file or a live module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava.arguments import public
from tern2lava.compiler.ir.graph import Graph
from tern2lava.effort import NORMAL, Effort
from tern2lava.frontends.load import load as read

if TYPE_CHECKING:
    import torch


@public
def load(
    source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, *,
    effort: Effort | str = NORMAL, **options: Any,
) -> Graph:  # fmt: skip
    """The Graph of a trained network, every neuron convention a field of it; what `compile` compiles.

    source: a checkpoint (torch, npz, safetensors) with `net`, its net.yaml (docs/net-yaml.md); a NIR or lava-dl file;
    a torch module of snnTorch, SpikingJelly or Norse neurons (docs/live-modules.md); a Graph comes back as it is.

    options of a module: input_shape (shape of one sample at one step, without batch; a mapping where its forward has
    several arguments) and steps (time steps of a sample) are needed; readout (a word of docs/readouts.md), levels
    (smallest and largest input value, (0, 1)), call ("auto", "step", "time_first", "batch_first", "static"). Of NIR and
    lava-dl files: dt (seconds), assume ("reset=subtract"), steps.
    Of a checkpoint: weights, the key under which the network lies where it holds several, as "model_ema".
    effort: "quick", "normal", "thorough" or an Effort: how far spikes of silent layers are searched (docs/effort.md).

    Raises InputError for what is missing, wrong or unreadable, UnsupportedError for what has no exact form.
    """
    return read(source, net, effort=effort, **options)
