"""Prediction speed compared with other libraries: MNIST's 10,000 test images, and one image at a time.

    uv run python -m benchmarks.predict --torch PYTHON

Times the way from bytes to probabilities. The networks have their initial, random weights, which does not change the
time. Test-time augmentation is left out, even if a recipe uses it.
"""

import subprocess
from contextlib import ExitStack

from benchmarks.machine import machine
from benchmarks.networks import CONVNETS, NETWORKS
from benchmarks.rounds import Peer, alternate, arguments, show, start

DEFAULT = [name for name in ("mlp", "convnet", "deep") if name in NETWORKS]
TASKS = (("predict", 10_000, "10,000 images"), ("predict_one", 1, "one image"))


def has_onnxruntime(python: str) -> bool:
    return subprocess.run([python, "-c", "import onnxruntime, onnxscript"], capture_output=True).returncode == 0


def main() -> None:
    parser = arguments(__doc__, rounds=25)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, metavar="NAME")
    options = parser.parse_args()
    print(machine())
    others = ["PyTorch"] if options.torch else []
    if options.torch and has_onnxruntime(options.torch):
        others.append("onnxruntime")
    else:
        print("onnxruntime is left out: --torch does not name an environment with onnxruntime and onnxscript.")
    for name in options.networks or [*DEFAULT, CONVNETS[0].name]:
        print(f"\n{name}: {NETWORKS[name].title}", flush=True)
        with ExitStack() as stack:
            peers = [Peer("digitscope", name, unit=10_000, quick=options.quick)]
            peers += [Peer(other, name, python=options.torch, unit=10_000, quick=options.quick) for other in others]
            start(stack, peers)
            for task, images, title in TASKS:
                medians = alternate(peers, 2 if options.quick else options.rounds, task)
                print(f"  {title}")
                show(medians, images)


if __name__ == "__main__":
    main()
