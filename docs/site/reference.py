"""The pages that come from the program itself: the help of each command, and the docstring of each public name."""

import inspect
import re
from collections.abc import Iterator
from html import escape
from importlib import import_module
from types import ModuleType
from typing import Any

import click

import digitscope
from digitscope.cli import cli

PACKAGES = ("datasets", "explain", "metrics", "nn", "notebook", "recipes", "report", "training", "vision")
WIDTH = 80
"""Characters of a line of help."""


def commands_page() -> str:
    """The help of `digitscope` and of each of its commands."""
    parts = [
        "<h1>The commands</h1>",
        "<p>What <code>digitscope COMMAND --help</code> prints.</p>",
        _help(cli, "digitscope"),
    ]
    parts += [_help(command, f"digitscope {name}") for name, command in sorted(cli.commands.items())]
    return "\n".join(parts)


def _help(command: click.Command, name: str) -> str:
    context = command.context_class(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
    anchor = name.rpartition(" ")[2]
    text = escape(command.get_help(context))
    return f'<h2 id="{anchor}">{escape(name)}</h2>\n<pre class="help"><code>{text}</code></pre>'


def names_page() -> str:
    """The signature and docstring of each public name, and of the public methods of classes."""
    parts = [
        "<h1>The Python names</h1>",
        '<p>As <code>help(name)</code> shows them; <a href="python.html">with examples</a>.</p>',
    ]
    modules = {"digitscope": digitscope} | {
        f"digitscope.{name}": import_module(f"digitscope.{name}") for name in PACKAGES
    }
    parts += [
        "<ul class='modules'>",
        *(f'<li><a href="#{name}">{name}</a></li>' for name in modules),
        "</ul>",
    ]
    for module_name, module in modules.items():
        parts.append(f'<h2 id="{module_name}">{module_name}</h2>')
        parts.append(_doc(module))
        for name in sorted(_public(module), key=str.lower):
            thing = getattr(module, name)
            if not inspect.ismodule(thing):
                parts.append(_entry(f"{module_name}.{name}".removeprefix("digitscope."), thing))
    return "\n".join(parts)


def _public(module: ModuleType) -> list[str]:
    """The public names of a module; what it defines itself if it has no list of them."""
    if module is digitscope:
        return dir(module)
    own = [name for name, thing in vars(module).items() if getattr(thing, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))


def _entry(name: str, thing: Any) -> str:
    head = f'<h3 id="{name}"><code>{escape(name)}</code></h3>'
    if inspect.isclass(thing):
        methods = "".join(
            f"<dt><code>{escape(method)}</code></dt><dd>{_doc(value)}</dd>" for method, value in _methods(thing)
        )
        return f"{head}\n{_signature(name, thing)}{_doc(thing)}" + (f"<dl>{methods}</dl>" if methods else "")
    if callable(thing):
        return f"{head}\n{_signature(name, thing)}{_doc(thing)}"
    return f"{head}\n<pre class='help'><code>{escape(_short(thing))}</code></pre>"


def _methods(thing: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that the class defines itself and documents, with their signatures."""
    for name, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function) and function.__doc__:
            yield name + ("" if isinstance(value, property) else _arguments(function)), function


def _signature(name: str, thing: Any) -> str:
    try:
        text = _arguments(thing)
    except (TypeError, ValueError):
        return ""
    return f"<pre class='signature'><code>{escape(name.rpartition('.')[2] + text)}</code></pre>\n"


def _arguments(function: Any) -> str:
    """The arguments with their defaults. Types are left out: the docstring says what is expected."""
    signature = inspect.signature(function)
    arguments = [
        argument.replace(annotation=inspect.Parameter.empty)
        for argument in signature.parameters.values()
        if argument.name not in ("self", "cls")
    ]
    text = str(signature.replace(parameters=arguments, return_annotation=inspect.Signature.empty))
    return re.sub(r" at 0x\w+", "", text)


def _short(thing: Any) -> str:
    text = repr(sorted(thing)) if isinstance(thing, dict) else repr(thing)
    return text if len(text) <= 300 else f"{text[:300]} ..."


def _doc(thing: Any) -> str:
    text = inspect.getdoc(thing)
    return f'<pre class="doc">{escape(text)}</pre>\n' if text else ""
