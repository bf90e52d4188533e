"""Functions that move numbers are understood by where codes end up, whatever they are and however composed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron
from torch import nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Delay, Graph
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.sim.reference.real import run_float

Move = Callable[[torch.Tensor], torch.Tensor]
STEPS = 5


class Moving(nn.Module):
    """Neurons that pass their input on, a moving function, and neurons that pass its numbers on: `sequence` runs over
    time at once, else step by step."""

    def __init__(self, move: Move, sequence: bool = False) -> None:
        super().__init__()
        mode = "m" if sequence else "s"
        self.first = neuron.IFNode(v_threshold=0.5, v_reset=0.0, step_mode=mode)
        self.last = neuron.IFNode(v_threshold=0.5, v_reset=0.0, step_mode=mode)
        self.move, self.sequence = move, sequence

    def forward(self, x: torch.Tensor) -> Any:
        if self.sequence:
            return self.last(self.move(self.first(x)))
        return torch.stack([self.last(self.move(self.first(step))) for step in x])


def moved(graph: Graph, shape: Shape, move: Move, sequence: bool = False) -> None:
    """Holds the last neurons' spikes of a graph against the move of random spikes by torch itself."""
    x = (np.random.default_rng(7).random((3, STEPS, *shape)) < 0.5).astype(np.float64)
    spikes = run_float(graph, {"input": x}, states=False).spikes["last"]
    over_time = torch.from_numpy(x).transpose(0, 1)
    own = move(over_time) if sequence else torch.stack([move(step) for step in over_time])
    np.testing.assert_array_equal(spikes, own.transpose(0, 1).reshape(3, STEPS, -1).numpy())


MOVES: dict[str, Move] = {
    "partial flatten": lambda x: x.flatten(2),
    "transpose": lambda x: x.transpose(1, 3),
    "permute and slice": lambda x: x.permute(0, 3, 1, 2)[:, 1:, ::2],
    "mT": lambda x: x.mT,
    "a list of indices": lambda x: x[:, [3, 0, 0]],
    "an index tensor and a new axis": lambda x: x[:, None, torch.tensor([1, 2]), ..., 1],
    "a mask": lambda x: x[:, torch.tensor([True, False, True, False])],
    "index_select": lambda x: x.index_select(2, torch.tensor([2, 0])),
    "cat of slices": lambda x: torch.cat([x[:, 2:], x[:, :1]], 1),
    "stack of chunks": lambda x: torch.stack(x.chunk(2, 1), 3),
    "split and unbind": lambda x: torch.cat([x.split([1, 3], 1)[1], torch.stack(x.unbind(3), 3)], 1),
    "repeat": lambda x: x.repeat(1, 2, 1, 1),
    "tile and repeat_interleave": lambda x: x.tile(1, 1, 1, 2).repeat_interleave(2, dim=2),
    "expand": lambda x: x[:, :, :1].expand(-1, -1, 5, -1),
    "expand_as and view_as": lambda x: x[:, :1].expand_as(x).view_as(x),
    "roll and flip": lambda x: x.roll(1, 2).flip(1, 3),
    "pad": lambda x: functional.pad(x, (1, 0, 0, 2)),
    "reflected": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "pixel_shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: functional.pixel_unshuffle(x[:, :, :2, :2], 2),
    "channel_shuffle": lambda x: functional.channel_shuffle(x, 2),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "samples and channels merged in between": lambda x: x.reshape(-1, 3, 2).flip(1).reshape(x.shape[0], -1),
    "unfold": lambda x: functional.unfold(x, 2),
    "unflatten": lambda x: x.flatten(1).unflatten(1, (2, -1)).squeeze(),
    "masked": lambda x: x.masked_fill(torch.eye(3, 2, dtype=torch.bool), 0),
    "zeros written over": lambda x: _written(x),
}


def _written(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty(x.shape[0], 2, 4, 3)
    out[:, 0] = x[..., 0]
    out[:, 1] = 0
    out[:, 1, 1:] = x[:, :3, :, 1]
    return out


@pytest.mark.parametrize("name", MOVES)
def test_a_moving_function_moves_as_torch_does(name: str) -> None:
    graph = load_module(Moving(MOVES[name]), (4, 3, 2), STEPS, call="time_first")
    moved(graph, (4, 3, 2), MOVES[name])


def _any_move(draw: st.DrawFn, shape: list[int]) -> tuple[Move, list[int]]:
    """A moving function of tensors (samples, *shape), and the shape after it."""
    axis = draw(st.integers(1, len(shape)))
    length = shape[axis - 1]
    kind = draw(st.sampled_from(["permute", "slice", "flip", "roll", "pad", "cat", "flatten", "index", "repeat"]))
    match kind:
        case "permute":
            order = draw(st.permutations(range(len(shape))))
            return lambda x: x.permute(0, *[n + 1 for n in order]), [shape[n] for n in order]
        case "slice":
            start, step = draw(st.integers(0, length - 1)), draw(st.integers(1, 2))
            kept = len(range(start, length, step))
            index = (*[slice(None)] * axis, slice(start, None, step))
            return lambda x: x[index], [*shape[: axis - 1], kept, *shape[axis:]]
        case "flip":
            return lambda x: x.flip(axis), shape
        case "roll":
            return lambda x: x.roll(1, axis), shape
        case "pad":
            return lambda x: functional.pad(x, (1, 0)), [*shape[:-1], shape[-1] + 1]
        case "cat":
            return lambda x: torch.cat([x, x.flip(axis)], axis), [*shape[: axis - 1], 2 * length, *shape[axis:]]
        case "flatten" if len(shape) > 1:
            first = draw(st.integers(1, len(shape) - 1))
            return lambda x: x.flatten(first, first + 1), [
                *shape[: first - 1], shape[first - 1] * shape[first], *shape[first + 1 :]
            ]  # fmt: skip
        case "index":
            places = draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=3))
            after = [*shape[: axis - 1], len(places), *shape[axis:]]
            return lambda x: x.index_select(axis, torch.tensor(places)), after
        case _:
            return lambda x: x.unsqueeze(1).repeat(1, 2, *[1] * len(shape)), [2, *shape]


@st.composite
def moves(draw: st.DrawFn) -> Move:
    """A composition of moving functions of tensors (samples, 2, 3, 2)."""
    shape, chain = [2, 3, 2], []
    for _ in range(draw(st.integers(1, 4))):
        move, shape = _any_move(draw, shape)
        chain.append(move)

    def composed(x: torch.Tensor) -> torch.Tensor:
        for move in chain:
            x = move(x)
        return x

    return composed


@settings(max_examples=6, deadline=None)
@given(moves())
def test_random_compositions_move_as_torch_does(move: Move) -> None:
    moved(load_module(Moving(move), (2, 3, 2), STEPS, call="time_first"), (2, 3, 2), move)


SEQUENCES: dict[str, Move] = {
    "a delay by shifted steps": lambda x: torch.cat([torch.zeros_like(x[:2]), x[:-2]]),
    "a delay by padding": lambda x: functional.pad(x, (0, 0, 0, 0, 1, 0))[:-1],
    "time and samples merged": lambda x: x.flatten(0, 1).flip(1).view(x.shape[0], -1, 2),
    "time last in between": lambda x: x.permute(1, 2, 0).flip(1).permute(2, 0, 1),
    "one channel a step late": lambda x: torch.stack(
        [x[..., 0], torch.cat([torch.zeros_like(x[:1, :, 1]), x[:-1, :, 1]])], -1
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_steps_keep_their_places_and_shifted_ones_are_delayed(name: str) -> None:
    graph = load_module(Moving(SEQUENCES[name], sequence=True), (2,), STEPS, call="time_first")
    moved(graph, (2,), SEQUENCES[name], sequence=True)
    assert bool(graph.of_kind(Delay)) == ("late" in name or "delay" in name)


@pytest.mark.parametrize(
    "spread",
    [
        lambda x: x.unsqueeze(0).repeat(STEPS, 1, 1),
        lambda x: x[None].expand(STEPS, -1, -1),
        lambda x: x.repeat(STEPS, 1).view(STEPS, *x.shape),
        lambda x: x.unsqueeze(1).expand(-1, STEPS, -1).transpose(0, 1),
        lambda x: torch.stack([x] * STEPS),
    ],
)
def test_an_input_repeated_over_time_in_the_forward_is_a_static_one(spread: Move) -> None:
    graph = load_module(Spread(spread), (4,), STEPS)
    assert "(static)" in graph.notes[0]
    assert graph["last"].inputs == ("input",)


class Spread(nn.Module):
    def __init__(self, spread: Move) -> None:
        super().__init__()
        self.last, self.spread = neuron.IFNode(v_threshold=2.5, step_mode="m"), spread

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.spread(x))


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (lambda x: x.flip(0), "samples of the batch|every step|steps and samples"),
        (lambda x: x[:1].expand_as(x), "a part of the batch"),
        (lambda x: x.reshape(-1, 2).flip(0).reshape(x.shape), "steps and samples mixed"),
        (lambda x: x.sort(1)[0], r"torch.sort of earlier layers \(test_moving.py:\d+\)"),
    ],
)
def test_what_moves_samples_or_by_data_is_refused(move: Move, why: str) -> None:
    with pytest.raises(UnsupportedError, match=why):
        load_module(Moving(move), (4, 2), STEPS, call="time_first")


def test_steps_that_are_still_to_come_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="the same computation in every step"):
        load_module(Moving(lambda x: x.flip(0), sequence=True), (2,), STEPS, call="time_first")
