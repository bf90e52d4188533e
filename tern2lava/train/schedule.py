"""What happens to a network in training besides the steps of its optimiser: blending, projections, frozen codes."""

from __future__ import annotations

import math

from torch import Tensor, nn

from tern2lava.train.ternarize import freeze, set_blend
from tern2lava.train.unroll import Activity, unroll


class Schedule:
    """The schedule of a direct training: ternarised layers go from full precision to ternary over the first epochs,
    and codes no longer change in the last ones.

    epochs: of the whole training. ramp: epochs, not whole ones only, over which layers become ternary. frozen: whole
    epochs at the end in which codes stand still, and scales, batch norm and biases are trained alone. What a schedule
    does follows from the number of the epoch and from what the model's state_dict holds, so that a training that was
    interrupted goes on as if it never was.
    """

    def __init__(self, epochs: int, *, ramp: float = 0.0, frozen: int = 0) -> None:
        self.epochs, self.ramp, self.frozen = epochs, ramp, frozen

    @property
    def moving(self) -> int:
        """The number of epochs in which codes may change."""
        return self.epochs - self.frozen

    @property
    def ternary(self) -> int:
        """The number of whole epochs at the end in which all weights are ternary."""
        return self.epochs - math.ceil(min(self.ramp, self.moving))

    def begin_epoch(self, model: nn.Module, epoch: int) -> None:
        """Called before each epoch, counted from 0."""
        if self.frozen and epoch >= self.moving:
            freeze(model)

    def before_batch(self, model: nn.Module, progress: float) -> None:
        """Called before each batch with the epochs that are done, parts counted."""
        ramp = min(self.ramp, self.moving)
        set_blend(model, min(1.0, progress / ramp) if ramp else 1.0)

    def terms(self, model: nn.Module, epoch: int) -> dict[str, Tensor]:
        """Terms of the loss that the schedule itself asks for."""
        return {}

    def end_epoch(self, model: nn.Module, done: int) -> None:
        """Called after each epoch with the number of those done."""

    def activity(self, model: nn.Sequential, x: Tensor, steps: int | None) -> Activity:
        """What the network does on a batch, as unroll takes it."""
        return unroll(model, x, steps)
