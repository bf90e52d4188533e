"""The entries of a net.yaml for the units of a checkpoint: what the file says, and marks for what it does not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tern2lava.compiler.ir.shapes import Shape
from tern2lava.files.yaml_text import MARK
from tern2lava.frontends.files.checkpoint import Checkpoint
from tern2lava.frontends.files.stored_forms import FACTORS, is_zero
from tern2lava.frontends.inspect.draft.choices import RESET_DELAY, neuron_choices, place_choices, weight_choices
from tern2lava.frontends.inspect.draft.units import PARAMETRIZED, Kind, Unit
from tern2lava.frontends.inspect.facts import TensorFacts
from tern2lava.frontends.inspect.ternary import Form

KINDS = {2: "dense", 3: "conv1d", 4: "conv2d"}
SCALES = ("scale", "alpha", "step", "delta", "gamma")
LEARNED = f"{PARAMETRIZED.lstrip('.')}weight.0.log_alpha"
QUIET = ("num_batches_tracked", "graded_spikes_factor", "reset_mechanism_val")
_SNNTORCH = {(False, False): "leaky", (True, False): "synaptic", (False, True): "rleaky", (True, True): "rsynaptic"}
_RESETS = ("subtract", "zero", "none")


@dataclass(eq=False)
class Writer:
    """Writes entries as lines. facts: of each tensor by its name without prefix; told: choices that were written out
    once; unplaced: tensors of which no entry speaks."""

    checkpoint: Checkpoint
    facts: dict[str, TensorFacts]
    transposed: bool = False
    told: set[str] = field(default_factory=set)
    unplaced: list[str] = field(default_factory=list)

    def lines(self, unit: Unit) -> list[str]:
        """The lines of a unit's entry; none for one that is no layer."""
        match unit.kind:
            case Kind.WEIGHT:
                return self.weight(unit)
            case Kind.BATCHNORM:
                return self.batchnorm(unit)
            case Kind.SNNTORCH:
                return self.snntorch(unit)
            case Kind.PLIF:
                return self.spikingjelly(unit, "plif")
            case Kind.NEURON:
                held = ", ".join(unit.tensors.values())
                return self.neuron_mark(unit.name, f"The file holds {held}: write these names for their numbers.")
            case Kind.RECURRENT:
                return self.recurrent(unit)
            case Kind.MODULE:
                return self.module(unit)
            case Kind.GAP:
                return self.place_mark(f"{unit.name}: a module without tensors")
            case Kind.OTHER:
                self.unplaced += unit.tensors.values()
                return []

    def neuron_mark(self, name: str, why: str) -> list[str]:
        """An entry of neurons of which the file says nothing."""
        lines = ["  - neuron: " + MARK, *comments([why])]
        return lines + self.once("neuron", "One of these, with the network's numbers:", neuron_choices())

    def place_mark(self, why: str) -> list[str]:
        """An entry for something that has no tensors."""
        lines = [f"  - {MARK}", *comments([f"{why}. Neurons, or what else stands here:"])]
        lines += self.once("place", "", place_choices())
        return lines + self.once("neuron", "neuron: one of these, with the network's numbers", neuron_choices())

    def once(self, key: str, head: str, choices: list[str]) -> list[str]:
        """Choices written out, or that they stand above."""
        if key in self.told:
            return comments([f"(choices of {'neurons' if key == 'neuron' else 'others'} as above)"])
        self.told.add(key)
        return comments([*([head] if head else []), *(f"  {choice}" for choice in choices)])

    def weight(self, unit: Unit) -> list[str]:
        """A dense layer or a convolution."""
        leaf = unit.matrix
        shape = unit.shapes[leaf]
        kind = KINDS[len(shape)]
        used = {leaf, "bias"}
        keys: list[str] = []
        notes: list[str] = []
        full = unit.tensors[leaf]
        scale = [other for other in unit.tensors if any(word in other for word in SCALES) and other not in used]
        integers = self.facts[full].dtype.startswith(("int", "uint")) if full in self.facts else False
        if PARAMETRIZED.lstrip(".") in leaf and LEARNED in unit.tensors:
            keys.append(f"tensors: {quoted(unit.name)}")
            used |= set(unit.tensors)
        elif integers and len(scale) == 1 and (code := coded(unit, leaf, scale[0])):
            known = scale[0] in (*FACTORS, f"{leaf}_scale", f"{leaf}_scales")
            keys.append(f"weight: {quoted(code) if known else MARK}")
            notes += [] if known else [f"{code}  in double quotes, where {unit.tensors[scale[0]]} is their scale"]
            notes.append(f"or / instead of *, where {unit.tensors[scale[0]]} is a divisor")
            used |= {scale[0], *(other for other in unit.tensors if is_zero(leaf, other))}
        elif {"weight_orig", "weight_mask"} <= set(unit.tensors):
            masked = f"t('{unit.tensors['weight_orig']}') * t('{unit.tensors['weight_mask']}')"
            keys.append(f"weight: {quoted(masked)}")
            used |= {"weight_orig", "weight_mask"}
        elif self.ternary(full):
            plain = leaf == "weight" and unit.dotted
            keys.append(f"tensors: {quoted(unit.name)}" if plain else f"weight: {quoted(full)}")
        else:
            keys.append(f"weight: {MARK}")
            notes.append("the stored numbers are not ternary: say what the forward makes of them, in double quotes")
            notes += [f"  {choice}" for choice in weight_choices(full, len(shape))]
            notes += [f"  with t('{unit.tensors[other]}')" for other in scale]
            used |= set(scale)
        if "bias" in unit.tensors and not keys[0].startswith("tensors"):
            keys.append(f"bias: {quoted(unit.tensors['bias'])}")
        if kind == "dense" and self.transposed:
            keys.append("transpose: true")
        if kind != "dense":
            keys += self.geometry(unit, kind, shape)
        self.unplaced += [full for other, full in unit.tensors.items() if other not in used]
        if unit.cls and unit.cls.partition(".")[0] not in ("torch", "spikingjelly"):
            own = {key: value for key, value in unit.values.items() if key.isidentifier()}
            notes += [f"its module says {key} = {value!r}" for key, value in list(own.items())[:8]]
        said = f"{'x'.join(map(str, shape))}{self.form(full)}{f', class {unit.cls}' if unit.cls else ''}"
        return [f"  - {kind}:  # {printed(unit.name)}: {said}", *(f"      {key}" for key in keys), *comments(notes)]

    def ternary(self, full: str) -> bool:
        """Whether the stored numbers can be compiled as they are."""
        facts = self.facts.get(full)
        return (
            facts is not None and facts.ternary is not None and facts.ternary.form not in (Form.OTHER, Form.NOT_FINITE)
        )

    def form(self, full: str) -> str:
        facts = self.facts.get(full)
        return f", {facts.ternary.form.value}" if facts is not None and facts.ternary is not None else ""

    def geometry(self, unit: Unit, kind: str, shape: Shape) -> list[str]:
        """Stride, padding, dilation and groups: those of the pickled module, else marks."""
        defaults = {"stride": "1", "padding": "0", "dilation": "1", "groups": "1"}
        if unit.values.get("transposed") or unit.values.get("padding_mode", "zeros") != "zeros":
            return [f"padding: {MARK}  # it is transposed, or pads with other than zeros: docs/net-yaml.md has neither"]
        found = {key: sizes(unit, key) for key in defaults}
        kernel = "x".join(map(str, shape[2:]))
        choices = {
            "stride": f"torch's default: 1 (the kernel is {kernel})",
            "padding": f"torch's default: 0; same keeps the size; {shape[-1] // 2} does at stride 1",
            "dilation": "torch's default; a state_dict does not say",
            "groups": "torch's default; the file does not say",
        }
        lines = []
        for key, default in defaults.items():
            if found[key] is not None:
                value = found[key] or default
                lines += [f"{key}: {value}"] if value != default else []
            elif key in ("stride", "padding"):
                lines.append(f"{key}: {MARK}  # {choices[key]}")
            else:
                lines.append(f"{key}: {default}  # {choices[key]}")
        return lines

    def batchnorm(self, unit: Unit) -> list[str]:
        eps = unit.values.get("eps")
        lines = [f"  - batchnorm:  # {printed(unit.name)}", f"      tensors: {quoted(unit.name)}"]
        if not isinstance(eps, float):
            return [*lines, "      eps: 1.0e-5  # torch's default, which a state_dict does not say"]
        return lines

    def snntorch(self, unit: Unit) -> list[str]:
        """One of snnTorch's neurons, which store all but reset_delay."""
        leaves = set(unit.tensors)
        again = any(leaf.startswith("recurrent.") or leaf == "V" for leaf in leaves)
        kind = _SNNTORCH["alpha" in leaves, again]
        name = unit.tensors["reset_mechanism_val"]
        facts = self.facts.get(name)
        index = None if facts is None or facts.smallest != facts.largest else facts.smallest
        reset = _RESETS[int(index)] if index in (0, 1, 2) else "unknown"
        lines = [f"  - neuron:  # {printed(unit.name)}: snnTorch, reset {reset}", f"      kind: {kind}"]
        lines.append(f"      tensors: {quoted(unit.name)}")
        delay = unit.values.get("reset_delay")
        if isinstance(delay, bool):
            lines.append(f"      reset_delay: {str(delay).lower()}")
        elif reset != "none":
            lines.append(f"      reset_delay: {MARK}  # {RESET_DELAY}")
        lines.append("      fire: gt")
        if kind == "synaptic":
            lines += comments(["snnTorch's Alpha stores the same tensors; it is no kind of net.yaml"])
        if "beta" not in leaves:
            return self.neuron_mark(unit.name, f"a neuron of snnTorch that stores {', '.join(leaves)}")
        return lines

    def spikingjelly(self, unit: Unit, kind: str) -> list[str]:
        """One of SpikingJelly's neurons: what a pickled one says, or marks."""
        said = unit.values
        lines = [f"  - neuron:  # {printed(unit.name)}: SpikingJelly", f"      kind: {kind}"]
        if kind == "plif":
            lines.append(f"      tensors: {quoted(unit.name)}")
        if kind == "lif":
            lines.append(f"      tau: {number(said.get('tau'), '2.0 is the default')}")
        if kind != "if":
            lines.append(f"      decay_input: {flag(said.get('decay_input'))}")
        lines.append(f"      threshold: {number(said.get('v_threshold'), 'v_threshold: 1.0 is the default')}")
        if "v_reset" not in said:
            lines.append(f"      reset: {MARK}  # zero (v_reset=0.0, the default) | subtract (v_reset=None)")
        elif said["v_reset"] is None or said["v_reset"] == 0:
            lines.append(f"      reset: {'subtract' if said['v_reset'] is None else 'zero'}")
        else:
            value = number(said["v_reset"], "v_reset")
            own = ("reset_value", "v_init", *(("v_rest",) if kind != "if" else ()))
            lines += ["      reset: value", *(f"      {key}: {value}" for key in own)]
        return [*lines, "      reset_delay: false", "      fire: ge"]

    def recurrent(self, unit: Unit) -> list[str]:
        """Norse's recurrent cells: weights of the input, neurons, weights of their own spikes."""
        given, own = unit.tensors["input_weights"], unit.tensors["recurrent_weights"]
        return [
            f"  - dense:  # {printed(unit.name)}: Norse, input weights", f"      weight: {quoted(given)}",
            *self.neuron_mark(
                unit.name, f"Its spikes come back: add recurrent: {{dense: {{weight: {quoted(own)}}}}} to the entry."
            ),
        ]  # fmt: skip

    def module(self, unit: Unit) -> list[str]:
        """A pickled module without tensors, by its class."""
        name = unit.cls.rpartition(".")[2]
        framework = unit.cls.partition(".")[0]
        if framework == "spikingjelly" and name in ("IFNode", "LIFNode"):
            return self.spikingjelly(unit, "if" if name == "IFNode" else "lif")
        plain = framework in ("torch", "spikingjelly")
        if plain and name == "Flatten" and unit.values.get("start_dim") == 1 and unit.values.get("end_dim") == -1:
            return [f"  - flatten  # {printed(unit.name)}"]
        if plain and (name.startswith("Dropout") or name == "Identity"):
            return [f"  - dropout  # {printed(unit.name)}: {name}, nothing at inference"]
        whole = not unit.values.get("ceil_mode") and unit.values.get("divisor_override") is None
        counted = unit.values.get("count_include_pad", True) or unit.values.get("padding") == 0
        if plain and name in ("AvgPool2d", "MaxPool2d") and whole and counted and sizes(unit, "kernel_size"):
            lines = [f"  - {name[:3].lower()}pool:  # {printed(unit.name)}"]
            for key, said in (("kernel", "kernel_size"), ("stride", "stride"), ("padding", "padding")):
                lines += [f"      {key}: {value}"] if (value := sizes(unit, said)) else []
            return lines
        if framework == "torch" and name in ("ModuleList", "ModuleDict", "Sequential"):
            return []
        return self.place_mark(f"{printed(unit.name)}: of class {printed(unit.cls)}, without tensors")


def coded(unit: Unit, leaf: str, scale: str) -> str | None:
    """The expression of integer codes times a scale, counted from a zero point where there is one: of the tensor, or of
    each row; None for other shapes."""
    codes, factor = f"t('{unit.tensors[leaf]}')", spread(unit, leaf, scale)
    zeros = [other for other in unit.tensors if is_zero(leaf, other)]
    if factor is None or not zeros:
        return None if factor is None else f"{codes} * {factor}"
    zero = spread(unit, leaf, zeros[0]) if len(zeros) == 1 else None
    return None if zero is None else f"dequantize({codes}, {factor}, zero_point={zero})"


def spread(unit: Unit, leaf: str, part: str) -> str | None:
    """The tensor `part` spread along the axes of the codes `leaf`: one number, or one for each row."""
    written, shape, of = f"t('{unit.tensors[part]}')", unit.shapes[leaf], unit.shapes[part]
    if all(size == 1 for size in of):
        return f"reshape({written}, [{', '.join('1' * len(shape))}])" if of else written
    if of == shape[:1]:
        return f"reshape({written}, [{', '.join(['-1', *'1' * (len(shape) - 1)])}])"
    fits = len(of) == len(shape) and all(a in (1, b) for a, b in zip(of, shape, strict=True))
    return written if fits else None


def sizes(unit: Unit, key: str) -> str | None:
    """A size of a pickled module, a number or [y, x]; None where it says none."""
    one = unit.values.get(key)
    if isinstance(one, str):
        return {"same": "same", "valid": "0"}.get(one, MARK)
    parts = [unit.values.get(f"{key}.{axis}") for axis in (0, 1)] if one is None else [one]
    whole = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    if not whole:
        return None
    return str(whole[0]) if len(set(whole)) == 1 else f"[{', '.join(map(str, whole))}]"


def number(value: object, choice: str) -> str:
    """A number of a pickled module, else a mark."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)) if known else f"{MARK}  # {choice}"  # type: ignore[arg-type]


def flag(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{MARK}  # true (the default: x / tau) | false"


def quoted(text: str) -> str:
    """`text` as a YAML value."""
    return json.dumps(text, ensure_ascii=False)


def printed(text: str) -> str:
    """`text` in a comment."""
    return text if text.isprintable() else repr(text)


def comments(lines: list[str]) -> list[str]:
    """`lines` as comments below an entry."""
    return [f"    # {line}" for line in lines]
