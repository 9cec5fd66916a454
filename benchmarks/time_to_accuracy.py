"""Seconds of training to 98, 99 and 99.5 % test accuracy on MNIST, compared with PyTorch, epoch by epoch in turn.

    uv run python -m benchmarks.time_to_accuracy --torch PYTHON --recipe convnet --seeds 1 2 3
    uv run python -m benchmarks.time_to_accuracy --torch PYTHON --recipe fast \\
        --against "conv24x5 pool conv32x3 pool 256 10" --seeds 1 2 3 4 5

PyTorch trains the same recipe, or the one that --against names: the same initial weights, images, order, augmentation
(our function, on all threads; its share of PyTorch's seconds is printed), schedule, label smoothing and averaged
weights. Both are evaluated on the test images after each epoch, untimed, and nothing is chosen by the results.
"""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.machine import machine
from benchmarks.networks import NETWORKS
from benchmarks.rounds import Peer, arguments, start

LEVELS = (0.98, 0.99, 0.995)
Curve = list[dict[str, float]]
"""A peer's answers after each epoch."""


def mean_and_spread(values: Sequence[float], digits: int) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}"


def median_time(curves: Sequence[Curve], level: float) -> str:
    """The median seconds to the end of the first epoch with this accuracy, over the runs that reach it."""
    reached = [next((e["seconds"] for e in curve if e["accuracy"] >= level), None) for curve in curves]
    seconds = [value for value in reached if value is not None]
    if not seconds:
        return "not reached"
    return f"{statistics.median(seconds):.1f} s ({len(seconds)} of {len(curves)} runs)"


def main() -> None:
    parser = arguments(__doc__, torch_required=True)
    parser.add_argument("--recipe", required=True, choices=NETWORKS, metavar="NAME")
    parser.add_argument(
        "--against", choices=NETWORKS, metavar="NAME", help="recipe that PyTorch trains; by default the same"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument(
        "--epochs", type=int, help="number of epochs instead of the recipe's; the schedule is compressed"
    )
    options = parser.parse_args()
    against = options.against or options.recipe
    print(machine())
    with ExitStack() as stack:
        ours = Peer("digitscope", options.recipe, quick=options.quick)
        theirs = Peer("PyTorch", against, python=options.torch, quick=options.quick)
        peers = ours, theirs
        start(stack, peers)
        print(f"    digitscope: {options.recipe}")
        print(f"    PyTorch: {against}, {theirs.ask('tune', task='learn')}", flush=True)
        curves: dict[str, list[Curve]] = {peer.name: [] for peer in peers}
        for seed in options.seeds:
            epochs = [peer.ask("begin", seed=seed, epochs=options.epochs) for peer in peers]
            for peer in peers:
                curves[peer.name].append([])
            for epoch in range(max(epochs)):
                for peer, own in zip(peers, epochs, strict=True):
                    if epoch < own:
                        curves[peer.name][-1].append(peer.ask("epoch"))
            ends = {name: runs[-1][-1] for name, runs in curves.items()}
            shown = (f"{name} {end['seconds']:.2f} s {end['accuracy']:.2%}" for name, end in ends.items())
            print(f"seed {seed}: {', '.join(shown)}", flush=True)

    print(f"\nAfter each epoch: seconds of training (median) and test accuracy (%), n = {len(options.seeds)} seeds")
    print(f"{'epoch':<7}" + "".join(f"{peer.name:>11} s{'accuracy':>17}" for peer in peers))
    for epoch in range(max(len(curve[0]) for curve in curves.values())):
        line = f"{epoch + 1:<7}"
        for runs in curves.values():
            points = [run[epoch] for run in runs if epoch < len(run)]
            if points:
                seconds = statistics.median(point["seconds"] for point in points)
                line += f"{seconds:>13.2f}{mean_and_spread([100 * point['accuracy'] for point in points], 2):>17}"
            else:
                line += " " * 30
        print(line)
    for level in LEVELS:
        print(f"{level:.1%}: " + ", ".join(f"{name} {median_time(runs, level)}" for name, runs in curves.items()))
    totals = {name: mean_and_spread([run[-1]["seconds"] for run in runs], 2) for name, runs in curves.items()}
    print("Whole training: " + ", ".join(f"{name} {total} s" for name, total in totals.items()))
    if any(run[-1]["augment_seconds"] for run in curves[theirs.name]):
        share = statistics.mean(run[-1]["augment_seconds"] / run[-1]["seconds"] for run in curves[theirs.name])
        print(f"Our augmentation is {share:.0%} of PyTorch's seconds.")


if __name__ == "__main__":
    main()
