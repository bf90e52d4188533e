"""Trained ternary networks that ship with tern2lava, registered in the order in which docs/zoo.md lists them.

    from tern2lava.zoo import ZOO

    with ZOO.get("mlp").files() as files:
        network = tern2lava.compile(files.weights, "loihi2", net=files.net)

`tern2lava demo --list` lists them; `tern2lava demo --net NAME` compiles, verifies and reports them.
"""

from tern2lava.zoo.nets import DIGITS, ZOO, ZooFiles, ZooNet, chosen

__all__ = ["DIGITS", "ZOO", "ZooFiles", "ZooNet", "chosen"]
