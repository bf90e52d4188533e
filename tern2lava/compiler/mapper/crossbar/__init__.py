"""Cores whose synapses are the cells of a crossbar."""
