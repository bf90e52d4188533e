"""Synapses: what the blocks of a group's axon ranges do is what the program's projections into it do, each once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tern2lava.errors import InputError
from tern2lava.prove.codecs import NAMES
from tern2lava.prove.dense import prove_dense
from tern2lava.prove.failure import ImageError, hold
from tern2lava.prove.image import Axons, Block, Group, Image
from tern2lava.prove.kernel import prove_kernel, prove_unrolled, synapses_in
from tern2lava.prove.program import Program, Projection

Progress = Callable[[str, int, int], None]


def prove_synapses(images: Sequence[Image], program: Program, progress: Progress | None = None) -> int:
    """Number of synapse blocks. Raises ImageError at the first synapse that one of images and program has and
    the other has not, or with another weight, source, target or delay."""
    # What was proven before and need not be again, and what the columns of dense projections lead to.
    known: dict[object, Any] = {}
    count = 0
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
    """ImageError where records do not belong together: axons, block and group, and their sizes."""
    used, groups, sources = sorted(axons.block for axons in image.axons), image.groups, program.populations
    hold(used == list(range(len(image.blocks))), image.name, f"axons of blocks {used}", "axons of each block once")
    for axons in image.axons:
        block, box, where = image.blocks[axons.block], axons.box, f"{image.name}, block {axons.block}"
        hold(block.group < len(groups), where, f"synapses to group {block.group}", "a group that is there")
        hold(axons.source < len(sources), where, f"axons of population {axons.source}", "one that is there")
        hold(math.prod(box.shape) == sources[axons.source].size, where, f"axons in {box.shape}", "the source's neurons")
        count = box.volume // math.prod(axons.window)
        hold(count == math.prod(block.in_shape), where, f"{count} axons for {block.in_shape}", "an axon for each input")
        count = groups[block.group].box.volume
        hold(
            count == math.prod(block.out_shape), where, f"{count} neurons for {block.out_shape}", "one for each output"
        )


def _prove_group(
    image: Image, group: Group, program: Program, given: list[tuple[Axons, Block]], known: dict[object, Any]
) -> None:
    """Each projection into the group's population is one of the `given` blocks, or has no synapse there."""
    population = program.populations[group.number]
    left = list(given)
    for number, projection in enumerate(population.projections):
        where = f"{image.name}, {population.name}"
        first: ImageError | None = None
        fitting = [k for k, (axons, _) in enumerate(left) if axons.source == projection.source]
        # Those that come as late as the program says first: of several, the first that fails is told of.
        fitting.sort(key=lambda k: left[k][1].delay != projection.delay)
        for k in fitting:
            try:
                _prove_projection(where, (group.number, number), projection, group, program, *left[k], known)
            except ImageError as error:
                first = first or error
            except ValueError as error:
                codec = NAMES[left[k][1].codec]
                raise InputError(
                    image.name, f"requires codes as {codec} allows; found {error}; compile again"
                ) from None
            else:
                del left[k]
                break
        else:
            _prove_nothing(where, projection, group, program, first)
    for axons, _ in left:
        source = program.populations[axons.source].name
        raise ImageError(f"{image.name}, {population.name}", f"synapses from {source} {axons.box}", "none such")


def _prove_projection(
    where: str, key: tuple[int, int], projection: Projection, group: Group, program: Program, axons: Axons,
    block: Block, known: dict[object, Any],
) -> None:  # fmt: skip
    """ImageError unless `block` is what `projection` does to the group."""
    where = f"{where}, {projection.name}"
    if block.delay != projection.delay:
        raise ImageError(where, f"a delay of {block.delay}", str(projection.delay))
    ends = program.populations[projection.source], program.populations[group.number]
    if projection.conv is None:
        if block.conv:
            raise ImageError(where, "a convolution", "a dense block")
        prove_dense(where, ends, projection, group.box, axons, block, known, key)
    elif block.conv:
        prove_kernel(where, ends, projection, group.box, axons, block, known, key)
    else:
        prove_unrolled(where, ends, projection, group.box, axons, block)


def _prove_nothing(
    where: str, projection: Projection, group: Group, program: Program, first: ImageError | None
) -> None:
    """ImageError, `first` where there is one, unless the projection has no synapse into the group."""
    dense = projection.conv is None
    if not (projection.weight[group.box.flat()].any() if dense else synapses_in(projection, group.box)):
        return
    if first is not None:
        raise first
    source = program.populations[projection.source].name
    raise ImageError(f"{where}, {projection.name}", f"no synapses from {source} to {group.box}", "some")
