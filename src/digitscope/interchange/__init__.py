"""Models for other programs: ONNX, plain NumPy, Hugging Face's layout."""

from digitscope.interchange.model_export import export_model

__all__ = ["export_model"]
