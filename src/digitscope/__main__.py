"""The program: `digitscope`, or `python -m digitscope`."""

import sys

TYPE_CHECKING = False  # see digitscope/__init__.py
if TYPE_CHECKING:
    from types import TracebackType


def main() -> None:
    """Runs the command line. Ctrl-C that comes while it is loaded ends the process without a traceback."""
    sys.excepthook = _show
    from digitscope.cli import main as run

    run()


def _show(kind: type[BaseException], error: BaseException, traceback: "TracebackType | None") -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


if __name__ == "__main__":
    main()
