"""Digits as a file to download."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from digitscope.datasets.writers import csv_bytes, idx_zip, png_zip
from digitscope.lab.routes import Download

FileForm = Literal["csv", "idx", "png"]


def digits_file(name: str, form: FileForm, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Download:
    """Kaggle's CSV, or a ZIP archive of IDX files or of PNG pictures in folders. name: without an ending."""
    if form == "csv":
        return Download(f"{name}.csv", "text/csv", csv_bytes(images, labels))
    write = idx_zip if form == "idx" else png_zip
    return Download(f"{name}-{form}.zip", "application/zip", write(images, labels))
