"""The typed form of a hardware profile (loader.py reads one).

A profile is a YAML file whose every leaf is a mapping {value, unit, source, kind}. Nothing in it has a default: a
number that is not written down with its source is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tern2lava.counts import count
from tern2lava.hw_profiles.events import problem
from tern2lava.registry import Registry, one_of

T = TypeVar("T")
Kind = Literal["published", "simulated", "derived", "assumed"]
ResetName = Literal["zero", "subtract", "none"]
# The word of a mechanism (compiler/neurons/) or "plain"; compiler/target/rules.py holds it against those there are.
NeuronKind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Size = Annotated[int, Field(ge=1, le=1 << 40)]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
Quantity = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Encoding:
    """A way to store weights in a core, which profiles may allow."""

    name: str


# Those of tern2lava, so that a profile is read without its codecs; a codec that is registered adds its own.
ENCODINGS: Registry[Encoding] = Registry("encoding")
for _name in (
    "dense", "sparse", "run_length", "shared_sign", "base3", "bitmap", "golomb", "rans", "bit_planes", "axon_pairs"
):  # fmt: skip
    ENCODINGS.add(Encoding(_name))


def _known_encoding(name: str) -> str:
    if name not in ENCODINGS:
        raise PydanticCustomError("encoding", "Input should be {names}", {"names": one_of(ENCODINGS.names())})
    return name


EncodingName = Annotated[str, AfterValidator(_known_encoding)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Leaf(_Strict, Generic[T]):
    """One number or choice of the target, with its unit, where it comes from and how sure that is."""

    value: T
    unit: Text
    source: Text
    kind: Kind


class Names(_Strict, Generic[T]):
    """Several allowed values of one kind (a leaf whose value is a list)."""

    value: tuple[T, ...] = Field(min_length=1)
    unit: Text
    source: Text
    kind: Kind

    @model_validator(mode="before")
    @classmethod
    def _list_to_tuple(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("value"), list):
            return data | {"value": tuple(data["value"])}
        return data


class Price(Leaf[Quantity]):
    """What an event takes. high: the most, where the source gives a range, of which `value` is the least. bound: where
    the source gives no more than the least or the most that it takes."""

    high: Quantity | None = None
    bound: Literal["least", "most"] | None = None

    @model_validator(mode="after")
    def _range_goes_up(self) -> Price:
        if self.high is not None and (self.high < self.value or self.bound is not None):
            raise ValueError("high must be at least value, and has no bound beside it")
        return self

    @property
    def span(self) -> tuple[float, float]:
        """(least, most); the same where the source gives one number."""
        return self.value, self.value if self.high is None else self.high

    @property
    def text(self) -> str:
        """The number, or the range, with its bound, without its unit."""
        said = {"least": "at least ", "most": "at most ", None: ""}[self.bound]
        return f"{said}{self.value:g}" if self.high is None else f"{self.value:g} to {self.high:g}"


PriceTable = dict[str, Price]


class System(_Strict):
    """How many chips, and the mesh of routers on each; each router serves `cores_per_router` cores. chip_cores: how
    many of the places in that mesh hold a core that can be used, the first ones in row-major order; absent where all
    do."""

    chip_rows: Leaf[Size]
    chip_cols: Leaf[Size]
    mesh_rows: Leaf[Size]
    mesh_cols: Leaf[Size]
    cores_per_router: Leaf[Size]
    chip_cores: Leaf[Size] | None = None

    @model_validator(mode="after")
    def _mesh_holds_the_cores(self) -> System:
        if self.cores_per_chip > self.places:
            raise ValueError(f"chip_cores is {self.cores_per_chip}, but the mesh has places for {self.places} cores")
        return self

    @property
    def places(self) -> int:
        return self.mesh_rows.value * self.mesh_cols.value * self.cores_per_router.value

    @property
    def cores_per_chip(self) -> int:
        return self.places if self.chip_cores is None else self.chip_cores.value

    @property
    def chips(self) -> int:
        return self.chip_rows.value * self.chip_cols.value

    @property
    def cores(self) -> int:
        return self.chips * self.cores_per_chip


class Core(_Strict):
    """What one core holds. `threshold_sets` and `decay_sets` are the different thresholds and the different (decay,
    reset) pairs that its neurons can have; a core whose neurons each have their own says as many as it has neurons."""

    neurons: Leaf[Size]
    synapse_memory: Leaf[Size]
    in_axons: Leaf[Size]
    out_axons: Leaf[Size]
    fan_in: Leaf[Size]
    threshold_sets: Leaf[Size]
    decay_sets: Leaf[Size]


class Synapse(_Strict):
    """How synapses are stored. memory_model `nxtf`: synapse lists of 64-bit words as NxTF accounts for them;
    `codec`: the packed blocks of our core images; `crossbar`: cells of a memory in which every axon meets every neuron
    (Crossbar). sharing: what several source neurons can share: nothing, whole
    synapse lists, or a convolution kernel."""

    memory_model: Leaf[Literal["nxtf", "codec", "crossbar"]]
    sharing: Leaf[Literal["none", "lists", "kernel"]]
    encodings: Names[EncodingName]
    weight_bits: Names[Size]
    word_bits: Leaf[Size]
    max_per_entry: Leaf[Size]
    max_words_per_list: Leaf[Size]
    max_delay: Leaf[Count]
    channel_gain: Leaf[bool]

    @model_validator(mode="after")
    def _model_fits_sharing(self) -> Synapse:
        model, sharing = self.memory_model.value, self.sharing.value
        if (model, sharing) in (("nxtf", "kernel"), ("codec", "lists")) or (model == "crossbar" and sharing != "none"):
            raise ValueError(f"memory_model {model} cannot be used with sharing {sharing}")
        if model != "crossbar" and self.word_bits.value != 64:
            raise ValueError("word_bits must be 64 in the memory models nxtf and codec")
        return self


class Routing(_Strict):
    """How output axons are counted. out_axon_model `edges`: one per neuron and destination; `ranges`: one per part
    and destination; `single`: a neuron has one, to one axon of one core; `multicast`: a neuron has one, to the same
    axon of several cores. Under the last two a neuron with more targets is copied on its core. An edge into shared
    synapse lists costs `shared_cost`, one that leaves the chip `offchip_cost` more. axon_sums: spikes of several
    neurons that meet in one input axon in a step add up there; where they do not, the neurons of a pooling window need
    an axon each. multicast: routers copy a spike on its way, so that its routes to several cores pass a link once; else
    each copy goes all the way by itself. order: routes go along x (columns) first and then along y, or the other way.
    chip_hops: how many hops on a chip a chip border counts when cores are placed."""

    out_axon_model: Leaf[Literal["edges", "ranges", "single", "multicast"]]
    shared_cost: Leaf[Size]
    offchip_cost: Leaf[Count]
    payload_bits: Leaf[Count]
    axon_sums: Leaf[bool]
    order: Leaf[Literal["xy", "yx"]]
    multicast: Leaf[bool] = Leaf(
        value=False, unit="flag", kind="assumed", source="not said: each copy of a spike goes all the way by itself"
    )
    chip_hops: Leaf[Quantity]


class Crossbar(_Strict):
    """The memory of a core in which each of `inputs` axons crosses each of `columns`.

    planes: the bits of a weight lie in neighbouring `columns` (a neuron takes one column per bit), or in `axons` of
    their own (one for +1, one for -1). fold: the most columns that one neuron may join to take fold x `inputs` axons.
    timeslots: what axons hold, in steps of delay x fold.
    """

    inputs: Leaf[Size]
    columns: Leaf[Size]
    planes: Leaf[Literal["columns", "axons"]]
    fold: Leaf[Size]
    timeslots: Leaf[Size]


class NeuronFeatures(_Strict):
    """What neurons can do. kinds: `relay` neurons send their summed input as a graded spike of at most
    routing.payload_bits, in the step in which it arrived; inputs beyond a core's are split over them. decay: potentials
    that shrink by a factor in each step. subtracts: what a reset by subtraction takes off, `any` amount or the
    `threshold`, the smallest potential that spikes. initial_potential: other than 0. late_start: which neurons can rest
    until their input arrives: each population, whole cores, or none. holds: whether they can keep their state in
    hardware timesteps that lie between two of their steps. rounding: how what decays becomes a whole number,
    `truncate` towards zero; `programs` that too, but in neurons that no stock LIF of Lava executes, which are programs,
    to the nearest as well (compiler/target/stock_neuron.py says which); `nearest` either way in all."""

    resets: Names[ResetName]
    synaptic_current: Leaf[bool]
    per_neuron_bias: Leaf[bool]
    kinds: Names[NeuronKind]
    decay: Leaf[bool]
    subtracts: Leaf[Literal["any", "threshold"]]
    initial_potential: Leaf[bool]
    late_start: Leaf[Literal["population", "core", "none"]]
    holds: Leaf[bool] = Leaf(value=False, unit="flag", kind="assumed", source="not said: every timestep is a step")
    rounding: Leaf[Literal["truncate", "programs", "nearest"]]


class ArithmeticFormat(_Strict):
    """Widths of the integer formats; the fields are those of `tern2lava.compiler.ir.graph.Arithmetic`."""

    decay_bits: Leaf[Size]
    state_bits: Leaf[Size]
    threshold_bits: Leaf[Size]
    threshold_shift: Leaf[Count]
    bias_bits: Leaf[Size]
    bias_max_exp: Leaf[Count]
    gain_shift: Leaf[Count]
    gain_max_shift: Leaf[Count]

    @model_validator(mode="after")
    def _fits_int64(self) -> ArithmeticFormat:
        if self.state_bits.value + self.decay_bits.value > 62:
            raise ValueError("state_bits + decay_bits must be at most 62")
        return self


class Profile(_Strict):
    """A hardware target. `energy` and `latency` hold named tables of events (events.py), each of one source."""

    name: Text
    summary: Text
    system: System
    core: Core
    synapse: Synapse
    routing: Routing
    neuron: NeuronFeatures
    arithmetic: ArithmeticFormat
    crossbar: Crossbar | None = None
    energy: dict[str, PriceTable]
    latency: dict[str, PriceTable]

    @model_validator(mode="after")
    def _tables_hold_events(self) -> Profile:
        for section, tables in (("energy", self.energy), ("latency", self.latency)):
            for name, table in tables.items():
                for event, price in table.items():
                    if said := problem(section, event, price.unit):
                        raise ValueError(f"{said} (table {name})")
        return self

    @model_validator(mode="after")
    def _sections_belong_together(self) -> Profile:
        crossbar = self.synapse.memory_model.value == "crossbar"
        one_target = self.routing.out_axon_model.value in ("single", "multicast")
        if len({crossbar, one_target, self.crossbar is not None}) > 1:
            raise ValueError(
                "memory_model crossbar, a section crossbar and an out_axon_model of one target a neuron need each other"
            )
        return self

    def __repr__(self) -> str:
        core = self.core
        return (
            f"Profile({self.name}: {count(self.system.chips, 'chip')} of "
            f"{count(self.system.cores_per_chip, 'core')}, {count(core.neurons.value, 'neuron')} a core)"
        )

    def __str__(self) -> str:
        return repr(self)

    def arithmetic_values(self) -> dict[str, int]:
        """The numbers of `arithmetic` by name, ready to build an `ir.Arithmetic` from."""
        return {key: getattr(self.arithmetic, key).value for key in ArithmeticFormat.model_fields}

    def leaves(self) -> list[tuple[str, Any, str, str, str]]:
        """Every leaf as (dotted key, value, unit, kind, source), in file order."""
        rows: list[tuple[str, Any, str, str, str]] = []

        def walk(prefix: str, item: Any) -> None:
            if isinstance(item, Leaf | Names):
                value = item.text if isinstance(item, Price) else item.value
                rows.append((prefix, value, item.unit, item.kind, item.source))
            elif isinstance(item, BaseModel):
                for key in type(item).model_fields:
                    walk(f"{prefix}.{key}" if prefix else key, getattr(item, key))
            elif isinstance(item, dict):
                for key, value in item.items():
                    walk(f"{prefix}.{key}", value)

        walk("", self)
        return rows

    def assumptions(self) -> list[str]:
        """One line for every leaf that is assumed rather than published, simulated or derived."""
        return [
            f"{self.name}: {key} = {shown(value)} {unit} is assumed: {source}"
            for key, value, unit, kind, source in self.leaves()
            if kind == "assumed"
        ]


def shown(value: Any) -> str:
    """A value as errors and reports print it, at most 80 characters."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
