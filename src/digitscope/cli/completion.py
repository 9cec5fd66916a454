"""Shell completion of models, recipes, data and examples. This module does not import NumPy, so it answers at once."""

import itertools
from collections.abc import Iterable, Iterator
from glob import escape, iglob
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from digitscope.bundled import SHIPPED

SHELLS = ("bash", "zsh", "fish")
RECIPE_NAMES = (
    "seed",
    "sigmoid",
    "3blue1brown",
    "mlp",
    "simard-mlp",
    "lenet",
    "fast",
    "convnet",
    "reader",
    "tiny",
    "deep",
    "ensemble",
)
"""The names of `digitscope.recipes.RECIPES`, which takes NumPy to load. A test compares the two."""
SETTING_NAMES = {
    "activation": ("relu", "leaky-relu", "sigmoid", "tanh"),
    "optimizer": ("gradient-descent", "momentum", "nesterov", "adam", "adamw"),
    "schedule": ("constant", "step", "cosine", "one-cycle"),
    "loss": ("cross-entropy", "squared-error"),
    "augment": ("none", "standard"),
}
"""The names of each setting in `digitscope.training.settings`, which takes NumPy to load. A test compares them."""
MODEL_SUFFIX = ".safetensors"
MAX_FILES = 100
"""Maximum number of files that are offered."""


def print_completion_script(context: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    """The callback of --completion: prints the script and exits."""
    if shell is None or context.resilient_parsing:
        return
    make = get_completion_class(shell)
    assert make is not None  # it is one of SHELLS
    click.echo(make(context.command, {}, "digitscope", "_DIGITSCOPE_COMPLETE").source())
    context.exit()


def complete_recipe(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The recipes' names."""
    return _items(_starting(RECIPE_NAMES, typed))


def complete_setting(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names that a setting takes."""
    return _items(_starting(SETTING_NAMES[str(parameter.name)], typed))


def complete_model(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The bundled models, and model files in this folder and those below it: runs/mlp/model.safetensors."""
    return _items([*_starting(SHIPPED, typed), *_model_files(typed)]) or _any_file(typed)


def complete_recipe_or_model(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The recipes' names, and models as `complete_model`."""
    recipes = list(_starting(RECIPE_NAMES, typed))
    models = [name for name in (*_starting(SHIPPED, typed), *_model_files(typed)) if name not in recipes]
    return _items([*recipes, *models]) or _any_file(typed)


def complete_data(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The data sets with a name, files and folders."""
    return _names_or_files(("mnist", "sklearn-digits"), typed)


def complete_model_and_files(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The arguments [MODEL] FILE...: a model may be the first one."""
    if _earlier(context, parameter):
        return _any_file(typed)
    models = [*_starting(SHIPPED, typed), *_model_files(typed)]
    return _items([*models, *_entries(typed, models)]) if models else _any_file(typed)


def complete_model_and_examples(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The arguments [MODEL] PICTURE=DIGIT|FOLDER... of teach."""
    earlier = _earlier(context, parameter)
    picture, equals, _ = typed.rpartition("=")
    if equals:
        return _items(_starting((f"{picture}={k}" for k in range(10)), typed))
    # bash takes = as the end of a word: of "a.png=7" it passes on "a.png", "=" and "7".
    if earlier[-1:] == ["="] or (not typed and earlier and _is_picture(earlier[-1])):
        return _items(_starting(map(str, range(10)), typed))
    models = [] if earlier else [*_starting(SHIPPED, typed), *_model_files(typed)]
    files = list(_entries(typed, models))
    if len(files) == 1 and not models and not files[0].endswith("/"):
        return _items(f"{files[0]}={k}" for k in range(10))  # ends the word at =, without a space after it
    examples = [name if name.endswith("/") else f"{name}=" for name in files]
    return _items([*models, *examples]) if any(models) or len(files) > 1 else _any_file(typed)


def _earlier(context: click.Context, parameter: click.Parameter) -> list[str]:
    """The arguments before the one that is being typed."""
    values: Any = context.params.get(parameter.name or "") or ()
    return [str(value) for value in values]


def _names_or_files(names: Iterable[str], typed: str) -> list[CompletionItem]:
    found = list(_starting(names, typed))
    return _items([*found, *_entries(typed, found)]) if found else _any_file(typed)


def _items(values: Iterable[str]) -> list[CompletionItem]:
    items = [CompletionItem(value) for value in values]
    only_folder = len(items) == 1 and items[0].value.endswith("/")
    return _any_file(items[0].value) if only_folder else items  # the shell goes on with what is in the folder


def _any_file(typed: str) -> list[CompletionItem]:
    """Leaves the completion of files and folders to the shell."""
    return [CompletionItem(typed, type="file")]


def _starting(names: Iterable[str], typed: str) -> Iterator[str]:
    return (name for name in names if name.startswith(typed))


def _model_files(typed: str) -> list[str]:
    patterns = (f"*{MODEL_SUFFIX}", f"*/*{MODEL_SUFFIX}", f"*/*/*{MODEL_SUFFIX}")
    return list(itertools.chain.from_iterable(_matches(typed, pattern) for pattern in patterns))


def _entries(typed: str, other_than: Iterable[str]) -> Iterator[str]:
    """Files and folders whose names begin with what was typed; folders end with /."""
    return (name for name in _matches(typed, "*", folders=True) if name not in other_than)


def _matches(typed: str, pattern: str, *, folders: bool = False) -> Iterator[str]:
    found = iglob(f"{escape(typed)}{pattern}")  # noqa: PTH207 (keeps a ./ as it was typed, which the shell expects)
    names = (f"{name}/" if Path(name).is_dir() else name for name in found)
    return iter(sorted(itertools.islice((name for name in names if folders or name[-1] != "/"), MAX_FILES)))


def _is_picture(argument: str) -> bool:
    path = Path(argument)
    return path.suffix != MODEL_SUFFIX and path.is_file()
