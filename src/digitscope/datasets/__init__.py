"""Labelled images: the bundled MNIST, IDX files, NumPy archives, tables, folders of pictures.

CSV tables import pandas when they are read, Parquet tables pyarrow, folders Pillow.
"""

from digitscope.datasets.data_set import DataSet
from digitscope.datasets.folder import list_picture_folder, load_picture_folder
from digitscope.datasets.idx import read_idx, read_images, read_labels
from digitscope.datasets.load import as_data_set, load_data
from digitscope.datasets.mnist import load_mnist
from digitscope.datasets.table import Table
from digitscope.datasets.table_files import read_table

__all__ = [
    "DataSet",
    "Table",
    "as_data_set",
    "list_picture_folder",
    "load_data",
    "load_mnist",
    "load_picture_folder",
    "read_idx",
    "read_images",
    "read_labels",
    "read_table",
]
