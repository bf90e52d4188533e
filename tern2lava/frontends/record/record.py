"""A framework's own run of a module on given data: the spikes and potentials of every neuron layer, and its scores.

The run is that of a copy at rest, in evaluation mode and the module's own dtype, with hooks on its neuron layers; the
module itself, its states, hooks and mode, and all random generators stay as they are.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tern2lava.compiler.ir.graph import Readout
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.frontends.modules.known_modules import FRAMEWORKS, OwnRun, dtype_of, rest, resting_copy, unwrapped
from tern2lava.frontends.modules.read import CALLS, is_sequence, sequence_call, sequence_names
from tern2lava.frontends.modules.torch_layers import class_path
from tern2lava.frontends.modules.trace.load import load_traced
from tern2lava.frontends.record.potentials import potential
from tern2lava.memory_need import require_memory

Names = Mapping[str, str]
Potentials = Mapping[str, tuple[str, str]]
Scores = Callable[[Any], Any]


def record_module(
    module: torch.nn.Module, inputs: Mapping[str, Array], *, names: Names | None = None,
    potentials: Potentials | None = None, call: str = "auto", scores: Scores | None = None,
    loaded: OwnRun | None = None, effort: Effort = NORMAL,
) -> dict[str, Array]:  # fmt: skip
    """Arrays of the module's own run on `inputs`, (samples, steps, *shape) for each argument of its forward.

    spikes.NAME int8, v.NAME (samples, steps, *shape), v_when "after", dtype, framework, and scores (samples, classes)
    where the forward gives those of the readout. loaded: the module as it was read before. Other arguments and errors
    as of api.record.
    """
    original = unwrapped(module)
    parameters = [name for name in inspect.signature(original.forward).parameters if name in inputs]
    if len(inputs) > 1 and len(parameters) == len(inputs):
        inputs = {name: inputs[name] for name in parameters}
    source = type(original).__qualname__
    if call not in CALLS:
        raise InputError("call", f"requires one of {', '.join(CALLS)}; found {call!r}; choose one of them")
    shapes = {name: tuple(values.shape[2:]) for name, values in inputs.items()}
    steps = next(iter(inputs.values())).shape[1]
    if loaded is None:
        loaded = _read(original, source, shapes, steps, call, effort)
    style, plain = loaded.call, loaded.scores
    copied = resting_copy(original)
    dtype = dtype_of(copied)
    layers = _layers(copied, loaded, dict(names or {}), dict(potentials or {}), source)
    samples = len(next(iter(inputs.values())))
    kept: dict[str, list[Array]] = {}
    given: list[Array] = []
    with _undisturbed():
        for begin in range(0, samples, effort.recorded_samples):
            end = begin + effort.recorded_samples
            part = {name: np.asarray(values[begin:end]) for name, values in inputs.items()}
            run = _Run(copied, layers, style, dtype, source, part, steps)
            returned = run.run()
            for name, values in run.arrays().items():
                kept.setdefault(name, []).append(values)
            if begin == 0:
                _require_memory(kept, samples, end, source)
            found = _scores(scores, returned, style, run.batch, source) if plain or scores is not None else None
            if found is not None:
                given.append(found)
    arrays = {name: np.concatenate(parts) for name, parts in kept.items()}
    if given:
        arrays["scores"] = np.concatenate(given)
    if any(name.startswith("v.") for name in arrays):
        arrays["v_when"] = np.array("after")
        for path, (_, when) in (potentials or {}).items():
            for name in layers[path].places or (layers[path].name,):
                arrays[f"v_when.{name}"] = np.array(when)
    arrays["dtype"] = np.array(str(dtype).removeprefix("torch."))
    frameworks = {path.split(".", 1)[0] for layer in layers.values() if (path := class_path(layer.module))}
    if len(frameworks) == 1 and f"{next(iter(frameworks))}." in FRAMEWORKS:
        arrays["framework"] = np.array(frameworks.pop())
    return arrays


def _require_memory(kept: dict[str, list[Array]], samples: int, ran: int, source: str) -> None:
    """Raise InputError where all samples would take more memory than there is, told from the first `ran` of them: their
    arrays, once more where they are joined."""
    each = sum(part.nbytes for parts in kept.values() for part in parts) / min(ran, samples)
    what = f"keep the spikes and potentials of {count(samples, 'sample')}"
    require_memory(source, what, int(2 * each * samples), "record fewer samples, or fewer steps of them")


@dataclass(eq=False, kw_only=True)
class _Layer:
    """A neuron layer: the population's name, the module that steps (inside a container), the attribute of its potential
    where the user names one; of one that serves in several places their populations and the place of each call; and
    what a run has given so far."""

    name: str
    module: torch.nn.Module
    attribute: str = ""
    places: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    spikes: list[torch.Tensor] = field(default_factory=list)
    v: list[torch.Tensor] = field(default_factory=list)


def _read(
    module: torch.nn.Module, source: str, shapes: dict[str, Shape], steps: int, call: str, effort: Effort
) -> OwnRun:
    """How the module is called, the populations of its neuron layers, whether what it returns may be the scores of its
    readout."""
    if is_sequence(module) and len(shapes) == 1:
        style = sequence_call(module) if call == "auto" else call
        return OwnRun(call=style, names=sequence_names(module))
    try:
        say: Any = {"levels": (0, 1), "call": call, "effort": effort}
        try:
            return load_traced(module, shapes, steps, readout=None, **say)
        except UnsupportedError:
            # What is returned is no readout of ours: the spikes can be recorded all the same.
            return load_traced(module, shapes, steps, readout=Readout.SPIKE_COUNT, **say)
    except Tern2LavaError as error:
        if call == "auto":
            raise InputError(
                f"{source}: call", f"requires how its forward is called; found a module that cannot be read ({error}); "
                f"say call= one of {', '.join(CALLS[1:])}, and names={{'LAYER': 'POPULATION'}}"
            ) from None  # fmt: skip
        return OwnRun(call=call, names=sequence_names(module))


def _layers(
    module: torch.nn.Module, loaded: OwnRun, names: dict[str, str], potentials: dict[str, tuple[str, str]],
    source: str,
) -> dict[str, _Layer]:  # fmt: skip
    """The layers to be recorded, by their names in the module."""
    known = {**loaded.names, **{path: path for path in loaded.shared}}
    parts = dict(module.named_modules())
    missing = [path for path in (*names, *potentials) if path not in parts]
    if missing:
        raise InputError(
            source, f"requires names of its layers; found {missing[0]!r}; they are {', '.join(list(parts)[1:])}"
        )
    for path, said in potentials.items():
        if len(said) != 2 or said[1] not in ("before", "after"):
            raise InputError(
                f"potentials: {path}", f"requires (attribute, 'before' or 'after'); found {said!r}; say which it is"
            )
    paths = {**{path: known.get(path, path) for path in (*known, *names, *potentials)}, **names}
    inside = [path for path in paths if any(path.startswith(f"{outer}.") for outer in paths if outer)]
    if not paths:
        raise InputError(
            source, "requires neuron layers; found none of snnTorch, SpikingJelly or Norse; name the layers whose "
            "output is spikes: names={'LAYER': 'POPULATION'}"
        )  # fmt: skip
    found = {}
    for path, name in paths.items():
        if path in inside:
            continue
        part = parts[path]
        if class_path(part).endswith(("LinearRecurrentContainer", "ElementWiseRecurrentContainer")):
            part = part.sub_module
        attribute = potentials[path][0] if path in potentials else ""
        places, order = ((), ()) if path in names else loaded.shared.get(path, ((), ()))
        found[path] = _Layer(name=name, module=part, attribute=attribute, places=places, order=order)
        if hasattr(part, "store_v_seq") and getattr(part, "step_mode", "s") == "m":
            part.store_v_seq = True
    return found


class _Run:
    """One run of a copied module on some samples."""

    def __init__(
        self, module: torch.nn.Module, layers: dict[str, _Layer], style: str, dtype: torch.dtype, source: str,
        inputs: dict[str, Array], steps: int,
    ) -> None:  # fmt: skip
        self.module, self.layers, self.style, self.source = module, layers, style, source
        self.steps, self.batch = steps, len(next(iter(inputs.values())))
        some = next((tensor for tensor in (*module.parameters(), *module.buffers())), None)
        device = torch.device("cpu") if some is None else some.device
        self.inputs = {name: torch.from_numpy(np.asarray(v)).to(device, dtype) for name, v in inputs.items()}
        for layer in layers.values():
            layer.spikes, layer.v = [], []

    def run(self) -> Any:
        """What the forward returns, one for each step where it is called so."""
        handles = []
        try:
            for layer in self.layers.values():
                handles.append(layer.module.register_forward_hook(self._hook(layer), with_kwargs=True, prepend=True))
            with torch.no_grad():
                rest(self.module)
                return self._call()
        except Tern2LavaError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            raise InputError(
                self.source, f"requires a forward that runs on {self.style.replace('_', ' ')} input of "
f"{count(self.steps, 'step')}; found {type(error).__name__}: {why}; say call= and give the shapes "
"that it reads"
            ) from None  # fmt: skip
        finally:
            for handle in handles:
                handle.remove()

    def _call(self) -> Any:
        given = self.inputs
        if self.style == "time_first":
            return self.module(*(v.transpose(0, 1).contiguous() for v in given.values()))
        if self.style == "batch_first":
            return self.module(*given.values())
        if self.style == "static":
            for name, values in given.items():
                if not bool((values == values[:, :1]).all()):
                    raise InputError(
                        f"{self.source}: {name}", "requires the same input in every step, as its forward reads one; "
                        "found others; repeat the sample over the steps"
                    )  # fmt: skip
            return self.module(*(v[:, 0].contiguous() for v in given.values()))
        state: tuple[Any, ...] = ()
        returned = []
        for t in range(self.steps):
            result = self.module(*(v[:, t].contiguous() for v in given.values()), *state)
            state = (result[1],) if self._hands_on() and isinstance(result, tuple) and len(result) == 2 else ()
            returned.append(result)
        return returned

    def _hands_on(self) -> bool:
        """Whether the forward is forward(inputs..., state=None), giving (output, state), as Norse's modules."""
        parameters = list(inspect.signature(self.module.forward).parameters.values())
        return len(parameters) == len(self.inputs) + 1 and parameters[-1].default is None

    def _hook(self, layer: _Layer) -> Callable[..., None]:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple | list) else output
            layer.spikes.append(spikes.detach().clone())
            named = getattr(module, layer.attribute) if layer.attribute else None
            v = potential(module, args, kwargs, output) if named is None else named
            if v is not None:
                layer.v.append(v.detach().clone())

        return hook

    def arrays(self) -> dict[str, Array]:
        """spikes.NAME and v.NAME of this run. Raises InputError where a layer did not run once in each step."""
        found = {}
        for path, layer in self.layers.items():
            where = f"{self.source}: layer {path or 'itself'} ({type(layer.module).__name__})"
            for place, name in enumerate(layer.places or (layer.name,)):
                if not name:
                    continue
                of = [n for n, each in enumerate(layer.order) if each == place] if layer.places else None
                spikes, v = (parts if of is None else [parts[n] for n in of if n < len(parts)]
                             for parts in (layer.spikes, layer.v))  # fmt: skip
                found[f"spikes.{name}"] = self._whole_spikes(self._joined(spikes, where), where)
                if v:
                    joined = self._joined(v, where)
                    short = joined if joined.dtype is torch.float64 else joined.to(torch.float32)
                    found[f"v.{name}"] = short.numpy()
        return found

    def _joined(self, parts: list[torch.Tensor], where: str) -> torch.Tensor:
        """(samples, steps, ...) of what a layer gave out, step by step or at once."""
        calls = len(parts)
        if calls == self.steps and parts[0].shape[:1] == (self.batch,):
            return torch.stack(parts, dim=1).cpu()
        if calls == 1 and parts[0].shape[:2] == (self.steps, self.batch) and self.style != "batch_first":
            return parts[0].transpose(0, 1).cpu()
        if calls == 1 and parts[0].shape[:2] == (self.batch, self.steps):
            return parts[0].cpu()
        if calls == 1 and parts[0].shape[:2] == (self.steps, self.batch):
            return parts[0].transpose(0, 1).cpu()
        shape = tuple(parts[0].shape) if parts else ()
        raise InputError(
            where, f"requires to run once in each of {self.steps} steps of {self.batch} samples; found {calls} calls "
            f"of shape {shape}; give the data as many steps as the module runs, and each place a layer of its own"
        )  # fmt: skip

    @staticmethod
    def _whole_spikes(values: torch.Tensor, where: str) -> Array:
        array = values.to(torch.float64).numpy()
        whole = np.isin(array, (-1.0, 0.0, 1.0))
        if not whole.all():
            found = float(array[~whole][0])
            raise InputError(where, f"requires spikes of -1, 0 and 1; found {found:g}; name another layer")
        return np.asarray(array.astype(np.int8))


def _scores(scores: Scores | None, returned: Any, style: str, batch: int, source: str) -> Array | None:
    """Class scores (samples, classes) of what a forward returned, None where it gives none."""
    if scores is None:
        first = returned[0] if isinstance(returned, tuple) and returned else returned
        plain = style != "step" and isinstance(first, torch.Tensor) and first.ndim == 2 and len(first) == batch
        return first.detach().cpu().double().numpy() if plain else None
    found = scores(returned)
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != batch:
        what = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(
            f"{source}: scores", f"requires a tensor ({batch}, classes); found {what}; make one row for each sample"
        )
    return np.asarray(found.detach().cpu().double().numpy())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Random generators as they were, and float32 sums in float32, not in a shorter format."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    matmul, conv = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    precision = torch.get_float32_matmul_precision()
    try:
        with torch.random.fork_rng():
            torch.set_float32_matmul_precision("highest")
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, conv
        np.random.set_state(numpy_state)
        random.setstate(python_state)
