"""The mechanisms of neurons, registered in the order of their stages (see mechanism.py)."""

from tern2lava.compiler.neurons.adaptive import Adaptive
from tern2lava.compiler.neurons.mechanism import MECHANISMS
from tern2lava.compiler.neurons.rearm import Rearm
from tern2lava.compiler.neurons.refractory import Refractory
from tern2lava.compiler.neurons.relay import Relay
from tern2lava.compiler.neurons.signed import Signed

for _mechanism in (Refractory(), Signed(), Rearm(), Adaptive(), Relay()):
    MECHANISMS.add(_mechanism)
