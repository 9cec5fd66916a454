"""Puts a trained model into the package, in float16.

    uv run python -m benchmarks.ship convnet runs/convnet/model.safetensors

The half-precision model is refused where it answers otherwise than the whole one on more than one in 5,000 of the
images that validated it. A model that lacks what validation says of its answers is given it.
"""

import argparse
import tempfile
from pathlib import Path

import digitscope
from digitscope.datasets import load_data
from digitscope.model import Model
from digitscope.training import default_threads

FOLDER = Path(digitscope.__file__).parent / "models"
DIFFERENT = 1 / 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    model = Model.load(options.model)
    data = load_data("mnist")
    if (validated := model.info.validation_images) is None:
        raise SystemExit(f"{options.model} does not say how many images validated it.")
    held_out = slice(-validated, None)
    images, labels = data.x_train[held_out], data.y_train[held_out]
    if model.calibration is None:  # an ensemble of trained models, or one from before models kept it
        model = model.calibrated(images, labels, threads=default_threads())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.safetensors"
        model.save(path, half=True)
        whole, half = (m.predict(images, threads=default_threads()) for m in (model, Model.load(path)))
        if (differing := int((whole != half).sum())) > DIFFERENT * len(images):
            raise SystemExit(f"In float16 {differing} of {len(images)} answers differ.")
        FOLDER.mkdir(exist_ok=True)
        target = FOLDER / f"{options.name}.safetensors"
        target.write_bytes(path.read_bytes())
    print(f"{target.name}: {target.stat().st_size:,} bytes; {differing} of {len(images):,} answers differ")


if __name__ == "__main__":
    main()
