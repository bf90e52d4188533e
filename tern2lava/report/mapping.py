"""What a mapping is like, for the report: what was asked for, how much traffic it makes, how long a step may take."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tern2lava.compiler.mapped import Mapped
from tern2lava.compiler.mapper.quality import event_times
from tern2lava.compiler.mapper.routing.link_loads import LinkLoads
from tern2lava.counts import count
from tern2lava.report.model import MappingBlock
from tern2lava.report.sheet import Paragraph


def mapping_block(mapped: Mapped) -> MappingBlock:
    """The report's block on a mapping."""
    options, found, routing = mapped.options, mapped.quality, mapped.routing
    times = event_times(mapped.profile)
    return MappingBlock(
        objective=options.objective,
        placement=mapped.placement.algorithm,
        seed=options.seed,
        max_neurons_per_core=options.max_neurons_per_core,
        pins=[f"{name}={chip}" for name, chip in options.pins],
        spare_cores=options.spare_cores,
        measured=routing.traffic.measured,
        rate=None if routing.traffic.measured else options.rate,
        spike_hops=routing.spike_hops,
        weighted_hops=found.cost,
        spikes_off_chip=routing.spikes_off_chip,
        link=found.link,
        link_at=_link_at(routing.loads),
        router=routing.loads.most_loaded_router[0],
        longest_route=found.route,
        busiest_core=found.peak,
        mean_core=found.mean,
        step=found.step,
        unit=times.unit,
        times=times.source,
    )


def mapping_text(block: MappingBlock) -> RenderableType:
    """The block as lines."""
    traffic = "measured on data" if block.measured else f"assumed: {block.rate:g} spikes per neuron and step"
    asked = [f"objective {block.objective}", f"placement {block.placement}", f"seed {block.seed}"]
    asked += [f"at most {count(block.max_neurons_per_core, 'neuron')} a core"] if block.max_neurons_per_core else []
    asked += [f"pinned {pin}" for pin in block.pins]
    asked += [f"{count(block.spare_cores, 'core')} a chip spared"] if block.spare_cores else []
    return Group(
        Paragraph("Mapping", style="bold"),
        Paragraph(f"Asked for: {', '.join(asked)}"),
        Paragraph(
            f"Traffic ({traffic}): {block.spike_hops:,.1f} spike-hops a step, {block.spikes_off_chip:,.1f} spikes "
            f"leave a chip; most loaded link {block.link:,.1f} spikes a step ({block.link_at}), router "
            f"{block.router:,.1f}; longest route {count(round(block.longest_route), 'hop')}"
        ),
        Paragraph(
            f"Step: about {block.step:,.0f} {block.unit} long; busiest core {block.busiest_core:,.0f}, a core on "
            f"average {block.mean_core:,.0f} ({block.times})"
        ),
        "",
    )  # fmt: skip


def _link_at(loads: LinkLoads) -> str:
    load, (row, col), direction = loads.most_loaded_link
    return f"router {row},{col} {direction}" if load else "none"
