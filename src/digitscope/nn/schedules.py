"""Schedules: the learning rate as a function of the progress of training.

A schedule is called with the step, counted from 0, and the total number of steps. `learning_rate` is always its
highest value.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from digitscope.arguments import check_kind, check_number


@dataclass(frozen=True)
class Schedule(ABC):
    """The learning rate of each step; `learning_rate` is the highest rate that the schedule reaches."""

    learning_rate: float

    def __post_init__(self) -> None:
        check_number(f"{type(self).__name__}'s learning_rate", self.learning_rate)

    def __call__(self, step: int, steps: int) -> float:
        """The learning rate of this step out of `steps`."""
        return self.learning_rate * self.factor(step / steps)

    @abstractmethod
    def factor(self, progress: float) -> float:
        """The learning rate over the highest one, 0 to 1; `progress` goes from 0 to 1."""

    def with_learning_rate(self, learning_rate: float) -> Self:
        """The same schedule with another highest rate."""
        return replace(self, learning_rate=learning_rate)


@dataclass(frozen=True)
class Constant(Schedule):
    """factor = 1

    Derivation: docs/notes/06-descent.md#a-rate-that-changes
    """

    def factor(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay(Schedule):
    """factor = decay^(number of milestones passed); milestones are fractions of the training.

    Derivation: docs/notes/06-descent.md#a-rate-that-changes
    """

    decay: float = 0.1
    milestones: tuple[float, ...] = (0.5, 0.75)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("StepDecay's decay", self.decay, least=0)
        check_kind("StepDecay's milestones", self.milestones, "numbers from 0 to 1", tuple, list)
        for milestone in self.milestones:
            check_number("Each of StepDecay's milestones", milestone)

    def factor(self, progress: float) -> float:
        return self.decay ** sum(progress >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class Cosine(Schedule):
    """factor = final + (1 - final) (1 + cos(pi progress)) / 2.

    Source: Loshchilov and Hutter 2017, equation 5. Derivation: docs/notes/06-descent.md#a-rate-that-changes
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Cosine's final", self.final, least=0)

    def factor(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rises linearly from `start` to 1 over the fraction `warm_up` of the training, then falls linearly to `final`.

    Source: Smith and Topin 2018, "Super-convergence". Derivation: docs/notes/06-descent.md#a-rate-that-changes
    """

    warm_up: float = 0.3
    start: float = 0.04
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("OneCycle's warm_up", self.warm_up, least=0, below=1)
        check_number("OneCycle's start", self.start, least=0)
        check_number("OneCycle's final", self.final, least=0)

    def factor(self, progress: float) -> float:
        if progress < self.warm_up:
            return self.start + (1 - self.start) * progress / self.warm_up
        return self.final + (1 - self.final) * (1 - progress) / (1 - self.warm_up)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Rises linearly from 0 over the fraction `share` of the training; the rest follows the whole schedule `then`.

    Source: Goyal et al. 2017, section 2.2. Derivation: docs/notes/06-descent.md#a-rate-that-changes
    """

    then: Schedule = Constant(1.0)
    share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind("WarmUp's then", self.then, "a Schedule", Schedule)
        check_number("WarmUp's share", self.share, least=0, below=1)

    def factor(self, progress: float) -> float:
        if progress < self.share:
            return progress / self.share
        return self.then.factor((progress - self.share) / (1 - self.share))
