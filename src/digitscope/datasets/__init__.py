"""Labelled images: the bundled MNIST, IDX files, NumPy archives and tables. Imports pandas when it is needed."""

from digitscope.datasets.csv_table import Table, read_table
from digitscope.datasets.idx import read_idx, read_images, read_labels
from digitscope.datasets.load import DataSet, load_data
from digitscope.datasets.mnist import load_mnist

__all__ = [
    "DataSet",
    "Table",
    "load_data",
    "load_mnist",
    "read_idx",
    "read_images",
    "read_labels",
    "read_table",
]
