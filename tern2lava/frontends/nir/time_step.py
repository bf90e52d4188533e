"""The time step of a NIR graph, which the format does not store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.nir.file import NEURONS, NirGraph

TIME_CONSTANTS = ("tau", "tau_mem", "tau_syn")
AGREE = 1e-5
"""Relative spread up to which rates stored as float32 count as one."""

WHOLE = 1e-3
"""How far from a whole number of steps a delay may be, in steps."""

DIGITS = 3
"""Significant decimal digits of a time step that people choose: 1e-4, 0.001, 2.5e-4."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The time step in seconds (None where no node needs one), and how it became known."""

    dt: float | None
    notes: tuple[str, ...] = ()


def find_timing(graph: NirGraph, given: float | None, where: object) -> Timing:
    """The time step of `graph`: `given`, or recovered from neurons that were exported from a discrete-time framework.

    Those have r / tau (and w_in / tau_syn) equal to 1 / dt, so that a unit of input raises the state by 1 in a step:
    snnTorch and SpikingJelly write such r. A resistance of 1 says nothing. Recovered is dt only where all neurons that
    say something agree and dt is a number of few digits. Raises InputError where dt is needed and unknown, or longer
    than a time constant.
    """
    rates = _rates(graph)
    found, why = _agreed(rates)
    notes: list[str] = []
    if given is not None:
        if not (np.isfinite(given) and given > 0):
            raise InputError("--dt", f"requires seconds above 0; found {given}; write for example 1e-4")
        if found is not None and abs(found - given) > AGREE * given:
            notes.append(f"dt {given:g} s as given, although r / tau of the file says {found:g} s")
        dt: float | None = given
    elif graph.dt is not None:
        dt = graph.dt
        notes.append(f"dt {dt:g} s from the file's metadata")
    elif found is not None:
        dt = found
        notes.append(f"dt {found:g} s recovered from r / tau of {', '.join(rates)} (--dt overrides it)")
    else:
        dt = None
    needing = [node for node in graph.nodes.values() if _needs_dt(node)]
    if dt is None and needing:
        raise InputError(
            where,
            f"requires a time step for {needing[0].name} ({needing[0].kind}); found none{why}; add --dt "
            "SECONDS, the one it was trained with (1e-4 in snnTorch and SpikingJelly, 1e-3 in Norse, unless "
            "set otherwise)",
        )
    if dt is not None:
        how = f", recovered from r / tau of {', '.join(rates)}" if given is None and graph.dt is None else ""
        _check_stable(graph, dt, how)
        if how:
            _check_delays(graph, dt, how)
    return Timing(dt=dt if needing else None, notes=tuple(notes) if needing else ())


def _needs_dt(node: Hdf5Node) -> bool:
    if node.kind in ("IF", "I"):
        return bool(np.any(node.array("r", infinite=True) != 1))
    return node.kind == "Delay" or (node.kind in NEURONS and node.kind != "Threshold")


def _rates(graph: NirGraph) -> dict[str, Reals]:
    """What each neuron says of 1 / dt."""
    result: dict[str, Array] = {}
    for node in graph.nodes.values():
        if node.kind in ("IF", "I"):
            pairs = [("r", "")]
        elif node.kind in ("LIF", "LI"):
            pairs = [("r", "tau")]
        elif node.kind in ("CubaLIF", "CubaLI"):
            pairs = [("r", "tau_mem"), *([("w_in", "tau_syn")] if "w_in" in node.fields else [])]
        else:
            continue
        said = []
        for gain_key, tau_key in pairs:
            gain = node.array(gain_key, infinite=True)
            tau = node.array(tau_key, infinite=True) if tau_key else np.ones(())
            gain, tau = np.broadcast_arrays(gain, tau)
            speaks = (gain != 1) & np.isfinite(gain) & np.isfinite(tau) & (tau > 0)
            with np.errstate(over="ignore"):
                # What overflows agrees with no other neuron's rate, and the time step is asked for.
                said.append((gain[speaks] / tau[speaks]).reshape(-1))
        values = np.concatenate(said)
        if values.size:
            result[node.name] = values
    return result


def _agreed(rates: dict[str, Reals]) -> tuple[float | None, str]:
    """(dt that all rates agree on, or None; why there is none)."""
    if not rates:
        return None, ""
    values = np.concatenate(list(rates.values()))
    low, high = float(values.min()), float(values.max())
    if low <= 1 or high - low > AGREE * high:
        if low == high:
            return None, ""
        first = min(rates, key=lambda name: float(rates[name].min()))
        last = max(rates, key=lambda name: float(rates[name].max()))
        return None, f" and r / tau does not tell ({low:g} per second of {first}, {high:g} of {last})"
    dt = 1.0 / float(np.median(values))
    plain = float(f"{dt:.{DIGITS - 1}e}")
    if abs(plain - dt) > AGREE * dt:
        return None, f" and r / tau does not tell ({high:g} per second is no usual rate)"
    return plain, ""


def _check_stable(graph: NirGraph, dt: float, how: str) -> None:
    """Raise InputError for a time constant below the time step, naming both."""
    for node in graph.nodes.values():
        for key in TIME_CONSTANTS:
            if node.kind in NEURONS and key in node.fields:
                least = float(node.array(key, infinite=True).min())
                if least < dt * (1 - 1e-6):
                    raise InputError(
                        f"{node.name}.{key}",
                        f"requires at least the time step of {dt:g} s{how}; found {least:g} s; give the right --dt",
                    )


def _check_delays(graph: NirGraph, dt: float, how: str) -> None:
    """Raise InputError for a delay that is no whole number of steps of a recovered time step, naming both."""
    for node in graph.nodes.values():
        if node.kind == "Delay":
            steps = node.array("delay").reshape(-1) / dt
            wrong = np.abs(steps - np.rint(steps)) > WHOLE
            if wrong.any():
                raise InputError(
                    f"{node.name}.delay",
                    f"requires whole time steps of {dt:g} s{how}; found {steps[wrong][0] * dt:g} s; give the right "
                    "--dt, for these fields contradict each other",
                )
