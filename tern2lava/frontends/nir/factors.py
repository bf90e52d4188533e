"""The factors of one forward Euler step of a NIR neuron, at the precision in which its time constants are stored."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5_node import Hdf5Node

_EPS32, _EPS64 = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)
_ROUNDINGS = 2 * _EPS32
"""Relative error of dt / tau where tau is float32: the exporter rounded 1 - decay, dt, the quotient, and we dt / tau,
half an eps each."""
_FEW = 8
"""Roundings up to which a gain counts as 1, in eps of its precision."""
_GRIDS = (*(2.0**n for n in range(13)), *(10.0**n for n in range(1, 5)))
"""Denominators of simple numbers: up to 4096, the unit of Lava's decays, and decimals of up to 4 digits. Two different
ones with denominators of up to 4096 and 1000 lie 1 / 512,000 apart, the intervals searched are at most 6e-7 long."""


def euler_factors(node: Hdf5Node, tau_key: str, gain_key: str, dt: float) -> tuple[Reals, Reals, Reals]:
    """(decay 1 - dt / tau, gain `gain_key` dt / tau, rate dt / tau) of forward Euler: what a state keeps of itself in a
    step, takes of its input, takes of its leak. A missing gain field is 1.

    float64: decays within 2e-15 of a float32 number are that number (no other comes so near by chance), gains within
    8 eps of 1 are 1.

    float32 (the array's type, or all its values are float32 numbers): the exporter's module held one float32 parameter,
    from which tau was computed with a few roundings of 2^-24 each. Where the gain is 1 but for rounding (snnTorch: tau
    = dt / (1 - beta), r = tau / dt) the parameter is the decay; else (Norse: tau = dt / (dt tau_inv)) it is the rate.
    Read is the float32 number next to the simple value within the rounding interval: a fraction of a denominator up to
    4096 that is a power of two, a decimal of up to 4 digits, or the decay of a time constant of a whole number of
    eighths of a step or of 3 digits, in this order. So 0.5 is 0.5 exactly, and 0.9 is the float32 0.9 that the module
    has. Where there is no simple value, it is what an importing framework computes in float32: 1 - dt / tau, or dt /
    tau. (In an array of float64 the simple value is not rounded to float32, and what is not simple is computed in
    float64.)

    A neuron whose tau and gain are both infinite (exported with a decay of 1) takes 1 of its input. Raises InputError
    where only the gain is infinite.
    """
    tau = node.array(tau_key, infinite=True)
    given = node.array(gain_key, infinite=True) if gain_key in node.fields else np.ones(())
    rate = np.minimum(dt / tau, 1.0)
    with np.errstate(invalid="ignore"):
        gain = np.where(np.isinf(tau) & np.isinf(given), 1.0, given * dt / tau)
    if np.any(~np.isfinite(gain)):
        raise InputError(
            f"{node.name}.{gain_key}",
            f"requires a finite number where {tau_key} is; found infinity; repair the network",
        )
    single = node.stored(tau_key) == np.float32
    eps = _EPS32 if single or (gain_key in node.fields and node.stored(gain_key) == np.float32) else _EPS64
    unit = np.abs(gain - 1.0) <= _FEW * eps
    if single or np.array_equal(tau, tau.astype(np.float32)):
        unit = np.abs(gain - 1.0) <= _FEW * _EPS32
        held = _held_decay(rate, tau, dt, stored=single)
        rates = _held_rate(rate, tau, dt, stored=single)
        decay = np.where(unit, held, 1.0 - rates)
        rate = np.where(unit, 1.0 - held, rates)
        with np.errstate(invalid="ignore"):
            product = np.where(unit, 1.0, given * rates)
        gain = _chosen(_simple(product, _ROUNDINGS * np.abs(gain)), product, stored=single)
    else:
        decay = 1.0 - rate
        near = decay.astype(np.float32).astype(np.float64)
        decay = np.where(np.abs(near - decay) <= 2e-15, near, decay)
        rate = 1.0 - decay
    return np.asarray(decay), np.asarray(np.where(unit, 1.0, gain)), np.asarray(rate)


def rate_factor(node: Hdf5Node, gain_key: str, dt: float | None) -> Reals:
    """`gain_key` dt, what an IF neuron takes of its input in a step; 1 where it is 1 but for rounding, and where it is
    stored as 1. Stored in float32 it is the simple value within its rounding, where there is one."""
    given = node.array(gain_key, infinite=True)
    if dt is None:
        return np.ones_like(given)
    gain = given * dt
    if np.any(~np.isfinite(gain)):
        raise InputError(f"{node.name}.{gain_key}", "requires a finite number; found infinity; repair the network")
    single = node.stored(gain_key) == np.float32
    near = np.abs(gain - 1) <= _FEW * (_EPS32 if single else _EPS64)
    if single:
        gain = _chosen(_simple(gain, _ROUNDINGS * np.abs(gain)), gain, stored=True)
    return np.asarray(np.where(near | (given == 1), 1.0, gain))


def _held_decay(rate: Reals, tau: Reals, dt: float, *, stored: bool) -> Reals:
    """The float32 decay from which an exporter computed tau: half a last bit of its own, and the roundings of tau."""
    decay = 1.0 - rate
    own = np.spacing(np.maximum(decay, 2.0**-24).astype(np.float32)).astype(np.float64) / 2
    slack = own + _ROUNDINGS * rate
    found = _simple(decay, slack)
    found = np.where(np.isnan(found), 1.0 - _by_steps(rate, slack), found)
    with np.errstate(divide="ignore"):
        plain = np.float32(1) - np.float32(dt) / tau.astype(np.float32) if stored else decay
    return _chosen(found, np.maximum(plain, 0).astype(np.float64), stored=stored)


def _held_rate(rate: Reals, tau: Reals, dt: float, *, stored: bool) -> Reals:
    """The float32 rate from which an exporter computed tau."""
    found = _simple(rate, _ROUNDINGS * rate)
    found = np.where(np.isnan(found), _by_steps(rate, _ROUNDINGS * rate), found)
    with np.errstate(divide="ignore"):
        plain = np.float32(dt) / tau.astype(np.float32) if stored else rate
    return _chosen(found, np.minimum(plain, 1).astype(np.float64), stored=stored)


def _simple(value: Reals, slack: Reals) -> Reals:
    """For each value the first fraction of a grid within its slack, NaN where there is none."""
    result = np.full(value.shape, np.nan)
    for grid in _GRIDS:
        near = np.rint(value * grid) / grid
        result = np.where(np.isnan(result) & (np.abs(near - value) <= slack), near, result)
    return result


def _by_steps(rate: Reals, slack: Reals) -> Reals:
    """For each rate 1 / s within its slack, s a whole number of eighths or a number of 3 digits; NaN where none is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = 1.0 / rate
        digits = 10.0 ** (2 - np.floor(np.log10(steps)))
        result = np.full(rate.shape, np.nan)
        for near in (np.rint(steps * 8) / 8, np.rint(steps * digits) / digits):
            found = np.isnan(result) & (steps < 1024) & (np.abs(1.0 / near - rate) <= slack)
            result = np.where(found, 1.0 / near, result)
    return result


def _chosen(found: Reals, otherwise: Reals, *, stored: bool) -> Reals:
    """`found`, or the float32 number next to it where the array is `stored` so; `otherwise` where `found` is NaN or
    float64 rounding away from it."""
    if stored:
        return np.where(np.isnan(found), otherwise, found.astype(np.float32).astype(np.float64))
    return np.where(np.isnan(found) | (np.abs(found - otherwise) <= 2e-15), otherwise, found)
