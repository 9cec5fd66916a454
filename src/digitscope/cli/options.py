"""Options that several verbs share."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from digitscope.bundled import DEFAULT_MODEL, SHIPPED
from digitscope.cli.completion import complete_data, complete_model, complete_recipe

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class FilePath(click.Path):
    """A path. An empty one, as of a shell variable that is not set, would mean the current folder and is rejected."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("a path is expected; got an empty one. Is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


def check_new_model(out: Path) -> None:
    """Checks, before work begins, that --out names a new model file.

    Raises: DigitscopeError if it has another ending, if it exists, or if its folder does not let us write.
    """
    from digitscope.errors import ModelError
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path

    if out.suffix.lower() != ".safetensors":
        raise ModelError(
            f"{shown_path(out)}: --out expects a name that ends with .safetensors, such as mine.safetensors."
        )
    check_new(out, "--out")


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Rejects NaN and infinity, which the range check may let through."""
    if value is not None and not math.isfinite(value):
        raise click.UsageError(f"{parameter.opts[0]} expects a number; got {value}.", context)
    return value


def known_recipe(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Rejects the name of a recipe that does not exist."""
    if value is None or context.resilient_parsing:
        return value
    from digitscope.recipes import RECIPES

    if value not in RECIPES:
        name = parameter.opts[0] if isinstance(parameter, click.Option) else context.info_name
        raise click.UsageError(f"{name} expects one of {', '.join(RECIPES)}; got {value!r}.", context)
    return value


def widths(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Whole numbers separated by commas, such as 16,16, as a tuple; "none" gives an empty one."""
    if value is None or value == "none":
        return None if value is None else ()
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise click.UsageError(
            f"{parameter.opts[0]} expects widths of at least 1, separated by commas, such as 16,16, or none; "
            f"got {value!r}.",
            context,
        )
    return tuple(map(int, parts))


def seed_list(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Different whole numbers separated by commas, such as 1,2,3, as a tuple."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    seeds = tuple(int(part) for part in parts if part.isascii() and part.isdecimal())
    if len(set(seeds)) < len(parts):
        raise click.UsageError(
            f"{parameter.opts[0]} expects different whole numbers, separated by commas, such as 1,2,3; got {value!r}.",
            context,
        )
    return seeds


class GroupedCommand(click.Command):
    """A command whose help lists its options under headings. `groups` maps each heading to its parameters' names."""

    def __init__(self, *args: Any, groups: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parameters = {parameter.name: parameter for parameter in self.get_params(ctx)}
        named = [name for names in self.groups.values() for name in names]
        rest = [name for name in parameters if name not in named]
        for heading, names in {**self.groups, "Other options": rest}.items():
            records = [record for name in names if (record := parameters[name].get_help_record(ctx)) is not None]
            with formatter.section(heading):
                formatter.write_dl(records)


data_option = click.option(
    "--data",
    "source",
    default="mnist",
    show_default=True,
    metavar="SOURCE",
    shell_complete=complete_data,
    help="mnist, sklearn-digits, a CSV or Parquet file, an .npz, a folder of IDX files, of such tables, or of pictures "
    "with one subfolder for each class.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), metavar="N", help="Threads to use. [default: all processors]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


model_argument = click.argument(
    "model",
    type=FilePath(),
    metavar="[MODEL]",
    required=False,
    default=Path(DEFAULT_MODEL),
    shell_complete=complete_model,
)


refuse_option = click.option(
    "--refuse",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    callback=finite,
    metavar="SHARE",
    help='The fraction of real digits that may be rejected as "not a digit"; 0 rejects only blank pictures.',
)


def recipe_option(text: str, *names: str) -> Decorator:
    """--recipe NAME with this help; names: the parameter's, if it is not recipe"""
    return click.option(
        "--recipe", *names, metavar="NAME", callback=known_recipe, shell_complete=complete_recipe, help=text
    )


def paths_argument(metavar: str, complete: Completion, name: str = "arguments") -> Decorator:
    """The decorator of a verb whose arguments are any number of paths, at least one."""
    return click.argument(
        name,
        nargs=-1,
        required=True,
        type=FilePath(),
        metavar=metavar,
        shell_complete=complete,
    )


def is_model(argument: Path) -> bool:
    """Whether an argument is meant as a model, not as a picture or another file."""
    return argument.suffix == ".safetensors" or str(argument) in SHIPPED


def model_and_files(arguments: tuple[Path, ...]) -> tuple[Path, tuple[Path, ...]]:
    """The model and the other arguments. The first argument is the model if it is a .safetensors file or the name of a
    bundled model.
    """
    first = arguments[0]
    if is_model(first):
        return first, arguments[1:]
    return Path(DEFAULT_MODEL), arguments


def model_text(model: Path) -> str:
    """A line that names the model in use and the other bundled models."""
    if str(model) not in SHIPPED:
        from digitscope.files.opening import shown_path

        return f"model: {shown_path(model)}"
    return f"model: {model} (bundled; others: {', '.join(name for name in SHIPPED if name != str(model))})"
