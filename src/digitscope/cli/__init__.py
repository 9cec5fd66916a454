"""The command line. Each verb parses its arguments, calls one function and shows the result."""

import signal
import sys
from typing import TYPE_CHECKING, Any

from digitscope.cli.exit_status import exit_status

if TYPE_CHECKING:
    from digitscope.cli.app import cli

__all__ = ["cli", "main"]


def main() -> None:
    """The command `digitscope`. Everything it needs is loaded inside, where errors and Ctrl-C are handled."""
    try:
        sys.exit(exit_status(lambda: __getattr__("cli")()))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it exits, Ctrl-C ends the process without a traceback


def __getattr__(name: str) -> Any:
    if name != "cli":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from digitscope.cli.app import cli

    return cli
