"""Where digits come from: data sets, tables, archives and pictures. Imports pandas, Pillow and SciPy when needed."""

from digitscope.data.idx import read_idx, read_images, read_labels
from digitscope.data.mnist import load_mnist
from digitscope.data.one_hot import one_hot
from digitscope.data.pictures import read_picture
from digitscope.data.prepare import Preparation, Step, prepare
from digitscope.data.sources import DataSet, load_data
from digitscope.data.tables import Table, read_table

__all__ = [
    "DataSet",
    "Preparation",
    "Step",
    "Table",
    "load_data",
    "load_mnist",
    "one_hot",
    "prepare",
    "read_idx",
    "read_images",
    "read_labels",
    "read_picture",
    "read_table",
]
