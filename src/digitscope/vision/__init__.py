"""From a picture to images in MNIST's form: decoding, paper and ink, lines of writing, segments, normalization."""

from digitscope.vision.decode import read_picture
from digitscope.vision.prepare import Preparation, PreparationStep, prepare

__all__ = ["Preparation", "PreparationStep", "prepare", "read_picture"]
