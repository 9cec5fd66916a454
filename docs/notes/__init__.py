"""The notes: the mathematics of the network, every formula run. See README.md."""

from pathlib import Path

from digitscope.notes.chapters import chapter_paths

NOTES = Path(__file__).parent
ROOT = NOTES.parents[1]


def find_chapters(names: tuple[str, ...]) -> list[Path]:
    """Those whose file name begins so ("04"); all without names.

    Raises: ValueError where a name fits none.
    """
    found = [path for path in chapter_paths() if not names or path.name.startswith(names)]
    for name in names:
        if not any(path.name.startswith(name) for path in found):
            raise ValueError(
                f"No chapter begins with {name!r}; there are {', '.join(p.stem for p in chapter_paths())}."
            )
    return found
