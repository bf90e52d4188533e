"""How much is tried, run and held: every number that trades time or memory for thoroughness, outside the mapper.

No field changes what an integer, an image or a verdict means. Rules of the chips, formats, tolerances, limits on
hostile files and the measured costs of the engine's kernels are no effort and stand where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from tern2lava import arguments
from tern2lava.errors import InputError
from tern2lava.likely import meant


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Numbers of a compilation (of what it tries, its integers, notes or report may depend), of a verification (its
    report says what ran), and pieces of work, on which only time and memory depend.

    Raises InputError for what is no whole number or is below 1.
    """

    # A compilation.

    #: Sets of parameters of a population whose thresholds exact runs place, the most frequent first; the rest keep the
    #: nearest code. Chosen. Measured: 0.1 s of one core for a set alone, 0.02 s each for twelve (64 steps).
    searched_kinds: int = 48
    #: Sets of parameters of a population that exact runs examine for the certificate's counts of ties. Chosen: these
    #: runs prove nothing, so that few do.
    examined_kinds: int = 4
    #: Random input sequences for each rate of an exact run, shared among the sets. Chosen.
    drawn_sequences: int = 400
    #: Random input sequences for each rate that every set gets at least. Chosen.
    least_sequences: int = 64
    #: Threshold, in synapses, below which every constant input up to twice it is run as well. Chosen: at most 128 runs.
    held_threshold: int = 64
    #: Steps that an exact run has at most. Chosen: 64 steps with a decay of 3 / 4 are potentials of 128 bits.
    exact_steps: int = 64
    #: Smallest and largest j of the offsets 2^j, in last bits, that are tried for a threshold without a code. Chosen;
    #: offsets above a 32nd of a weight are left out whatever j is.
    offset_bits: tuple[int, int] = (4, 16)
    #: Last bits by which a subtraction may fall short of its amount to keep an offset alive. Chosen.
    shortfalls: tuple[int, ...] = (0, 1, 2, 4)
    #: Calibration samples that are run at most. Chosen.
    calibrated_samples: int = 256
    #: Multiply-accumulates of the float reference on calibration samples, above which fewer are run. Chosen: half a
    #: second of one core.
    calibrated_work: int = 1 << 31
    #: Potentials of one layer on calibration samples that are looked at; more make it fewer samples. Chosen:
    #: 16 samples of 128 neurons and 1,024 steps.
    calibrated_values: int = 1 << 21
    #: Weights and neurons up to which a network that does not fit is mapped onto other targets to say which hold it;
    #: beyond, bounds speak. Chosen so that a small target takes about a second.
    advised_size: int = 100_000
    #: Runs of a traced module with stronger inputs, beyond the two of every check, in search of spikes of populations
    #: that were silent. Chosen: as long as the others, only where there are such.
    waking_runs: int = 4
    #: Moves of each neuron of a sparse layer between cores that have their places, where the mapping is for the least
    #: traffic. Measured: docs/effort.md; 80 neurons on 16 cores take 2 s of one core.
    neuron_moves: int = 10_000
    #: Samples of a recorded run that a bundle keeps. Chosen for small bundles.
    kept_samples: int = 16
    #: Samples of a live module's own run that a bundle keeps. Chosen for small bundles.
    own_samples: int = 4
    #: Random samples that a live module runs, of which `own_samples` that fire the most populations are kept. Chosen.
    own_candidates: int = 12
    #: Spikes of these samples that are held together; more make them fewer. Chosen: 256 MiB.
    candidate_spikes: int = 1 << 28

    # A verification.

    #: Samples that Lava's process models run in sequence (L3) in mixed mode. Chosen: slower than core images.
    sequential_samples: int = 32
    #: Samples that Lava's own runtime runs (L1) in mixed mode. Chosen: it meets at a barrier in every step.
    runtime_samples: int = 8
    #: Samples of the cover stimulus that move potentials to thresholds which were not met from both sides, at most.
    #: Measured on VGG-9: see benchmarks/results/cover.md.
    cover_ramps: int = 40
    #: Samples that Lava's runtime runs with a process for each core (LM) in mixed mode; 0: it is left out. Chosen: as
    #: L1, and it has more processes.
    mapped_samples: int = 1
    #: Cores up to which it runs in mixed mode. Chosen: Lava slows down beyond some sixty processes.
    mapped_cores: int = 32
    #: Inputs that a search for the worst one draws, and as many again for each population. Chosen.
    searched_inputs: int = 256
    #: Test samples on which a training measures the distance of potentials from thresholds. Chosen.
    band_samples: int = 100

    # Pieces of work: no result depends on them.

    #: Values of one kind (spikes, v or u) that a shard of samples holds. Chosen: 64 MiB of 8-byte states.
    shard_values: int = 1 << 23
    #: Recorded values of one kind that are held at a time to be compared with the float model. Chosen: 128 MiB.
    reading_values: int = 1 << 24
    #: Samples of a live module that are recorded at a time. Chosen.
    recorded_samples: int = 64
    #: Bytes from which an array of a spike file is left there and read in pieces. Chosen: 128 MiB.
    file_bytes: int = 1 << 27
    #: Bytes of a spike file that are read at a time. Chosen.
    read_bytes: int = 1 << 20
    #: Bytes of spikes of the samples that a thread of the engine takes at a time. Chosen.
    thread_bytes: int = 1 << 21
    #: Bytes of summed input that the engine holds at a time. Chosen so that they stay in a core's cache.
    summed_bytes: int = 1 << 17
    #: Values of a traced module's graph, of all its layers, that are held at once while it is compared with the
    #: module's own run. Chosen: 128 MiB.
    checked_values: int = 1 << 24
    #: Neurons with equal parameters from which the engine steps them with one set; fewer get sets of their own. Chosen.
    alike_neurons: int = 64
    #: Bytes of spikes and states that a worker in Lava (L2) computes at a time. Chosen.
    lava_bytes: int = 1 << 23
    #: Seconds from which the time that a verification is expected to take is said before it begins. Chosen.
    said_seconds: int = 60
    #: Microseconds that a step of Lava's runtime is expected to take, for that. Measured: L1 840 (results/simulation.md
    #: in benchmarks), LM of ten processes 1,500 (results/lava_cores.md); more where cores are busy.
    lava_step_us: int = 1500

    def __post_init__(self) -> None:
        for field in fields(self):
            value, where = getattr(self, field.name), f"effort: {field.name}"
            if isinstance(field.default, tuple):
                least = 0 if field.name == "shortfalls" else 1
                if not isinstance(value, (tuple, list)):
                    raise arguments.refused(where, "a tuple of whole numbers", value, f"give them as {field.default}")
                plain: object = tuple(arguments.whole(number, where, least, "see docs/effort.md") for number in value)
            else:
                least = 0 if field.name == "mapped_samples" else 1
                plain = arguments.whole(value, where, least, "see docs/effort.md")
            object.__setattr__(self, field.name, plain)
        if len(self.offset_bits) != 2:
            found = f"found {len(self.offset_bits)}; give the smallest and the largest j of the offsets 2^j"
            raise InputError("effort: offset_bits", f"requires two numbers; {found}")
        if self.shortfalls[:1] != (0,):
            found = f"found {self.shortfalls}; begin with 0, a subtraction of the whole amount"
            raise InputError("effort: shortfalls", f"requires 0 as the first; {found}")

    @property
    def name(self) -> str:
        """The preset that this is, "custom" if it is none."""
        return next((name for name, preset in EFFORTS.items() if preset == self), "custom")

    def __repr__(self) -> str:
        """The preset, or the first numbers that are other than those of NORMAL."""
        if self.name != "custom":
            return f"Effort({self.name})"
        values = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        own = [f"{name}={value}" for name, value, default in values if value != default]
        return f"Effort({', '.join(own[:3])}{', ...' if len(own) > 3 else ''})"


NORMAL = Effort()
LAVA_PROCESSES = 32
"""Processes of the operating system that a Lava network of cores takes, unless another number is given. Chosen: Lava
forks each, and slows down beyond some sixty."""
SAID_EVERY = 60.0
"""Seconds after which a command, where stderr is no terminal, says where it is. Chosen."""
EFFORTS: dict[str, Effort] = {
    "quick": replace(
        NORMAL, searched_kinds=12, examined_kinds=1, drawn_sequences=96, least_sequences=16, held_threshold=16,
        exact_steps=32, advised_size=10_000, own_candidates=4, sequential_samples=4, runtime_samples=1,
        mapped_samples=0, cover_ramps=10, searched_inputs=64, band_samples=20, waking_runs=1, neuron_moves=1000,
    ),
    "normal": NORMAL,
    "thorough": replace(
        NORMAL, searched_kinds=480, examined_kinds=48, drawn_sequences=1600, least_sequences=256, held_threshold=256,
        exact_steps=128, shortfalls=(0, 1, 2, 3, 4, 6, 8), advised_size=1_000_000, kept_samples=64,
        own_samples=8, own_candidates=48, sequential_samples=320, runtime_samples=80, mapped_samples=10,
        cover_ramps=160, searched_inputs=4096, band_samples=1000, waking_runs=16,
        neuron_moves=100_000,
    ),
}  # fmt: skip
"""The presets of --effort."""


def effort_of(asked: object, where: str = "effort") -> Effort:
    """The effort asked for, a preset by its name. Raises InputError for anything else."""
    if isinstance(asked, Effort):
        return asked
    if isinstance(asked, str) and asked in EFFORTS:
        return EFFORTS[asked]
    raise arguments.refused(
        where,
        "an effort",
        asked,
        f"{meant(asked, EFFORTS)}choose {', '.join(EFFORTS)}, or give a tern2lava.effort.Effort",
    )
