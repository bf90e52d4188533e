"""How far a framework's own membrane potentials can be from the float model's, step by step along the run.

Every framework computes the same equation (ir.Neuron) in an order of its own:
    A  alpha v + g u + bias - owed                        snnTorch; CUBALIFNode; v, u alike
    B  v + q (x - (v - rest)),  v + q ((rest - v) + x)    SpikingJelly with decay_input; Norse; q = 1 - alpha
    C  v - q (v - rest) + x                               SpikingJelly without decay_input
The error of the next potential is
    e' = alpha e + |alpha - fl alpha| |v| + g e_x + |g - fl g| |x| + sum over its operations of u |result|
where fl is rounding to the framework's numbers and an operation counts unless its operands carry no error and its
result is such a number; the largest of the three orders is taken. So e' is 0 where float32 is exact in all of them.
A spike of the recording sets the error to that of the reset value, or adds that of the amount subtracted.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Neuron, Reset
from tern2lava.compiler.ir.shapes import Bools, Reals, Spikes, broadcast, size
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reading.bound_layers import Bounded
from tern2lava.sim.reading.precision import Precision, is_power_of_two
from tern2lava.sim.reference.real import NeuronState

_DERIVED = 8.0
"""Units of roundoff of a number that a framework makes of others: 1 / tau, sigmoid(w), dt * tau_inv."""

Operation = tuple[Reals, Bools, Reals]
"""(result, where it is exact if its operands are, its share in the potential)."""


class NeuronBound:
    """Errors of the states of one neuron layer for a batch, arrays (batch, neurons).

    products: the framework is known to decay by products alone, in order A (snnTorch). Raises UnsupportedError for
    neurons with a mechanism through which no errors are followed here."""

    def __init__(self, neuron: Neuron, batch: int, precision: Precision, products: bool = False) -> None:
        for mechanism in kinds_of(neuron):
            if not mechanism.error_follows():
                raise UnsupportedError(
                    neuron.name, "neurons whose errors in float32 have a bound, to be compared with a framework's run",
                    f"kind {mechanism.name}", "verify without the recorded run",
                )  # fmt: skip

        def flat(value: Reals) -> Reals:
            return broadcast(value, neuron.shape).reshape(1, -1).astype(np.float64)

        self.neuron, self.precision, self.products, lost = neuron, precision, products, precision.lost
        self.alpha_v, self.gain_v = flat(neuron.alpha_v), flat(neuron.gain_v)
        self.alpha_u, self.gain_u = flat(neuron.alpha_u), flat(neuron.gain_u)
        self.bias, self.bias_u = flat(neuron.bias), flat(neuron.bias_u)
        self.amount = flat(neuron.reset_amount)
        self.share = 1.0 - self.alpha_v
        self.rest = np.where(self.share != 0, self.bias / np.where(self.share != 0, self.share, 1.0), 0.0)
        self.lost_alpha_v, self.lost_gain_v = self._decay(self.alpha_v), self._factor(self.gain_v)
        self.lost_alpha_u, self.lost_gain_u = self._decay(self.alpha_u), self._factor(self.gain_u)
        self.lost_bias = self._offset(self.bias, self.rest)
        self.lost_bias_u = self._offset(self.bias_u, self.bias_u)
        self.lost_value, self.lost_amount = lost(flat(neuron.reset_value)), lost(self.amount)
        self.lost_threshold = lost(flat(neuron.level))
        if neuron.threshold_low is not None:
            self.lost_threshold = np.maximum(self.lost_threshold, lost(flat(neuron.threshold_low)))
        self.alpha_a = flat(neuron.alpha_a)
        self.gain_a = None if neuron.gain_a is None else flat(neuron.gain_a)
        self.lost_alpha_a = self._decay(self.alpha_a)
        self.lost_gain_a = np.zeros((1, 1)) if self.gain_a is None else self._factor(self.gain_a)
        count = size(neuron.shape)
        self.e_u: Reals = np.zeros((batch, count))
        self.e_a: Reals = np.zeros((batch, count))
        self.e_v: Reals = np.repeat(lost(flat(neuron.v_init)), batch, axis=0)
        self.a: Reals = np.zeros((1, 1))
        self.given_back: Reals = np.zeros((1, 1))

    # Parameters

    def _decay(self, alpha: Reals) -> Reals:
        """Error of alpha, held as it is or as 1 - alpha, which is 1 / tau."""
        return np.asarray(self.precision.lost(alpha) + self._derived(1.0 - alpha))

    def _factor(self, gain: Reals) -> Reals:
        return np.asarray(self.precision.lost(gain) + self._derived(gain))

    def _derived(self, value: Reals) -> Reals:
        """Error of a number that may have been computed as 1 / tau: exact for powers of two alone."""
        plain = (value == 0) | is_power_of_two(value) | self.products
        return np.where(plain, 0.0, _DERIVED * self.precision.unit * np.abs(value))

    def _offset(self, bias: Reals, rest: Reals) -> Reals:
        exact = (self.precision.lost(bias) == 0) & (self.precision.lost(rest) == 0)
        return np.where(exact, 0.0, _DERIVED * self.precision.unit * np.abs(bias))

    # Steps

    def before(self, state: NeuronState, x: Bounded, parts: list[Bounded]) -> Reals:
        """The error of the potential that meets the threshold in this step, and of the threshold, (batch, neurons).

        state: as the step before left it; x: the summed input; parts: what is summed, for a framework may add each of
        them to the decayed potential first.
        """
        neuron = self.neuron
        batch = x.value.shape[0]
        x_now, e_x = x.value.reshape(batch, -1), x.error.reshape(batch, -1)
        alone = [part.value.reshape(batch, -1) for part in parts] if len(parts) > 1 else []
        u, self.e_u = self._current(state, x_now, e_x, alone)
        spiked, e_before = state.spiked, self.e_v
        if self.gain_a is not None:
            self._adapt(state)
        kept, e_kept = state.v, e_before
        if neuron.reset_delay and neuron.reset is Reset.ZERO:
            kept = np.where(spiked != 0, state.reset_value, kept)
            e_kept = np.where(spiked != 0, self.lost_value, e_kept)
        v, e_v = self._potential(kept, e_kept, u, alone, state)
        if neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            v, e_v = self._subtract(v, e_v, spiked, self.a)
            _, e_kept = self._subtract(kept, e_kept, spiked, self.a)
        if neuron.refractory:
            e_v = np.where(state.held == 0, e_v, e_kept)
        self.e_v = np.asarray(e_v)
        bound = self.e_v + self.lost_threshold
        if self.gain_a is not None:
            risen = np.abs(self.a) + np.abs(state.threshold)
            bound = bound + self.e_a + np.where(self.e_a > 0, self.precision.unit * risen, 0.0)
        if neuron.rearm:
            bound = self._rearmed(state, v, bound, e_before)
        return np.asarray(bound)

    def after(self, state: NeuronState) -> None:
        """Account for the reset of the step that `state` has just made, of the spikes that it was forced to."""
        neuron, spiked = self.neuron, state.spiked
        if neuron.reset_delay:
            return
        if neuron.reset is Reset.ZERO:
            self.e_v = np.where(spiked != 0, self.lost_value, self.e_v)
        elif neuron.reset is Reset.SUBTRACT:
            _, self.e_v = self._subtract(state.v + spiked * self.amount, self.e_v, spiked, 0.0)
            self.e_v = self.e_v + self.given_back

    def _current(self, state: NeuronState, x: Reals, e_x: Reals, alone: list[Reals]) -> tuple[Reals, Reals]:
        """(u', its error)."""
        p, u = self.precision, state.u
        if not (self.alpha_u.any() or self.bias_u.any()) and (self.gain_u == 1).all():
            return x, e_x
        if self.neuron.quantum is not None:
            return state.decayed(u, self.alpha_u) + self.gain_u * x + self.bias_u, self._whole(state, self.e_u) + e_x
        decayed, scaled = self.alpha_u * u, self.gain_u * x
        result = decayed + scaled
        one = np.ones((1, 1))
        operations: list[Operation] = [
            (decayed, p.exact_product(self.alpha_u, u), one),
            (scaled, p.exact_product(self.gain_u, x), one),
            (result, p.exact_sum(decayed, scaled), one),
            (result + self.bias_u, p.exact_sum(result, self.bias_u), one),
        ]
        if (1.0 - self.alpha_u).any() and self.alpha_u.any():
            lost = (1.0 - self.alpha_u) * u
            operations.append((lost, p.exact_product(1.0 - self.alpha_u, u), one))
        operations += [(decayed + part, p.exact_sum(decayed, part), one) for part in alone]
        carried = np.abs(self.alpha_u) * self.e_u + self.lost_alpha_u * np.abs(u)
        carried = carried + np.abs(self.gain_u) * e_x + self.lost_gain_u * np.abs(x) + self.lost_bias_u
        return result + self.bias_u, self._with_rounding(carried, [operations])

    def _potential(
        self, kept: Reals, e_kept: Reals, u: Reals, alone: list[Reals], state: NeuronState
    ) -> tuple[Reals, Reals]:
        """(v' before any subtraction, its error)."""
        p, q, one = self.precision, self.share, np.ones((1, 1))
        if self.neuron.quantum is not None:
            whole = state.decayed(kept, self.alpha_v) + self.gain_v * u + self.bias
            return whole, self._whole(state, e_kept) + self.e_u
        decayed, scaled = self.alpha_v * kept, self.gain_v * u
        joined = decayed + scaled
        result = joined + self.bias
        plain: list[Operation] = [
            (decayed, p.exact_product(self.alpha_v, kept), one),
            (scaled, p.exact_product(self.gain_v, u), one),
            (joined, p.exact_sum(decayed, scaled), one),
            (result, p.exact_sum(joined, self.bias), one),
        ]
        plain += [(decayed + part, p.exact_sum(decayed, part), one) for part in alone]
        orders = [plain]
        if (self.gain_v == 1).all():
            del plain[1]
        if q.any() and not self.products:
            above = kept - self.rest
            aside = (above, p.exact_sum(kept, -self.rest), np.abs(q))
            drive, back = u - above, q * above
            early = u + self.rest
            orders.append([
                aside, (drive, p.exact_sum(u, -above), np.abs(q)), (early, p.exact_sum(u, self.rest), np.abs(q)),
                (q * drive, p.exact_product(q, drive), one), (result, p.exact_sum(kept, q * drive), one),
            ])  # fmt: skip
            less = kept - back
            orders.append([
                aside, (back, p.exact_product(q, above), one), (less, p.exact_sum(kept, -back), one),
                (result, p.exact_sum(less, u), one),
            ])  # fmt: skip
            # B integrates q u, C and A take u as it is.
            shared = bool((self.gain_v == q).all())
            if not (q == 1).all():
                orders = [plain, orders[1] if shared else orders[2]]
        carried = np.abs(self.alpha_v) * e_kept + self.lost_alpha_v * np.abs(kept) + self.lost_bias
        carried = carried + np.abs(self.gain_v) * self.e_u + self.lost_gain_v * np.abs(u)
        return result, self._with_rounding(carried, orders)

    def _with_rounding(self, carried: Reals, orders: list[list[Operation]]) -> Reals:
        """`carried` and the most that the operations of one order add; none of them where all are exact."""
        most = np.zeros((1, 1))
        for operations in orders:
            exact = carried == 0
            for _, alone, _ in operations:
                exact = exact & alone
            added = np.zeros((1, 1))
            for result, _, share in operations:
                added = added + share * self.precision.unit * (np.abs(result) + carried)
            most = np.maximum(most, np.where(exact, 0.0, added))
        return np.asarray(carried + most)

    def _subtract(self, v: Reals, e_v: Reals, spiked: Spikes, a: Reals | float) -> tuple[Reals, Reals]:
        """(v less what a spike owes, its error)."""
        owed = (self.amount + a) * spiked
        result = v - owed
        carried = e_v + (self.lost_amount + self.e_a * (self.gain_a is not None)) * np.abs(spiked)
        exact = (carried == 0) & self.precision.exact_sum(v, -owed)
        rounding = np.where(exact | (spiked == 0), 0.0, self.precision.unit * (np.abs(result) + np.abs(owed) + carried))
        return result, np.asarray(carried + rounding)

    def _adapt(self, state: NeuronState) -> None:
        """The error of the adaptation after this step, whose value `state` is about to compute."""
        assert self.gain_a is not None
        p, a = self.precision, state.a
        decayed, jump = self.alpha_a * a, self.gain_a * state.spiked
        one = np.ones((1, 1))
        carried = np.abs(self.alpha_a) * self.e_a + self.lost_alpha_a * np.abs(a)
        carried = carried + self.lost_gain_a * np.abs(state.spiked)
        self.a = total = decayed + jump
        risen = state.threshold + total
        self.e_a = self._with_rounding(carried, [[
            (decayed, p.exact_product(self.alpha_a, a), one), (total, p.exact_sum(decayed, jump), one),
            (risen, p.exact_sum(state.threshold, total), one),
        ]])  # fmt: skip

    def _rearmed(self, state: NeuronState, v: Reals, bound: Reals, e_before: Reals) -> Reals:
        """The bound where a reset of the old potential is subtracted before the comparison and given back after it."""
        again = state.above(state.v)
        near = (e_before > 0) & (np.abs(state.v - state.threshold) <= e_before + self.lost_threshold)
        exact = (bound == 0) & self.precision.exact_sum(v, -self.amount)
        once = np.where(exact, 0.0, self.lost_amount + self.precision.unit * (np.abs(v) + self.amount + bound))
        self.given_back = np.where(again | near, 2.0 * once, 0.0)
        # Near the threshold it is not known whether the neuron rearms.
        return np.asarray(bound + np.where(again | near, once, 0.0) + np.where(near, self.amount, 0.0))

    def _whole(self, state: NeuronState, error: Reals) -> Reals:
        """The error that is left where a source computes in whole quanta: none while less than half of one."""
        assert state.quantum is not None
        return np.where(error < 0.5 * state.quantum, 0.0, error + state.quantum)
