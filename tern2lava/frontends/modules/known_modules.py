"""The modules that are known, of torch, snnTorch, SpikingJelly, Norse and our training: told by class path, never
imported here."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import GraphBuilder, NeuronLayer
from tern2lava.frontends.modules import norse, own, snntorch, spikingjelly
from tern2lava.frontends.modules.torch_layers import ANY_AXES, READERS, WEIGHTED, class_path

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnRun:
    """A live module's own way to run: how it is called ("step", "time_first", "batch_first" or "static"), and the
    population of each neuron layer by its name in the module. scores: whether a tensor (samples, classes) that its
    forward returns is the scores of the graph's first output. shared: neuron layers that serve in several places, by
    their names: the population of each place (empty: left out), and the place of each call of a run."""

    call: str
    names: dict[str, str]
    scores: bool = True
    shared: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Loaded(OwnRun):
    """A live module as it was read: its graph, with its own way to run."""

    graph: Graph


_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
FRAMEWORKS = ("snntorch.", "spikingjelly.", "norse.")
SEQUENTIAL = "torch.nn.modules.container.Sequential"
OPTIMIZED = "torch._dynamo.eval_frame.OptimizedModule"
WRAPPERS = {
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    OPTIMIZED: "_orig_mod",
}
"""Modules that run another one as it is, and its attribute."""

NEURON_BASES = (
    "snntorch._neurons.neurons.SpikingNeuron",
    "spikingjelly.activation_based.neuron.base_node.BaseNode",
    "norse.torch.module.snn.SNN",
    "norse.torch.module.snn.SNNCell",
    "norse.torch.module.snn.SNNRecurrent",
    "norse.torch.module.snn.SNNRecurrentCell",
)
"""What all neurons of a framework are subclasses of."""

NEURONS: dict[str, Callable[[Any, str, str], NeuronLayer]] = {
    **snntorch.NEURONS,
    **spikingjelly.NEURONS,
    **norse.NEURONS,
    **own.NEURONS,
}
"""The reader of each neuron class, by its dotted path."""


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module inside DataParallel or torch.compile."""
    while (attribute := WRAPPERS.get(class_path(module))) is not None:
        module = getattr(module, attribute)
    return module


def unwrap_inside(module: torch.nn.Module) -> None:
    """Put the modules inside wrappers into their places, all the way down."""
    for name, child in list(module.named_children()):
        inner = unwrapped(child)
        if inner is not child:
            setattr(module, name, inner)
        unwrap_inside(inner)


def is_layer(module: torch.nn.Module) -> bool:
    """Whether the module is read as a whole: a known layer or neuron."""
    path = class_path(module)
    return path in READERS or path in NEURONS


def is_leaf(module: torch.nn.Module) -> bool:
    """Whether a traced module's part is read as a whole: neurons, and layers whose numbers its reader takes as they
    are. Others, and what only moves or pools, are followed function by function."""
    path = class_path(module)
    if "forward" in vars(module):
        return False
    return path in NEURONS or (path in WEIGHTED and getattr(module, "padding_mode", "zeros") == "zeros")


def refuse_unknown(module: torch.nn.Module, source: str) -> None:
    """Raise UnsupportedError for a neuron of the spiking frameworks, not of the user, that is not known."""
    for name, part in module.named_modules():
        bases = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(part).__mro__)
        if not is_layer(part) and class_path(part).startswith(FRAMEWORKS) and any(b in NEURON_BASES for b in bases):
            known = ", ".join(sorted({p.rsplit(".", 1)[1] for p in NEURONS}))
            raise UnsupportedError(
                f"{source}: layer {name}", "neurons of known classes, or steps that are read", class_path(part),
                f"known are {known}",
            )  # fmt: skip


def reads_sequences(module: torch.nn.Module) -> bool | None:
    """Whether a layer reads (time, batch, ...) rather than (batch, ...); None where it computes the same on both."""
    path = class_path(module)
    if path in norse.OVER_TIME:
        return True
    mode = getattr(module, "step_mode", None)
    if path.startswith("spikingjelly.") and mode is not None and not path.endswith((".Linear", ".Dropout")):
        return bool(mode == "m")
    return None if path in ANY_AXES else False


def add_layer(builder: GraphBuilder, name: str, source: str, where: str, module: torch.nn.Module) -> None:
    """Add a layer or neuron; UnsupportedError (at `where`) where its class is not known."""
    path = class_path(module)
    if path in NEURONS:
        builder.layer(name, (source,), where, NEURONS[path](module, name, where))
    elif path in READERS:
        READERS[path](builder, name, source, where, module)
    else:
        known = ", ".join(sorted({p.rsplit(".", 1)[1] for p in (*READERS, *NEURONS)}))
        raise UnsupportedError(where, "layers of known classes", path, f"known are {known}")


def refuse_changes(module: torch.nn.Module, where: str) -> None:
    """Raise UnsupportedError where hooks or a replaced forward make a module compute something of its own."""
    found = changes(module)
    if found == "forward_pre_hooks" and class_path(module) not in NEURONS and _forms_weights(module):
        return
    if found == "a replaced forward":
        raise UnsupportedError(where, "layers with the forward of their class", found, "restore it")
    if found:
        raise UnsupportedError(where, "layers without hooks", found, "remove them (for pruning: prune.remove)")


def _forms_weights(module: torch.nn.Module) -> bool:
    """Whether all hooks of a module are torch's own, which form its weights before each forward (pruning,
    weight_norm)."""
    hooks = module._forward_pre_hooks.values()
    return not module._forward_hooks and all(type(hook).__module__.startswith("torch.nn.utils.") for hook in hooks)


def changes(module: torch.nn.Module) -> str:
    """What makes a module compute something else than its class says, "" where nothing does."""
    for hooks in _HOOKS:
        if getattr(module, hooks, None):
            return hooks.strip("_")
    compiled = class_path(module) == OPTIMIZED  # its own forward runs the module inside
    return "a replaced forward" if "forward" in vars(module) and not compiled else ""


def fresh_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A copy in evaluation mode and float64 whose neurons are at rest; the original keeps its state.

    snnTorch's spikes take the dtype of the membrane (its surrogates make them float32), so that float64 runs through.
    """
    import torch

    return resting_copy(module, torch.float64)


def resting_copy(module: torch.nn.Module, dtype: torch.dtype | None = None) -> torch.nn.Module:
    """A copy in evaluation mode whose neurons are at rest, in `dtype` (None: its own); the original keeps its state."""
    import torch

    states = {id(t): t.detach().clone() for t in _tensors(module) if not t.is_leaf}
    result = copy.deepcopy(module, states).eval()
    unwrap_inside(result)
    if dtype is not None:
        result = result.to(dtype)
    if dtype_of(result) is not torch.float32:
        for part in result.modules():
            if _is_of("snntorch.", part) and hasattr(part, "spike_grad"):
                spike = part.spike_grad
                if "spike_grad" in part._modules:
                    del part._modules["spike_grad"]
                object.__setattr__(part, "spike_grad", _SameDtype(spike))
    with torch.no_grad():
        rest(result)
    return result


def dtype_of(module: torch.nn.Module) -> torch.dtype:
    """The dtype that a module computes in: that of its parameters, or of its buffers; float32 where it has neither."""
    import torch

    for tensors in (module.parameters(), module.buffers()):
        found: list[torch.dtype] = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
        if found:
            return min(found, key=lambda dtype: -torch.finfo(dtype).eps)
    return torch.float32


class _SameDtype:
    """A spike function whose result has the dtype of its argument."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.function(v).to(v.dtype)
        return result


def rest(module: torch.nn.Module) -> None:
    """Puts all neurons at rest: snnTorch's reset_mem, and, as SpikingJelly's reset_net does, `reset` of every part that
    has one (Norse keeps no state in modules)."""
    for part in module.modules():
        own = getattr(part, "reset_mem" if _is_of("snntorch.", part) else "reset", None)
        if inspect.ismethod(own) and all(_optional(p) for p in inspect.signature(own).parameters.values()):
            own()


def _is_of(framework: str, module: torch.nn.Module) -> bool:
    return any(kind.__module__.startswith(framework) for kind in type(module).__mro__)


def _optional(parameter: inspect.Parameter) -> bool:
    return parameter.default is not parameter.empty or parameter.kind in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    """Every tensor that a module or its parts keep as parameter, buffer, attribute or SpikingJelly memory."""
    import torch

    found: list[torch.Tensor] = []
    for part in module.modules():
        for group in (vars(part), part._parameters, part._buffers, vars(part).get("_memories", {})):
            found += [value for value in group.values() if isinstance(value, torch.Tensor)]
    return found
