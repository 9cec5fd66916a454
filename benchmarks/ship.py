"""Puts a trained model into the package, with weights of one byte each.

    uv run python -m benchmarks.ship convnet runs/convnet/model.safetensors

The rounded model is rejected if it answers differently from the original on more than one in 5,000 of the validation
images. A model without a calibration gets one.
"""

import argparse
import tempfile
from pathlib import Path

import digitscope
from digitscope.datasets import load_data
from digitscope.model import Model
from digitscope.model_file import ModelContent, write_model
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
        raise SystemExit(f"{options.model} lacks its number of validation images.")
    held_out = slice(-validated, None)
    images, labels = data.x_train[held_out], data.y_train[held_out]
    if model.calibration is None:  # for example, an ensemble of trained models
        model = model.calibrated(images, labels, threads=default_threads())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rounded.safetensors"
        content = ModelContent(model.network, model.loss, model.image_shape, model.info, model.calibration)
        write_model(path, content, one_byte=True)
        full, rounded = (m.predict(images, threads=default_threads()) for m in (model, Model.load(path)))
        if (differing := int((full != rounded).sum())) > DIFFERENT * len(images):
            raise SystemExit(f"With weights of one byte {differing} of {len(images)} answers differ.")
        FOLDER.mkdir(exist_ok=True)
        target = FOLDER / f"{options.name}.safetensors"
        target.write_bytes(path.read_bytes())
    print(f"{target.name}: {target.stat().st_size:,} bytes; {differing} of {len(images):,} answers differ")


if __name__ == "__main__":
    main()
