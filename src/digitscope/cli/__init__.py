"""The command line: thin verbs that parse, call one function and show."""

from digitscope.cli.app import cli, main

__all__ = ["cli", "main"]
