"""The proof that core images are a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tern2lava.prove.arithmetic.run import Induction
from tern2lava.prove.failure import ImageError, hold
from tern2lava.prove.image import read_image
from tern2lava.prove.neurons import prove_neurons
from tern2lava.prove.program import Program
from tern2lava.prove.routes import prove_routes
from tern2lava.prove.synapses import prove_synapses


@dataclass(frozen=True, kw_only=True)
class Translation:
    """Whether core images are the program, for every input. cores, neurons (inputs among them), blocks (of synapses),
    routes: how many were proven, 0 unless all were; difference: one line on the first that is not. arithmetic: which
    populations certified EXACT are so by induction, where that was asked."""

    cores: int = 0
    neurons: int = 0
    blocks: int = 0
    routes: int = 0
    difference: str | None = None
    arithmetic: Induction | None = None

    @property
    def proven(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None

    def __str__(self) -> str:
        if self.difference is not None:
            return f"DIFFER from the program: {self.difference}"
        nouns = {"core": self.cores, "neuron": self.neurons, "synapse block": self.blocks, "route": self.routes}
        words = ", ".join(f"{number:,} {noun}{'' if number == 1 else 's'}" for noun, number in nouns.items())
        return f"PROVEN to be the program for every input: {words}"


def prove_images(
    images: Sequence[bytes], host_image: bytes, program: Program,
    progress: Callable[[str, int, int], None] | None = None,
) -> Translation:  # fmt: skip
    """What was proven, if it was: that the images hold each neuron of the program once with its parameters, each
    synapse once with its weight and delay and no other, and bring each spike once to each axon that sees its neuron and
    to no other.

    The first difference ends it. Raises InputError where an image is damaged.
    """
    try:
        return _prove(images, host_image, program, progress)
    except ImageError as error:
        return Translation(difference=str(error))


def _prove(
    images: Sequence[bytes], host_image: bytes, program: Program, progress: Callable[[str, int, int], None] | None
) -> Translation:
    """The proof; raises ImageError at the first difference."""
    read = [read_image(host_image, "host image")]
    read += [read_image(data, f"core image {index}") for index, data in enumerate(images)]
    for place, image in enumerate(read):
        host, bare = image.core is None, not (image.axons or image.blocks)
        hold(host == (place == 0) and (bare or not host), image.name, "it here", "a host without synapses, then cores")
        for name, wanted in program.arithmetic.items():
            hold(image.arithmetic[name] == wanted, image.name, f"{name} {image.arithmetic[name]}", str(wanted))
        length, slow = "a step of {} hardware timesteps", program.slowdown
        hold(image.slowdown == slow, image.name, length.format(image.slowdown), length.format(slow))
    neurons = prove_neurons(read, program)
    routes = prove_routes(read, program)
    blocks = prove_synapses(read, program, progress)
    return Translation(cores=len(images), neurons=neurons, blocks=blocks, routes=routes)
