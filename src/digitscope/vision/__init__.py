"""From a picture to images in MNIST's form: decoding, paper and ink, lines of writing, segments, normalization."""

from digitscope.vision.decode import read_picture
from digitscope.vision.prepare import Preparation, Step, prepare

__all__ = ["Preparation", "Step", "prepare", "read_picture"]
