"""Keys of what executed the program."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class ExecutionRow(Block):
    """One execution of the program, and on how much it was held against the integer reference (I)."""

    name: str = Field(description="Its name in the chain.")
    what: str = Field(description="What executed the program.")
    samples: int = Field(description="Samples it ran.")
    values: int = Field(description="Its spikes and states that were compared with the reference's and are equal.")
    seconds: float = Field(description="Time it took, start included.")


class FallbackRow(Block):
    """A population that the fast engine left to the integer reference."""

    population: str = Field(description="Name of the population.")
    reason: str = Field(description="What the compiled kernels do not cover.")


class ProcessRow(Block):
    """Which Lava process executed a node in L1, and why."""

    node: str = Field(description="Name of the population, projection or input.")
    process: str = Field(description="The Lava process: stock (lava.proc) or ours.")
    reason: str = Field(description="Why that one.")


class MappedPartRow(Block):
    """Parts of cores that one kind of Lava process executed in LM, and why."""

    part: str = Field(description="A population, or source and target of the synapses.")
    cores: list[int] = Field(description="The cores that hold it.")
    process: str = Field(description="The Lava process: stock (lava.proc) or ours.")
    reason: str = Field(description="Why that one.")


class MappedBlock(Block):
    """The Lava network with a process for each core (LM)."""

    cores: int = Field(description="Cores, each a Lava process.")
    processes: int = Field(description="Processes of the operating system, inputs and readouts among them.")
    ports: int = Field(description="Ports of all cores: one for each route in, one for each neuron group out.")
    connections: int = Field(description="Connections: routes, and readouts of groups that lead to no core.")
    shared: list[list[int]] = Field(
        description="The cores that run in each process; empty: each part of each core had one of its own."
    )
    parts: list[MappedPartRow] = Field(description="Which Lava process executed what.")
