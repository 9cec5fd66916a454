"""The cost of starting, and the modules that are loaded."""

import subprocess
import sys

import pytest

import digitscope

HEAVY = ("pandas", "matplotlib", "PIL", "rich", "click", "safetensors", "scipy", "torch", "sklearn")


def loaded_after(code: str) -> set[str]:
    code = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import digitscope", "import digitscope; digitscope.Network, digitscope.load_mnist", "import digitscope.nn"],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    loaded = loaded_after(code)
    assert "digitscope" in loaded
    assert not loaded & set(HEAVY)


def test_the_recipes_load_nothing_that_takes_long() -> None:
    assert loaded_after("import digitscope.recipes") & set(HEAVY) == {"safetensors"}  # for the checkpoints


def test_help_loads_no_numpy() -> None:
    code = "from digitscope.cli import cli\ntry:\n    cli(['--help'])\nexcept SystemExit:\n    pass"
    loaded = loaded_after(code)
    assert "click" in loaded
    assert not loaded & {"numpy", *(set(HEAVY) - {"click"})}


@pytest.mark.parametrize("name", digitscope.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(digitscope, name) is not None
    assert name in dir(digitscope)


@pytest.mark.parametrize("name", ["nonsense", "_HOMES_"])
def test_a_name_that_is_not_there_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(digitscope, name)
