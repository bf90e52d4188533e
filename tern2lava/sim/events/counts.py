"""The events of a run, counted: what energies and times of a profile are multiplied with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.shapes import Reals


@dataclass(frozen=True, kw_only=True)
class LayerEvents:
    """Events of an input or population, of all samples counted.

    spikes: of its neurons; messages: its spikes times the cores and ranges of axons that each goes to; local: those of
    them that end at the router where they began; across, along: links passed by them in rows and columns of routers;
    nonzero, stored: synapses of it that arriving spikes met, those with a weight other than 0, and all in the lists.
    """

    name: str
    neurons: int
    spikes: float = 0.0
    messages: float = 0.0
    local: float = 0.0
    across: float = 0.0
    along: float = 0.0
    nonzero: float = 0.0
    stored: float = 0.0

    def plus(self, **more: float) -> LayerEvents:
        """With `more` of some events."""
        return replace(self, **{key: getattr(self, key) + value for key, value in more.items()})


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreSteps:
    """What each core does in hardware timesteps, arrays (timesteps, cores): neurons (cores,) that it updates in each,
    spikes of its own, messages that leave and arrive, synapses met. across, along (timesteps,): links of the longest
    route that carried a spike. rest: neurons may keep their state in a timestep, which is no update then."""

    neurons: Reals
    spikes: Reals
    leaving: Reals
    arriving: Reals
    nonzero: Reals
    stored: Reals
    across: Reals
    along: Reals
    rest: bool = False

    def spread(self, slowdown: int) -> CoreSteps:
        """The events of a step shared by the hardware timesteps that it takes."""
        if slowdown == 1:
            return self
        events = {
            name: getattr(self, name) / slowdown for name in ("spikes", "leaving", "arriving", "nonzero", "stored")
        }
        return replace(self, rest=True, **events)

    @staticmethod
    def nothing(neurons: Reals, timesteps: int) -> CoreSteps:
        """No event in any timestep."""
        empty = [np.zeros((timesteps, neurons.size)) for _ in range(5)]
        return CoreSteps(
            neurons=neurons, spikes=empty[0], leaving=empty[1], arriving=empty[2], nonzero=empty[3], stored=empty[4],
            across=np.zeros(timesteps), along=np.zeros(timesteps),
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """Events of `samples` samples of `steps` steps, each of which takes `timesteps` hardware timesteps; layers: inputs
    first. cores, chips: how many hold neurons. measured: on a run; else expected of rates."""

    samples: int
    steps: int
    timesteps: int
    cores: int
    chips: int
    layers: tuple[LayerEvents, ...]
    measured: bool
