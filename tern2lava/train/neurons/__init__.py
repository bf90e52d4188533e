"""Neuron layers over all time steps: a file for each neuron of a framework, in the numbers of its own steps."""

from tern2lava.train.neurons import leaky as leaky  # registers its entry of runner.NEURONS
