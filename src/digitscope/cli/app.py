"""The command group."""

import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from digitscope.cli.check_gradients import check_gradients
from digitscope.cli.completion import SHELLS, print_completion_script
from digitscope.cli.data import data
from digitscope.cli.ensemble import ensemble
from digitscope.cli.evaluate import evaluate
from digitscope.cli.exit_status import FAILED, MPI_RANKS, exit_status
from digitscope.cli.export import export
from digitscope.cli.import_weights import import_weights
from digitscope.cli.kaggle import kaggle
from digitscope.cli.lab import lab
from digitscope.cli.look import look
from digitscope.cli.predict import predict
from digitscope.cli.read import read
from digitscope.cli.recipes import recipes
from digitscope.cli.runs import runs
from digitscope.cli.submit import submit
from digitscope.cli.sweep import sweep
from digitscope.cli.teach import teach
from digitscope.cli.train import train
from digitscope.errors import DigitscopeError


class _Help(click.HelpFormatter):
    """Help that fits a narrow terminal: the text about an option then stands below it."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, min(col_max, self.width - 38 if self.width >= 60 else 4), col_spacing)


class _Context(click.Context):
    formatter_class = _Help


class Verbs(click.Group):
    """A command group that shows each user error as one line and exits with status 2."""

    context_class = _Context

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        command.context_class = _Context
        super().add_command(command, name)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        sys.exit(exit_status(lambda: self._status(*args, **kwargs)))

    def _status(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return FAILED
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            more = f" See {context.command_path} --help." if context else ""
            raise DigitscopeError(" ".join(error.format_message().split()) + more) from error
        except click.Abort as error:
            raise KeyboardInterrupt from error
        except _PassedError as passed:
            raise passed.error from None

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        # click would fill 50 columns at least, and a narrower terminal would break its lines within words.
        width = min(shutil.get_terminal_size().columns, 80) - 2
        with _past_click():
            return super().make_context(*args, **{"terminal_width": max(width, 30), **kwargs})

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(context, args)
        if not context.resilient_parsing and command not in (train, sweep):
            _check_one_process(name)
        return name, command, rest

    def invoke(self, context: click.Context) -> Any:
        for library in ("matplotlib", "PIL"):  # They report, for example, that HOME cannot be written.
            logging.getLogger(library).setLevel(logging.ERROR)
        with _past_click():
            return super().invoke(context)


def _check_one_process(verb: str | None) -> None:
    """Raises: DigitscopeError under `mpiexec`, where each rank would do the same work and write the same files."""
    if not any(name in os.environ for name in MPI_RANKS):
        return  # without loading NumPy
    from digitscope.training.parallel.ranks import started_ranks

    if (ranks := started_ranks()) > 1:
        raise DigitscopeError(
            f"mpiexec started {ranks} ranks, and digitscope {verb} runs in one process: leave mpiexec out. "
            "digitscope train and digitscope sweep run on several ranks."
        )


class _PassedError(Exception):
    """Carries an exception past click: for a broken pipe click would exit with status 1, on Ctrl-C or at the end of a
    file it would print an empty line.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def _past_click() -> Iterator[None]:
    try:
        yield
    except (BrokenPipeError, EOFError, KeyboardInterrupt) as error:
        raise _PassedError(error) from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="digitscope")
@click.option(
    "--completion",
    type=click.Choice(SHELLS),
    expose_value=False,
    is_eager=True,
    callback=print_completion_script,
    help="Print the script that completes words for this shell, and exit.",
)
def cli() -> None:
    """A neural network for handwritten digits, written from scratch in NumPy.

    \b
    Begin with:
      digitscope train                  train on MNIST and write a report
      digitscope predict my.png         read a digit
      digitscope read number.jpg        read the numbers in a photo
      digitscope lab                    see through it in a browser

    \b
    To have models, recipes and files completed, add to ~/.bashrc or ~/.zshrc:
      eval "$(digitscope --completion bash)"         (or zsh)
    or run, for fish (PowerShell is not supported):
      digitscope --completion fish > ~/.config/fish/completions/digitscope.fish
    """


for verb in (
    *(train, sweep, runs, evaluate, predict, look, lab, read, teach, kaggle, submit, ensemble, export, import_weights),
    *(recipes, check_gradients, data),
):
    cli.add_command(verb)
