"""The files of the notes."""

from pathlib import Path

APPENDICES = ("symbols", "terms", "bibliography", "errata")
"""What follows the chapters, NAME.md."""


def notes_folder() -> Path:
    """The folder of the notes: in an installed package, or docs/notes of the repository."""
    package = Path(__file__).parents[1]
    installed = package / "docs" / "notes"
    return installed if installed.is_dir() else package.parents[1] / "docs" / "notes"


def chapter_paths() -> list[Path]:
    """The chapters in order: files NN-name.md."""
    return sorted(notes_folder().glob("[0-9][0-9]-*.md"))


def section_paths() -> list[Path]:
    """The chapters in order, and the appendices."""
    return [*chapter_paths(), *(notes_folder() / f"{name}.md" for name in APPENDICES)]
