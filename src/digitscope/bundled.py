"""The models that come with Digitscope. Loads no NumPy, so that the shell can complete their names at once."""

from pathlib import Path

DEFAULT_MODEL = "reader"
"""The bundled model that is used if none is named: of the three it is the one that recognizes what is not a digit."""

SHIPPED = {path.stem: path for path in sorted((Path(__file__).parent / "models").glob("*.safetensors"))}
"""The bundled models, by name; models/README.md says how they were made."""
