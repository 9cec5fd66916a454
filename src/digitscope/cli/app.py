"""The command group, and how errors are shown."""

import sys
from typing import Any

import click

from digitscope.cli.check_gradients import check_gradients
from digitscope.cli.data import data
from digitscope.cli.ensemble import ensemble
from digitscope.cli.evaluate import evaluate
from digitscope.cli.predict import predict
from digitscope.cli.read import read
from digitscope.cli.recipes import recipes
from digitscope.cli.submit import submit
from digitscope.cli.teach import teach
from digitscope.cli.train import train
from digitscope.errors import DigitscopeError

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C stopped: 128 + SIGINT."""


class Verbs(click.Group):
    """A command group that shows each user error as one line and exits with status 2."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except DigitscopeError as error:
            status = _complain(str(error))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            status = 2
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            more = f" See {context.command_path} --help." if context else ""
            status = _complain(error.format_message() + more)
        except (click.Abort, KeyboardInterrupt):
            click.echo("Stopped.", err=True)
            status = INTERRUPTED
        sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str) -> int:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return 2


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="digitscope")
def cli() -> None:
    """A neural network for handwritten digits, written from scratch in NumPy.

    \b
    Begin with:
      digitscope train                  train on MNIST and write a report
      digitscope predict my.png         read a digit
      digitscope read number.jpg        read the numbers in a photo
    """


for verb in (train, evaluate, predict, read, teach, submit, ensemble, recipes, check_gradients, data):
    cli.add_command(verb)


def main() -> None:
    cli()
