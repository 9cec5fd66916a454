"""Does with an installed Digitscope what most users do: trains, evaluates, reads a picture, and opens the lab."""

import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

import digitscope
from digitscope.lab.notes_pages import section_page

COMMAND = Path(sys.executable).with_name("digitscope")


def run(*arguments: str) -> str:
    """What the command prints. Raises: CalledProcessError unless its status is 0."""
    return subprocess.run([COMMAND, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout


def check_lab() -> None:
    """Opens the lab and loads its page."""
    with subprocess.Popen([COMMAND, "lab", "--no-browser", "--port", "0"], stdout=subprocess.PIPE, text=True) as lab:
        try:
            assert lab.stdout is not None
            found = re.search(r"http://\S+", lab.stdout.readline())
            assert found
            with urlopen(found[0], timeout=30) as page:
                assert "<html" in page.read().decode()
        finally:
            lab.terminate()


def main() -> None:
    installed = distribution("digitscope")
    assert Path(digitscope.__file__).is_relative_to(sys.prefix), digitscope.__file__
    assert installed.version in run("--version")
    bills = [path for path in installed.files or () if path.parent.name == "sboms"]
    assert [json.loads(path.read_text())["metadata"]["component"]["version"] for path in bills] == [installed.version]
    run("train", "--recipe", "mlp", "--epochs", "1", "--out", "run")
    assert Path("run/report.html").exists()
    assert "%" in run("evaluate", "run/model.safetensors")
    (_, _), (images, labels) = digitscope.load_mnist()
    Image.fromarray(255 - images[0]).resize((112, 112)).save("digit.png")
    assert str(labels[0]) in run("predict", "digit.png")
    assert "eq-5.4" in section_page("05-backpropagation", "en").html
    check_lab()


if __name__ == "__main__":
    main()
