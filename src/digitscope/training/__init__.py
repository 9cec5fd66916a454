"""How a network learns: the step, the training as a generator of results, checkpoints, evaluation."""

from digitscope.training.averaging import Averaging, ExponentialAverage, TailAverage
from digitscope.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from digitscope.training.inference import evaluate, network_outputs
from digitscope.training.loop import train, train_step
from digitscope.training.parallel.device import device_of, to_device
from digitscope.training.parallel.shards import Augmentation
from digitscope.training.parallel.threads import default_threads, thread_count
from digitscope.training.parallel.thresholds import Thresholds
from digitscope.training.results import Epoch, SingleStep, Step, recent_mean
from digitscope.training.run import HISTORY_COLUMNS, Plan, Run, measure_statistics
from digitscope.training.snapshots import SNAPSHOTS, Snapshot, is_snapshot_due, stack_snapshots

__all__ = [
    "HISTORY_COLUMNS",
    "SNAPSHOTS",
    "Augmentation",
    "Averaging",
    "Checkpoint",
    "Epoch",
    "ExponentialAverage",
    "Plan",
    "Run",
    "SingleStep",
    "Snapshot",
    "Step",
    "TailAverage",
    "Thresholds",
    "default_threads",
    "device_of",
    "evaluate",
    "is_snapshot_due",
    "load_checkpoint",
    "measure_statistics",
    "network_outputs",
    "recent_mean",
    "save_checkpoint",
    "stack_snapshots",
    "thread_count",
    "to_device",
    "train",
    "train_step",
]
