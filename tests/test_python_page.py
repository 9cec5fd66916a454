"""The Python of docs/python.md and of the README runs, block by block, in a folder with pictures."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitscope import DataSet

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python( gpu)?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def blocks(gpu: bool) -> list[Any]:
    return [
        pytest.param(code, id=f"{path.name}, line {text[: found.start()].count(chr(10)) + 1}")
        for path in (ROOT / "docs" / "python.md", ROOT / "README.md")
        for text in [path.read_text(encoding="utf-8")]
        for found in BLOCK.finditer(text)
        for code in [found[2]]
        if bool(found[1]) == gpu
    ]


@pytest.fixture
def folder(few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photo.jpg with a digit, and my_digits with a subfolder for each class."""
    monkeypatch.chdir(tmp_path)
    for digit in range(10):
        place = tmp_path / "my_digits" / str(digit)
        place.mkdir(parents=True)
        for number, image in enumerate(few.x_train[few.y_train == digit][:3]):
            paper = np.full((120, 120), 235, np.uint8)
            paper[20:104, 20:104] -= (np.kron(image, np.ones((3, 3), np.uint8)) * 0.8).astype(np.uint8)
            Image.fromarray(paper).save(place / f"{number}.png")
    Image.open(tmp_path / "my_digits" / "3" / "0.png").convert("RGB").save(tmp_path / "photo.jpg", quality=95)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("code", blocks(gpu=False))
def test_the_block_runs(code: str) -> None:
    exec(compile(code, "block", "exec"), {"__name__": "__main__"})
