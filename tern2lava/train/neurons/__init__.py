"""Neuron layers over all time steps: a file for each neuron of a framework, in the numbers of its own steps."""

# Each registers its entries of runner.NEURONS.
from tern2lava.train.neurons import alif as alif
from tern2lava.train.neurons import leaky as leaky
from tern2lava.train.neurons import plif as plif
from tern2lava.train.neurons import stateful as stateful
