"""Proving for every input that a bundle's core images are its program, and its program the real dynamics."""

from __future__ import annotations

from dataclasses import replace

from tern2lava import arguments
from tern2lava.api.opened import BundleLike, opened
from tern2lava.arguments import public
from tern2lava.bundle import induction_of, translation_of
from tern2lava.compiler.progress import Progress
from tern2lava.prove.run import Translation


@public
def prove(bundle: BundleLike, *, exhaustive: bool = False, progress: Progress | None = None) -> Translation:
    """Whether the core images of a compiled network are its integer program, for every input.

    A second reader of the images and the program, which shares nothing with the compiler, shows that the images hold
    every neuron once with its parameters, every synapse once with its weight and delay and no other, and bring every
    spike once to every axon that sees its neuron and to no other. Nothing is executed, and no data are needed.

    Its `arithmetic` says of which populations that are certified EXACT another checker proves by induction that the
    program spikes as the real dynamics do (docs/certificates.md).

    bundle: what `compile` returned, or the bundle's folder. The result has `proven` (of the images), `difference` (one
    line on the first difference; None: none), the numbers of cores, neurons, blocks and routes that were proven, and
    `arithmetic`: `exact` (the populations, each with `proven`, `reason` and `differs`), `others` (a number), `differs`.
    exhaustive: also try all that can happen to each neuron of the other populations, up to 2^20 states and sums of a
    population (`arithmetic.tried`). progress(stage, done, total) counts core images. No error is raised for a
    difference. Raises InputError where the bundle is damaged.
    """
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    exhaustive = arguments.flag(exhaustive, "exhaustive")
    found = opened(bundle)
    return replace(translation_of(found, progress), arithmetic=induction_of(found, exhaustive))
