"""From a picture to images in MNIST's format: decoding, paper and ink, lines of writing, segments, normalization."""

from digitscope.vision.decode import PictureSource, to_picture
from digitscope.vision.prepare import Preparation, PreparationStep, prepare

__all__ = ["PictureSource", "Preparation", "PreparationStep", "prepare", "to_picture"]
