"""Training speed compared with other libraries: the same networks on the same images, in alternating rounds.

    uv run --group bench python -m benchmarks.speed --torch PYTHON

PYTHON is the interpreter of an environment that has PyTorch; benchmarks/README.md makes one. Ratios are of medians.
With `--against FOLDER` another checkout, such as a git worktree of an earlier commit, takes part, too.
No program augments images or averages weights here, and the learning rate is constant.
"""

import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.networks import CONVNETS, DENSE, NETWORKS, training_flops
from benchmarks.rounds import THREADS, Peer, alternate, arguments, rate, show, start

DEFAULT = [
    name
    for name in (*(r.name for r in DENSE), *(r.name for r in CONVNETS), "convnet", "deep", "seed")
    if name in NETWORKS
]


def main() -> None:
    parser = arguments(__doc__, rounds=25)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=DEFAULT, metavar="NAME")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of Digitscope")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    dense = [recipe.name for recipe in DENSE]
    print(machine())
    print("The networks alone: no data augmentation, no averaged weights, a constant learning rate.")
    if find_spec("sklearn") is None:
        print("scikit-learn takes no part: it is not installed (uv run --group bench).")
    for name in options.networks:
        recipe = NETWORKS[name]
        images = 60_000 if recipe.plan.batch_size else 5 * 41_000
        unit = "seconds for an epoch of 60,000" if recipe.plan.batch_size else "seconds for 5 steps of 41,000"
        print(f"\n{name}: {recipe.title}; {unit}", flush=True)
        kinds = [("digitscope", sys.executable, THREADS), ("digitscope", sys.executable, 1)]
        if options.torch and name != "seed":
            kinds.append(("PyTorch", options.torch, THREADS))
        if name in dense and find_spec("sklearn") is not None:
            kinds.append(("scikit-learn", sys.executable, THREADS))
        if name == "seed":
            kinds.append(("notebook", sys.executable, THREADS))
        with ExitStack() as stack:
            peers = [Peer(kind, name, python=python, threads=n, quick=options.quick) for kind, python, n in kinds]
            if options.against:
                root = options.against.resolve()
                peers += [Peer("digitscope", name, threads=n, quick=options.quick, root=root) for n in (THREADS, 1)]
            start(stack, peers)
            medians = alternate(peers, rounds, "learn")
            show(medians, images)
            ours, alone = peers[:2]
            print(f"  from one thread to two: {medians[alone.name] / medians[ours.name]:.2f} times the speed")
            print("  peak memory: " + ", ".join(f"{peer.name} {peer.ask('memory')} MB" for peer in peers))
            for peer in (ours, alone):
                reached, possible = training_flops(recipe) / medians[peer.name], rate(peer)
                print(
                    f"  {peer.name}: {reached / 1e9:.0f} GFLOP/s of the machine's {possible / 1e9:.0f} "
                    f"in matrix products: {reached / possible:.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
