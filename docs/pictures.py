"""Makes the README's pictures from a run of `digitscope train`.

uv run digitscope train --out runs/readme
uv run python docs/pictures.py runs/readme
"""

import csv
import sys
from pathlib import Path

from digitscope.data import load_mnist
from digitscope.model import Model
from digitscope.report import confident_mistakes, learning_curves, save_svg

PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    run = Path(sys.argv[1])
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    history = {name: [float(row[name]) if row[name] else None for row in rows] for name in rows[0]}
    PICTURES.mkdir(exist_ok=True)
    save_svg(learning_curves(history), PICTURES / "learning.svg")
    _, (images, labels) = load_mnist()
    probabilities = Model.load(run / "model.safetensors").probabilities(images)
    save_svg(confident_mistakes(images, labels, probabilities), PICTURES / "mistakes.svg")


if __name__ == "__main__":
    main()
