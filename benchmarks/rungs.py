"""The cost of each rung of the ladder: time, share of the machine's rate in matrix products, memory, and the speed-up
by a second thread.

    uv run python -m benchmarks.rungs

Whole recipes are timed, with augmentation and averaged weights, on two threads and on one. The share only counts the
products of dense and convolutional layers (`Network.flops`). Writes records/rungs.json, which `digitscope recipes`
shows; with --quick or --recipes it writes nothing.
"""

import json
from datetime import UTC, datetime

from benchmarks.machine import commit, machine, versions
from benchmarks.networks import training_flops
from benchmarks.rounds import Peer, alternate, arguments, rate
from digitscope.recipes import RECIPES
from digitscope.recipes.records import records_folder


def main() -> None:
    parser = arguments(__doc__, rounds=15)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME")
    options = parser.parse_args()
    print(machine())
    rows, rungs = [], {}
    for name in options.recipes:
        print(name, flush=True)
        work = training_flops(RECIPES[name])
        with (
            Peer("digitscope", name, quick=options.quick) as threaded,
            Peer("digitscope", name, threads=1, quick=options.quick) as serial,
        ):
            medians = alternate([threaded, serial], 2 if options.quick else options.rounds, "learn_all")
            memory, possible = threaded.ask("memory"), rate(threaded)
        seconds, alone = medians[threaded.name], medians[serial.name]
        rungs[name] = {
            "operations_an_image": work,
            "images_a_second_one_thread": round(1 / alone),
            "images_a_second_two_threads": round(1 / seconds),
            "share_of_matrix_rate": round(work / seconds / possible, 4),
            "peak_memory_mb": memory,
        }
        rows.append(
            f"{name:<12}{work / 1e6:>10.2f}{60_000 * alone:>10.2f} s{60_000 * seconds:>10.2f} s{alone / seconds:>9.2f}"
            f"{work / seconds / 1e9:>10.1f}{work / seconds / possible:>8.0%}{memory:>8} MB"
        )
    heads = f"{'recipe':<12}{'MFLOP':>10}{'1 thread':>12}{'2 threads':>12}{'times':>9}{'GFLOP/s':>10}{'share':>8}"
    print(f"\nSeconds for 60,000 images; MFLOP to train on one.\n{heads}{'memory':>11}", *rows, sep="\n")
    if options.quick or options.recipes != list(RECIPES):
        return
    content = {
        "command": f"uv run python -m benchmarks.rungs --rounds {options.rounds}",
        "machine": machine(),
        "versions": versions("numpy", "digitscope"),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": options.rounds,
        "rungs": rungs,
    }
    (records_folder() / "rungs.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
