"""Model files of released versions, one folder for each version whose files differ from those before."""

from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
VERSION = version("digitscope")
