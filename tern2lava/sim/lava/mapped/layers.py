"""An integer program as a network of layers, in the same words as one of cores: a core for each population."""

from __future__ import annotations

from dataclasses import replace

from tern2lava.compiler.image.core_image import CORE, HOST, Axons, CoreImage, Group, SynapseBlock, cut_population
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import size
from tern2lava.sim.lava.mapped.wiring import Connection, Wiring, arrivals


def layer_wiring(program: Graph) -> Wiring:
    """The wiring of an INTEGER program in which each population is a core of its own, numbered in the program's order,
    and each projection an axon range with its block."""
    assert program.arithmetic is not None
    inputs, populations = program.of_kind(Input), program.of_kind(Population)
    nodes: tuple[Input | Population, ...] = (*inputs, *populations)
    number = {node.name: index for index, node in enumerate(nodes)}
    boxes = {node.name: Box.full(node.shape) for node in nodes}

    def group(node: Input | Population) -> Group:
        local = None if isinstance(node, Input) else cut_population(node, boxes[node.name])
        return Group(name=node.name, number=number[node.name], box=boxes[node.name], local=local)

    cores, connections = [], []
    for place, population in enumerate(populations):
        axons, blocks = [], []
        for index, name in enumerate(population.inputs):
            projection = program.projection(name)
            source = projection.inputs[0]
            axons.append(_axons(projection, number[source], index, size(boxes[source].shape)))
            block = replace(projection, inputs=(), pooling=None, reads=None)
            blocks.append(SynapseBlock(group=0, codec="", local=block))
            sent, axon = arrivals(boxes[source], axons[-1])
            of_host = number[source] < len(inputs)
            connections.append(
                Connection(
                    source=None if of_host else number[source] - len(inputs), group=number[source] if of_host else 0,
                    target=place, axons=index, sent=sent, axon=axon,
                )
            )  # fmt: skip
        cores.append(
            CoreImage(
                kind=CORE, core=place, arithmetic=program.arithmetic, groups=(group(population),), axons=tuple(axons),
                blocks=tuple(blocks), routes=(), slowdown=program.slowdown,
            )
        )  # fmt: skip
    host = CoreImage(
        kind=HOST, core=0, arithmetic=program.arithmetic, groups=tuple(map(group, inputs)), axons=(), blocks=(),
        routes=(), slowdown=program.slowdown,
    )  # fmt: skip
    levels = tuple(node.levels for node in inputs)
    return Wiring(cores=tuple(cores), host=host, levels=levels, connections=tuple(connections))


def _axons(projection: Projection, source: int, block: int, neurons: int) -> Axons:
    """The axon range through which a population sees the whole source, or the part that the projection reads."""
    pooling, geometry = projection.pooling, projection.geometry
    if projection.reads is not None:
        box = projection.reads
    elif pooling is not None:
        box = Box.full(pooling.in_shape)
    else:
        box = Box.full((neurons,) if geometry is None else geometry.in_shape)
    if pooling is None:
        return Axons(source=source, box=box, block=block)
    # Rows and columns that fill no window are not seen.
    whole = (1, *pooling.window)
    high = tuple(low + length // each * each for low, length, each in zip(box.lo, box.extent, whole, strict=True))
    return Axons(source=source, box=Box(box.shape, box.lo, high), block=block, window=pooling.window)
