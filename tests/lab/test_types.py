"""The pages' scripts agree with the types that their comments declare. `.ci/run` installs TypeScript's compiler."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def compiler() -> str | None:
    own = shutil.which("tsc", path=ROOT / "runs" / "tsc" / "node_modules" / ".bin")
    return own or shutil.which("tsc")


NEEDED = os.environ.get("CI") and shutil.which("npm")


@pytest.mark.skipif(compiler() is None and not NEEDED, reason="TypeScript's compiler tsc is not installed")
def test_types_of_the_scripts() -> None:
    tsc = compiler()
    assert tsc is not None, "tsc is expected on the machine that checks every change; .ci/run installs it."
    command = [tsc, "-p", str(Path(__file__).with_name("tsconfig.json"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
