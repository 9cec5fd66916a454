"""Thresholds for the use of threads and worker processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Minimum amounts of work for which parallel computation is faster. They only affect time, never a result's bits.

    The defaults were measured on two cores (docs/log.md, "Speed").
    """

    split_parameters: int = 1 << 17
    """Minimum parameter count for splitting the gradient sum and update across threads."""
    flops_per_byte: float = 100
    """Minimum floating-point operations of a training step for each byte of weights and gradients that is transferred
    to and from a worker process."""
    flops_per_worker: float = 1e11
    """Minimum floating-point operations left in a training (about one second) for starting worker processes."""
    blas_trials: int = 15
    """Maximum number of pairs of steps that are timed to choose the number of BLAS threads."""
    blas_trial_seconds: float = 1.0
    """Time limit for these trials; at least one pair is timed."""
    blas_time_ratio: float = 0.95
    """BLAS uses all threads if a step then takes less than this share of its time with one thread."""
