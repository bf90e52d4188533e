"""Synapses: what the blocks of a group's axon ranges do is what the program's projections into it do, each once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tern2lava.prove.dense import Pairs, prove_dense
from tern2lava.prove.failure import MistranslationError
from tern2lava.prove.image import Axons, Block, Group, Image, damage
from tern2lava.prove.kernel import prove_kernel, prove_unrolled, synapses_in
from tern2lava.prove.program import Program, Projection

Progress = Callable[[str, int, int], None]


@dataclass(eq=False)
class Known:
    """What was proven before and need not be again. kernels: of a projection's channels, as a block with this digest
    holds them, where the same taps are used; pairs: axons of the columns of a dense projection."""

    kernels: set[object] = field(default_factory=set)
    pairs: dict[object, Pairs] = field(default_factory=dict)


def prove_synapses(images: Sequence[Image], program: Program, progress: Progress | None = None) -> int:
    """Number of synapse blocks. Raises MistranslationError at the first synapse that one of images and program has and
    the other has not, or with another weight, source, target or delay."""
    known, count = Known(), 0
    for done, image in enumerate(images):
        if progress is not None:
            progress("core images", done, len(images))
        _check_records(image, program)
        into: dict[int, list[tuple[Axons, Block]]] = {index: [] for index in range(len(image.groups))}
        for axons in image.axons:
            block = image.blocks[axons.block]
            into[block.group].append((axons, block))
        for index, group in enumerate(image.groups):
            if image.core is not None:
                _prove_group(image, group, program, into[index], known)
        count += len(image.blocks)
    return count


def _check_records(image: Image, program: Program) -> None:
    """MistranslationError where records do not belong together: axons, block and group, and their sizes."""
    used = sorted(axons.block for axons in image.axons)
    if used != list(range(len(image.blocks))):
        raise MistranslationError(image.name, f"axons of blocks {used}", f"each of {len(image.blocks)} blocks once")
    for axons in image.axons:
        block = image.blocks[axons.block]
        where = f"{image.name}, block {axons.block}"
        if block.group >= len(image.groups):
            raise MistranslationError(where, f"synapses to group {block.group}", "a group that is there")
        if axons.source >= len(program.populations):
            raise MistranslationError(where, f"axons of population {axons.source}", "one that is there")
        if math.prod(axons.box.shape) != program.populations[axons.source].size:
            raise MistranslationError(
                where, f"axons in the shape {axons.box.shape}", "the population's number of neurons"
            )
        if axons.box.volume // math.prod(axons.window) != math.prod(block.in_shape):
            raise MistranslationError(
                where, f"axons of {axons.box} for inputs {block.in_shape}", "as many axons as inputs"
            )
        if image.groups[block.group].box.volume != math.prod(block.out_shape):
            raise MistranslationError(
                where, f"outputs {block.out_shape}", f"{image.groups[block.group].box.volume} neurons"
            )


def _prove_group(image: Image, group: Group, program: Program, given: list[tuple[Axons, Block]], known: Known) -> None:
    """Each projection into the group's population is one of the `given` blocks, or has no synapse there."""
    population = program.populations[group.number]
    left = list(given)
    for number, projection in enumerate(population.projections):
        where = f"{image.name}, {population.name}"
        first: MistranslationError | None = None
        fitting = [k for k, (axons, _) in enumerate(left) if axons.source == projection.source]
        # Those that come as late as the program says first: of several, the first that fails is told of.
        fitting.sort(key=lambda k: left[k][1].delay != projection.delay)
        for k in fitting:
            try:
                _prove_projection(where, (group.number, number), projection, group, program, *left[k], known)
            except MistranslationError as error:
                first = first or error
            except ValueError as error:
                raise damage(image, left[k][1], error) from None
            else:
                del left[k]
                break
        else:
            _prove_nothing(where, projection, group, program, first)
    if left:
        source = program.populations[left[0][0].source]
        raise MistranslationError(
            f"{image.name}, {population.name}", f"synapses from {source.name} {left[0][0].box}", "none such"
        )


def _prove_projection(
    where: str, key: tuple[int, int], projection: Projection, group: Group, program: Program, axons: Axons,
    block: Block, known: Known,
) -> None:  # fmt: skip
    """MistranslationError unless `block` is what `projection` does to the group."""
    where = f"{where}, {projection.name}"
    if block.delay != projection.delay:
        raise MistranslationError(where, f"a delay of {block.delay}", str(projection.delay))
    ends = program.populations[projection.source], program.populations[group.number]
    if projection.conv is None:
        if block.conv:
            raise MistranslationError(where, "a convolution", "a dense block")
        prove_dense(where, ends, projection, group.box, axons, block, known.pairs, key)
    elif block.conv:
        prove_kernel(where, ends, projection, group.box, axons, block, known.kernels, key)
    else:
        prove_unrolled(where, ends, projection, group.box, axons, block)


def _prove_nothing(
    where: str, projection: Projection, group: Group, program: Program, first: MistranslationError | None
) -> None:
    """MistranslationError, `first` where there is one, unless the projection has no synapse into the group."""
    if projection.conv is None:
        rows = projection.weight.reshape(projection.weight.shape[0], -1)[group.box.flat()]
        some = bool(rows.any())
    else:
        some = synapses_in(projection, group.box)
    if not some:
        return
    if first is not None:
        raise first
    source = program.populations[projection.source].name
    raise MistranslationError(f"{where}, {projection.name}", f"no synapses from {source} to {group.box}", "some")
