"""Columns of the integer tables that describe populations and projections to the kernels."""

from __future__ import annotations

from tern2lava.sim.engine import conv

# Columns of the table of populations; PLACE is where its neurons begin in a row of spikes or states.
# DISTINCT: how many sets of parameters they have, one, one per channel or one per neuron. STEP: the way of stepping.
START, NEURONS, PLACE, STATES, FIRST, LAST, PARAMETERS_AT, DISTINCT, STEP, RESET = range(10)
REFRACTORY, REARM, SIGNED, ADAPTIVE = range(10, 14)
# What decays add to a magnitude before they cut it: 2^(D - 1) where they round to nearest, else 0.
HALF = 14
POPULATION_FIELDS = 15
# Columns of the table of projections. SHIFT: a source's step minus the target's. LIMIT: with fewer spikes per row than
# this, summing spike by spike is faster. ADD: the way of summing. The weights see SEEN values: spikes of 0 and 1 as
# they are, or else (LEVELS) what is pooled over windows, signed (SIGN), or has values of up to MAGNITUDE bits.
FROM_INPUT, SOURCE_AT, SOURCE_SIZE, SHIFT, ADD, LIMIT = range(6)
WORDS, PLANES_AT, DIGITS, CODES_AT, FLUSH, GAIN_AT = range(6, 12)
OUTPUTS, SEEN, SIGN, MAGNITUDE, POOL_CHANNELS, POOL_HEIGHT, POOL_WIDTH, WINDOW_Y, WINDOW_X, WINDOW_AT = range(12, 22)
# ROWS_AT, STRIDE: bits of a source's codes by source, and words from one to the next (0: codes of more than two bits).
ROWS_AT, STRIDE = 22, 23
CONV_AT = 24
PROJECTION_FIELDS = CONV_AT + conv.FIELDS

# Ways of summing and stepping, in the order of a group's addresses.
DENSE, CONV, DENSE_LEVELS, CONV_LEVELS, ALIKE, EACH, FURTHER = range(7)
WAYS = 7
