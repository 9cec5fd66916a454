"""Code that a chapter shows is pulled from the source by name.

    ```python digitscope.nn.dense.Dense.forward
    ```

is filled by `python -m docs.notes quote`; a test compares it with the source. Names may go into classes and
functions, also inner ones, and may end in __doc__ for a docstring alone.
"""

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

_QUOTE = re.compile(r"^```python ([\w.]+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def quoted_names(text: str) -> list[str]:
    """The names that a chapter quotes."""
    return [name for name, _ in _QUOTE.findall(text)]


def filled(text: str) -> str:
    """The chapter with every quote as the source has it now."""
    return _QUOTE.sub(lambda found: f"```python {found[1]}\n# {found[1]}\n{source(found[1])}\n```", text)


def source(name: str) -> str:
    """The lines that define what has this dotted name, without their indentation.

    Raises: LookupError where there is nothing of that name.
    """
    path, inner = _find_module(name)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    within: ast.Module | ast.stmt = ast.parse(text)
    for part in inner:
        within = _first_of(within) if part == "__doc__" else _find(within, part, name)
    assert isinstance(within, ast.stmt), f"{name}: name something in the module"
    first = min([within.lineno, *(d.lineno for d in getattr(within, "decorator_list", []))])
    return dedent("\n".join(lines[first - 1 : within.end_lineno]))


def _first_of(node: ast.Module | ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    return node.body[0]


def _find(node: ast.AST, part: str, name: str) -> ast.stmt:
    for inner in ast.walk(node):
        if inner is node:
            continue
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and inner.name == part:
            return inner
        targets = inner.targets if isinstance(inner, ast.Assign) else [getattr(inner, "target", None)]
        if isinstance(inner, ast.Assign | ast.AnnAssign) and any(
            isinstance(target, ast.Name) and target.id == part for target in targets
        ):
            return inner
    raise LookupError(f"{name}: there is no {part}.")


def _find_module(name: str) -> tuple[Path, list[str]]:
    """The file of the longest part of the name that is a module, and the rest of the name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            spec = find_spec(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        if spec is not None and spec.origin is not None:
            return Path(spec.origin), parts[end:]
    raise LookupError(f"{name}: there is no such module.")
