"""Averages of the weights over the steps. They are better than the last weights, because the steps' noise cancels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from digitscope.arguments import check_number
from digitscope.errors import TrainingError
from digitscope.nn import Params


class Averaging(ABC):
    """average <- average + rate (w - average) after each step, with a rate that depends on the step."""

    @abstractmethod
    def rate(self, step: int, steps: int) -> float:
        """The share that the weights after `step` (from 0) of `steps` have in the average; 1 keeps only them."""


@dataclass(frozen=True)
class ExponentialAverage(Averaging):
    """The mean of the weights after all steps, weighted by decay^k for those of k steps ago.

    average_t = sum_k decay^k w_(t-k) / sum_k decay^k, whose rate is (1 - decay) / (1 - decay^(t+1))

    Source: Polyak and Juditsky 1992; with decay as in Tarvainen and Valpola 2017.
    """

    decay: float

    def __post_init__(self) -> None:
        check_number("ExponentialAverage's decay", self.decay, error=TrainingError)
        if not 0 <= self.decay < 1:
            raise TrainingError(f"ExponentialAverage expects a decay from 0 to below 1; got {self.decay}.")

    def rate(self, step: int, steps: int) -> float:
        return (1 - self.decay) / (1 - self.decay ** (step + 1))


@dataclass(frozen=True)
class TailAverage(Averaging):
    """The mean of the weights after each of the last steps; `share` is their share of all steps.

    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima".
    """

    share: float

    def __post_init__(self) -> None:
        check_number("TailAverage's share", self.share, error=TrainingError)
        if not 0 <= self.share <= 1:
            raise TrainingError(f"TailAverage expects a share of the steps, from 0 to 1; got {self.share}.")

    def rate(self, step: int, steps: int) -> float:
        first = round((1 - self.share) * steps)
        return 1 / max(1, step - first + 1)


def add_to_average(average: Params, params: Params, rate: float) -> None:
    """Updates the average, in place."""
    for name, mean in average.items():
        if rate == 1.0:
            mean[...] = params[name]
        else:
            difference = params[name] - mean
            difference *= rate
            mean += difference
