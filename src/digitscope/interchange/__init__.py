"""Models for other programs (ONNX, plain NumPy, Hugging Face's layout), and weights from PyTorch and Keras."""

from digitscope.interchange.foreign_weights import ImportedWeights, import_weights
from digitscope.interchange.model_export import export_model

__all__ = ["ImportedWeights", "export_model", "import_weights"]
