"""Text on the terminal with rich: styles, tables and progress bars."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from digitscope.errors import printable


class Output(Console):
    """Standard output. Only markup that we wrote is interpreted. With `quiet` nothing is printed."""

    def __init__(self, *, quiet: bool = False, **options: Any) -> None:
        super().__init__(quiet=quiet, highlight=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Leaves a broken pipe to `exit_status`; rich would exit with status 1."""
        raise BrokenPipeError


def literal(text: object) -> str:
    """Text from outside, such as a path, made safe to print: its brackets are not markup, and its control characters
    are escaped.
    """
    return escape(printable(str(text)))
