"""Files: atomic writes, checked opening, tensors (safetensors)."""
