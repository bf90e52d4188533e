"""The proof that core images are a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tern2lava.prove.failure import Mistranslation
from tern2lava.prove.image import ARITHMETIC, Image, read_image
from tern2lava.prove.neurons import prove_neurons
from tern2lava.prove.program import Program
from tern2lava.prove.routes import prove_routes
from tern2lava.prove.synapses import prove_synapses


@dataclass(frozen=True, kw_only=True)
class Proven:
    """How much was proven: numbers of cores, neurons (inputs among them), synapse blocks and routes."""

    cores: int
    neurons: int
    blocks: int
    routes: int


def prove_images(
    images: Sequence[bytes], host_image: bytes, program: Program,
    progress: Callable[[str, int, int], None] | None = None,
) -> Proven:  # fmt: skip
    """What was proven: that the images hold each neuron of the program once with its parameters, each synapse once
    with its weight and delay and no other, and bring each spike once to each axon that sees its neuron and no other.

    Raises Mistranslation at the first difference and InputError where an image is damaged.
    """
    read: list[Image] = [read_image(host_image, "host image")]
    for index, data in enumerate(images):
        read.append(read_image(data, f"core image {index}"))
    for image in read:
        _prove_kind(image, host=image is read[0])
        for name in ARITHMETIC:
            if image.arithmetic[name] != program.arithmetic[name]:
                raise Mistranslation(image.name, f"{name} {image.arithmetic[name]}", str(program.arithmetic[name]))
    neurons = prove_neurons(read, program)
    routes = prove_routes(read, program)
    blocks = prove_synapses(read, program, progress)
    return Proven(cores=len(images), neurons=neurons, blocks=blocks, routes=routes)


def _prove_kind(image: Image, *, host: bool) -> None:
    """That an image is the host's where that is meant, and a host has no synapses."""
    if (image.core is None) != host or (host and (image.axons or image.blocks)):
        raise Mistranslation(image.name, "a core" if host else "a host", "one host image and core images else")
