"""Columns of the integer tables that describe populations and projections to the kernels."""

from __future__ import annotations

from tern2lava.sim.engine import conv

# Columns of the table of populations; PLACE is where its neurons begin in a row of spikes or states.
# DISTINCT: how many sets of parameters they have, one, one per channel or one per neuron.
START, NEURONS, PLACE, STATES, FIRST, LAST, PARAMETERS_AT, DISTINCT, BLOCK, RESET = range(10)
FURTHER, REFRACTORY, REARM, SIGNED, ADAPTIVE = range(10, 15)
POPULATION_FIELDS = 15
# Columns of the table of projections. SHIFT: a source's step minus the target's. LIMIT: with fewer spikes per row than
# this, summing spike by spike is faster. PLAIN: the weights see spikes of 0 and 1 as they are, SEEN of them; else the
# source is pooled over windows, signed (SIGN), or has values of up to MAGNITUDE bits.
FROM_INPUT, SOURCE_AT, SOURCE_SIZE, SHIFT, IS_CONV, LIMIT = range(6)
WORDS, PLANES_AT, DIGITS, CODES_AT, FLUSH, GAIN_AT = range(6, 12)
PLAIN, SEEN, SIGN, MAGNITUDE, POOL_CHANNELS, POOL_HEIGHT, POOL_WIDTH, WINDOW_Y, WINDOW_X, WINDOW_AT = range(12, 22)
CONV_AT = 22
PROJECTION_FIELDS = CONV_AT + conv.FIELDS
