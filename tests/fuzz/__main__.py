"""python -m tests.fuzz TARGET [--cases 4000]: many damaged files; those that fail stay in runs/fuzz."""

import argparse
import faulthandler
import sys
import time
from pathlib import Path

from tests.fuzz.runner import SECONDS, run_case
from tests.fuzz.targets import TARGETS

MEMORY = 2 << 30
"""Bytes of address space that the cases may take beyond those of the start, where the system can limit them."""


def main() -> int:
    """The exit status: 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS, help="what reads the damaged files")
    parser.add_argument("--cases", type=int, default=1000, metavar="N", help="how many files are damaged")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first case")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of the damage")
    options = parser.parse_args()
    target = TARGETS[options.target]
    target.files()
    _limit_memory()
    began = time.perf_counter()
    outcomes = []
    for case in range(options.first, options.first + options.cases):
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)  # of a hang
        outcome = run_case(target, case, Path("runs/fuzz"), seed=options.seed)
        outcomes.append(outcome)
        if outcome.failure:
            print(outcome.failure, flush=True)
    faulthandler.cancel_dump_traceback_later()
    failed = sum(outcome.failure is not None for outcome in outcomes)
    refused = sum(outcome.refused for outcome in outcomes)
    slowest = max((outcome.seconds for outcome in outcomes), default=0)
    print(
        f"{options.target}, seed {options.seed}: {len(outcomes)} cases in {time.perf_counter() - began:.0f} seconds, "
        f"{refused} refused, {failed} failed; the slowest took {slowest:.2f} seconds"
    )
    return int(failed > 0)


def _limit_memory() -> None:
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
