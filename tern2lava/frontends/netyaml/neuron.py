"""The neuron entries of a net.yaml in the fields of ir.Neuron: each parameter is written there or in the checkpoint."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.neurons.mechanism import words
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.files.yaml_text import Place, YamlFile
from tern2lava.frontends.files.checkpoint import Scalar
from tern2lava.frontends.netyaml import integrator, loihi
from tern2lava.frontends.netyaml.keys import NeuronKeys, show
from tern2lava.frontends.neuron_equations import (
    Fields,
    adaptive_threshold,
    check_decay,
    check_tau,
    current_based,
    integrate_and_fire,
    leak_rate,
    leaky,
    sigmoid,
    snntorch_reset,
    time_constant,
)

_LIF = ("tau", "decay_input", "v_rest")
KIND_KEYS = {
    "if": (),
    "leaky": ("beta",),
    "lif": _LIF,
    "plif": ("w", "decay_input", "v_rest"),
    "cuba": ("alpha", "beta", *_LIF),
    "alif": ("alpha", "rho", "jump", "decay_input"),
    "synaptic": ("alpha", "beta"),
    "rleaky": ("beta",),
    "rsynaptic": ("alpha", "beta"),
}
"""The keys of each kind beside those that every neuron has."""

DROPS_INPUT = ("synaptic", "rleaky", "rsynaptic")
"""snnTorch's neurons whose membrane rests in the step after a delayed reset to zero (conventions.snntorch_reset)."""

_COMMON = (
    "kind", "tensors", "threshold", "threshold_low", "reset", "reset_value", "reset_delay", "rearm", "refractory",
    "fire", "v_init", "recurrent",
)  # fmt: skip
_ACCEPTED = {
    "threshold": "a number or the name of a tensor",
    "alpha": "a number in [0, 1] or the name of a tensor",
    "beta": "a number in [0, 1] or the name of a tensor",
    "tau": "a number of steps, at least 1, or the name of a tensor",
    "w": "the name of a tensor, as SpikingJelly's ParametricLIFNode stores it (1 / tau = sigmoid(w))",
    "rho": "a number in [0, 1] or the name of a tensor",
    "decay_v": "by how much of 4096 the potential decays, 0 to 4096, or the name of a tensor",
    "jump": "by how much a spike raises the threshold, a number or the name of a tensor",
    "decay_input": "true (the input is divided by tau) or false",
    "reset": "zero, subtract, none or value (with reset_value)",
    "reset_value": "a number or the name of a tensor",
    "reset_delay": "true (the reset acts in the next step) or false",
    "fire": "gt (v > threshold) or ge (v >= threshold)",
}
_SNNTORCH_RESETS = (Reset.SUBTRACT, Reset.ZERO, Reset.NONE)


class Source(Protocol):
    """Where parameters come from: the tensors and values of a checkpoint."""

    def has(self, name: str) -> bool: ...
    def array(self, name: str, place: Place) -> Array: ...
    def value(self, name: str) -> Scalar: ...


def neuron_fields(
    source: Source, file: YamlFile, place: Place, name: str, keys: NeuronKeys
) -> tuple[dict[str, Any], list[str]]:
    """(fields of the ir.Neuron called `name`, notes) of a neuron entry at `place`.

    A key that is not written is read from PREFIX.key, PREFIX being `tensors`; one found in both must agree. Raises
    InputError for a missing, foreign or contradicting key, UnsupportedError for what ir.Neuron cannot say.
    """
    return _Reader(source, file, place, name, keys).fields()


class _Reader:
    def __init__(self, source: Source, file: YamlFile, place: Place, name: str, keys: NeuronKeys) -> None:
        self.source, self.file, self.place, self.name, self.keys = source, file, place, name, keys
        self.notes: list[str] = []

    def fields(self) -> tuple[dict[str, Any], list[str]]:
        keys = self.keys
        own = {"integrator": integrator.KEYS, loihi.KIND: loihi.KEYS}
        allowed = own.get(keys.kind) or (*_COMMON, *KIND_KEYS[keys.kind])
        for key in sorted(keys.model_fields_set - {"further"}):
            if key not in allowed:
                raise self.error(
                    key,
                    f"requires a key of kind {keys.kind}; found another; leave it out, or choose from "
                    f"{', '.join(allowed)}",
                )
        if keys.kind == loihi.KIND:
            return loihi.neuron_fields(self), self.notes
        snntorch = self.is_snntorch()
        if snntorch:
            self.refuse_snntorch_options()
        if keys.kind == "integrator":
            return integrator.integrator_fields(self, snntorch), self.notes
        resets = self.resets(snntorch)
        compare, threshold = Compare(self.needed("fire")), self.parameter("threshold")
        fields: dict[str, Any] = {
            **self.decays(snntorch),
            "threshold": threshold,
            "compare": compare,
            "reset_amount": threshold,
            **resets,
            "v_init": self.parameter("v_init", 0.0),
        }
        if keys.threshold_low is not None:
            low = self.parameter("threshold_low")
            if low.size and low.max() >= 0:
                raise self.error(
                    "threshold_low",
                    f"requires a negative number, below which a spike of -1 is made; found {float(low.max()):g}; give "
                    "one below 0",
                )
            fields["threshold_low"] = low
        if keys.reset == "value":
            fields["reset_value"] = self.parameter("reset_value")
        elif keys.reset_value is not None:
            raise self.error(
                "reset_value", "requires reset: value; found another reset; write reset: value, or leave it out"
            )
        return fields | self.further(), self.notes

    def further(self) -> dict[str, Any]:
        """The fields of mechanisms that have no keys of their own here, by their words."""
        fields: dict[str, Any] = {}
        for key, value in self.keys.further.items():
            mechanism, word = words()[key]
            try:
                named = word.array and isinstance(value, str)
                read = self.source.array(value, (*self.place, key)) if named else word.read(value)
            except (ValueError, KeyError, TypeError):
                raise self.error(key, f"requires {word.expected}; found {show(value)}; mend the value") from None
            fields |= mechanism.fields(key, read)
        return fields

    def resets(self, snntorch: bool) -> dict[str, Any]:
        """The fields for what a spike does."""
        keys = self.keys
        if keys.kind == "alif":
            written = {"reset": "subtract", "reset_delay": True, "rearm": False, "refractory": 0}
            for key, only in written.items():
                if getattr(keys, key) not in (None, only):
                    raise self.error(
                        key,
                        "requires a kind with a reset of its own; found alif, which subtracts its threshold one step "
                        f"later; leave {key} out",
                    )
            return {"reset": Reset.SUBTRACT, "reset_delay": True}
        reset = self.reset()
        # What never resets has nothing to delay.
        delay = bool(self.needed("reset_delay")) if reset is not Reset.NONE or keys.reset_delay is not None else False
        own = snntorch or keys.kind in DROPS_INPUT
        native = snntorch_reset(reset, delay, drops_input=keys.kind in DROPS_INPUT)
        if native["refractory"] and keys.refractory is not None:
            raise self.error(
                "refractory",
                f"requires no refractory, for kind {keys.kind} rests for one step by itself; found one; leave it out",
            )
        if native["refractory"] and keys.reset == "value":
            self.notes.append(
                f"{self.name}: rests for one step after a spike, as kind {keys.kind} with reset_delay: true does, to "
                "zero or to a value"
            )
        fields = {**native, "rearm": self.rearm(reset, delay, own and native["rearm"])}
        return fields | ({"refractory": keys.refractory} if keys.refractory is not None else {})

    def decays(self, snntorch: bool) -> dict[str, Reals]:
        """The fields for the decays of the entry's kind."""
        match self.keys.kind:
            case "if":
                return integrate_and_fire()
            case "leaky" | "rleaky":
                return leaky(self.decay("beta", snntorch))
            case "lif":
                return self.lif(check_tau(self.where("tau"), self.parameter("tau")))
            case "plif":
                decay_input = bool(self.needed("decay_input"))
                rest = self.parameter("v_rest", 0.0)
                return leak_rate(sigmoid(self.parameter("w")), decay_input=decay_input, v_rest=rest)
            case "cuba" if self.keys.tau is not None:
                if self.keys.beta is not None:
                    raise self.error("tau", "requires tau or beta; found both; leave one out")
                tau = check_tau(self.where("tau"), self.parameter("tau"))
                return {"alpha_u": self.decay("alpha", snntorch), **self.lif(tau)}
            case "cuba" | "synaptic" | "rsynaptic":
                return current_based(self.decay("alpha", snntorch), self.decay("beta", snntorch))
            case "alif":
                return self.alif(snntorch)
            case "integrator" | "loihi":
                raise AssertionError("kinds with a module of their own")

    def lif(self, tau: Reals) -> Fields:
        """The fields of a leak with time constant `tau`, as decay_input and v_rest say."""
        decay_input = bool(self.needed("decay_input"))
        return time_constant(tau, decay_input=decay_input, v_rest=self.parameter("v_rest", 0.0))

    def alif(self, snntorch: bool) -> Fields:
        """The fields of a neuron with an adaptive threshold; without decay_input its x is taken as it is."""
        fields = adaptive_threshold(self.decay("alpha", snntorch), self.decay("rho", snntorch), self.parameter("jump"))
        if not self.needed("decay_input"):
            del fields["gain_v"]
        return fields

    def decay(self, key: str, snntorch: bool) -> Reals:
        """A decay factor in [0, 1]; snnTorch clamps its own to that range in every step."""
        value = self.parameter(key)
        if not snntorch:
            return check_decay(self.where(key), value)
        clamped = np.clip(value, 0.0, 1.0)
        if not np.array_equal(clamped, value):
            self.notes.append(f"{self.name}: {key} clamped to [0, 1] as snnTorch does")
        return clamped

    def reset(self) -> Reset:
        """The reset mode, written or as snnTorch's reset_mechanism_val (0 subtract, 1 zero, 2 none)."""
        written, stored = self.keys.reset, None
        name = f"{self.keys.tensors}.reset_mechanism_val"
        if self.keys.tensors is not None and self.source.has(name):
            index = self.source.array(name, (*self.place, "tensors"))
            if index.size != 1 or index.item() not in (0, 1, 2):
                raise self.error(
                    "tensors",
                    f"requires 0, 1 or 2 as {name}, as snnTorch writes it; found {index.tolist()!s:.40}; save the "
                    "network again",
                )
            stored = _SNNTORCH_RESETS[int(index.item())]
        if written is None and stored is not None:
            return stored
        wanted = Reset.ZERO if self.needed("reset") == "value" else Reset(written)
        if stored is not None and (wanted is not stored or written == "value"):
            raise self.error(
                "reset",
                f"requires what {name} in the checkpoint says, {stored.value}; found {written}; mend one of the two",
            )
        return wanted

    def rearm(self, reset: Reset, delay: bool, native: bool) -> bool:
        """Whether the neuron rearms: as written, else as snnTorch does where it is one of its neurons (`native`)."""
        written = self.keys.rearm
        if written is None:
            return native
        if written and (reset is not Reset.SUBTRACT or delay):
            raise self.error(
                "rearm", "requires reset: subtract with reset_delay: false; found another reset; leave it out"
            )
        if native and not written:
            self.notes.append(
                f"{self.name}: does not rearm (rearm: false), though snnTorch's does; spikes differ where v stays "
                "above the threshold after a reset"
            )
        return written

    def is_snntorch(self) -> bool:
        """Whether `tensors` names a snnTorch neuron: only that library stores a reset_mechanism_val."""
        return self.keys.tensors is not None and self.source.has(f"{self.keys.tensors}.reset_mechanism_val")

    def refuse_snntorch_options(self) -> None:
        """Raise UnsupportedError where the checkpoint says graded spikes, inhibition or quantised states."""
        prefix = self.keys.tensors
        graded = f"{prefix}.graded_spikes_factor"
        if self.source.has(graded):
            factor = self.source.array(graded, (*self.place, "tensors"))
            if (factor != 1).any():
                raise UnsupportedError(
                    self.name,
                    "spikes of 0 or 1",
                    f"{graded} {factor.flat[int(np.argmax(factor != 1))]:g}",
                    "fold the factor into the next layer's weights",
                )
        for option in ("inhibition", "state_quant"):
            if self.source.value(f"{prefix}.{option}") not in (None, False):
                raise UnsupportedError(
                    self.name, "independent neurons", option, f"leaving {option} out changes the network"
                )

    def stored(self, key: str) -> Reals | None:
        """The tensor PREFIX.key of the checkpoint, None where there is none."""
        name = f"{self.keys.tensors}.{key}"
        there = self.keys.tensors is not None and self.source.has(name)
        return self.source.array(name, (*self.place, "tensors")) if there else None

    def parameter(self, key: str, default: float | None = None) -> Reals:
        """A real parameter as an array, from the entry or the checkpoint; InputError where neither has it."""
        written = getattr(self.keys, key)
        at = (*self.place, key)
        given = None
        if written is not None:
            given = self.source.array(written, at) if isinstance(written, str) else np.asarray(written, np.float64)
        stored = self.stored(key)
        if given is None and stored is None:
            if default is not None:
                return np.asarray(default)
            self.missing(key)
        if given is None:
            assert stored is not None
            return stored
        if stored is None:
            return given
        if not _agree(given, stored):
            found = f"{self.keys.tensors}.{key} in the checkpoint is {_text(stored)}"
            raise self.error(key, f"requires one value; found {_text(given)} here, but {found}; remove one")
        return stored

    def needed(self, key: str) -> Any:
        """A flag or mode of the entry, or of a pickled module in the checkpoint; InputError where neither has it."""
        written = getattr(self.keys, key)
        stored = self.source.value(f"{self.keys.tensors}.{key}") if self.keys.tensors is not None else None
        if written is None and isinstance(stored, bool):
            return stored
        if written is None:
            self.missing(key)
        if isinstance(stored, bool) and stored != written:
            raise self.error(
                key,
                f"requires what {self.keys.tensors}.{key} in the checkpoint says, {stored}; found {written}; mend "
                "one of the two",
            )
        return written

    def missing(self, key: str) -> Any:
        raise self.error(key, f"requires a value; found none here or in the checkpoint; add {key}: {_ACCEPTED[key]}")

    def error(self, key: str, why: str) -> InputError:
        return self.file.error((*self.place, key), why)

    def where(self, key: str) -> str:
        return self.error(key, "").where


def _agree(a: Reals, b: Reals) -> bool:
    """Whether two parameters are equal in float32, one of them perhaps being a single number for all."""
    if a.size != 1 and b.size != 1 and a.shape != b.shape:
        return False
    return bool((a.astype(np.float32) == b.astype(np.float32)).all())


def _text(value: Reals) -> str:
    return f"{value.item():g}" if value.size == 1 else f"shape {value.shape}"
