"""The lab's page "One step" as a widget for notebooks. It needs the extra digitscope[notebook].

from digitscope.notebook import OneStep

OneStep()
"""

import html
import posixpath
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy.typing as npt

from digitscope.arguments import check_number, check_whole
from digitscope.arrays import as_images, as_labels
from digitscope.bundled import SHIPPED
from digitscope.errors import DataError, DigitscopeError
from digitscope.lab.encoding import base64_text
from digitscope.lab.frame import STATIC, languages, text, texts
from digitscope.lab.requests import from_json, from_query
from digitscope.lab.rooms import notes, step
from digitscope.lab.routes import NotFoundError, Route
from digitscope.lab.state import GIVEN, Lab
from digitscope.model import Model
from digitscope.recipes import RECIPES
from digitscope.training.settings import NAMED_OPTIMIZERS, by_name

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("Widgets for notebooks need anywidget: pip install 'digitscope[notebook]'.") from error

__all__ = ["OneStep"]

ROUTES = {(route.method, route.path): route for route in step.ROUTES}
STYLES = ("shell.css", "step/room.css", "notes/text.css", "notebook/widget.css")
REPLACED = {"state.js": "notebook/state.js"}
"""Modules of the page that are others in a notebook."""
LEAST_HEIGHT = 300
"""Pixels."""


class OneStep(anywidget.AnyWidget):
    """One step of training, with every number of the network forwards and backwards, as in the lab.

    Click a number to see the products that sum to it, its formula and its code; arrow keys go through the stages.

    Parameters
    ----------
    x, y: images, as `digitscope.arrays.as_images` takes them, and the labels to learn, at most 16. None: the first
        test image of MNIST.
    network: the name of a recipe, for its network before training, or a trained `Model`.
    seed: of the weights before training and of dropout.
    optimizer: "gradient-descent", "momentum", "nesterov", "adam" or "adamw".
    learning_rate: of the step.
    height: of the widget, in pixels. language: "en" or "es".

    Attributes
    ----------
    state: what is shown at the moment, such as {"at": "0.forward", ...}: the settings that differ from the page's own.

    Raises: DigitscopeError for other images, labels, networks and settings.
    """

    _esm = STATIC / "notebook" / "widget.js"
    state = traitlets.Dict().tag(sync=True)
    height = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        x: npt.ArrayLike | None = None,
        y: npt.ArrayLike | None = None,
        network: str | Model = "seed",
        *,
        seed: int = 12,
        optimizer: str = "gradient-descent",
        learning_rate: float = 0.01,
        height: int = 800,
        language: str = "en",
    ) -> None:
        check_whole("height", height, LEAST_HEIGHT)
        check_whole("seed", seed, 0)
        check_number("learning_rate", learning_rate, least=0)
        by_name("language", dict.fromkeys(languages()), language)
        by_name("optimizer", NAMED_OPTIMIZERS, optimizer)
        if not isinstance(network, Model):
            by_name("network", RECIPES, network)
        self._lab = _KernelLab(network if isinstance(network, Model) else None)
        self._language = language
        state: dict[str, Any] = {"seed": seed, "optimizer": optimizer, "rate": learning_rate}
        if isinstance(network, Model):
            shape = network.image_shape
            state |= {"network": GIVEN, "start": "trained"}
        else:
            shape = (step.SIDE, step.SIDE)
            state |= {"network": network, "start": "new"}
        if x is not None or y is not None:
            state["images"] = _step_images(x, y, shape)
        asked = {"images": [{"label": 7, "index": 0}], **state}
        step.outline(self._lab, from_json(step.StepRequest, {"step": asked}))
        super().__init__(state=state, height=height)
        self.on_msg(self._answer)

    def _answer(self, widget: Any, message: Any, buffers: Any) -> None:
        """Answers a request of the page."""
        try:
            status, content = 200, self._content(message)
        except DigitscopeError as error:
            status, content = 404 if isinstance(error, NotFoundError) else 400, {"error": str(error)}
        self.send({"id": message["id"], "status": status, "content": content})

    def _content(self, message: Any) -> object:
        """Raises: DigitscopeError for requests that the lab would not answer, either."""
        address = urlsplit(message["path"])
        if address.path == "/step":
            return {"html": _page(self._language), "modules": modules("step/room.js")}
        if address.path.startswith("/static/texts/"):
            return texts(self._language)
        if address.path.startswith("/notes/"):
            found = notes.section(self._lab, {"name": address.path.removeprefix("/notes/")}, self._language)
            return {"html": _chapter(found.html, self._language)}
        route = ROUTES.get((message["method"], address.path))
        if route is None:
            raise NotFoundError(f"There is no {message['method']} {address.path}.")
        return self._handled(route, dict(parse_qsl(address.query)), message.get("body"))

    def _handled(self, route: Route, query: dict[str, str], body: Any) -> object:
        kind = route.request
        if kind is None:
            return route.handle(self._lab)
        request = from_query(kind, query) if route.method == "GET" else from_json(kind, body)
        return route.handle(self._lab, request)


class _KernelLab(Lab):
    """A lab without a folder: it has the bundled models, and one of the notebook."""

    def __init__(self, given: Model | None) -> None:
        super().__init__(Path())
        self._model = given

    def model(self, name: str) -> Model:
        if name == GIVEN and self._model is not None:
            return self._model
        if name not in SHIPPED:
            raise NotFoundError(f"There is no model {name!r}. There are {', '.join(self.model_names())}.")
        return super().model(name)

    def model_names(self) -> list[str]:
        return [*SHIPPED, *([GIVEN] if self._model is not None else [])]


def modules(name: str) -> list[dict[str, str]]:
    """A script of the lab's pages and all that it imports, each after its imports, which are named from /static on."""
    found: dict[str, str] = {}

    def add(name: str) -> None:
        if name in found:
            return
        source = (STATIC / REPLACED.get(name, name)).read_text(encoding="utf-8")
        found[name] = ""  # a name that is met again within its own imports would be a circle
        folder = posixpath.dirname(name)
        for import_ in re.findall(r'^import .*? from "(\.[^"]*)";$', source, re.MULTILINE):
            inner = posixpath.normpath(posixpath.join(folder, import_))
            add(inner)
            source = source.replace(f'from "{import_}"', f'from "/static/{inner}"')
        del found[name]
        found[name] = source

    add(name)
    return [{"name": f"/static/{name}", "source": source} for name, source in found.items()]


def _page(language: str) -> str:
    """The page as the lab has it, without its header and without scripts, which the widget adds."""
    styles = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)
    return f"""<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><title>{html.escape(text(language, "step.title"))}</title>
<style>
{styles}
</style></head>
<body class="room-step bare ready">
<main id="main" tabindex="-1">
</main>
</body>
</html>
"""


def _chapter(page: str, language: str) -> str:
    """The article of a page of the notes, with a button to close it."""
    article = re.search(r"<article\b.*</article>", page, re.DOTALL)
    close = html.escape(text(language, "common.close"))
    return f'<nav><button class="quiet">{close}</button></nav>\n{article[0] if article else ""}'


def _step_images(x: npt.ArrayLike | None, y: npt.ArrayLike | None, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """Images with their labels as the page's state has them."""
    if x is None or y is None:
        raise DataError("OneStep expects images and their labels, or neither; got one of them.")
    images = as_images(x, shape=shape)
    if not 1 <= len(images) <= step.MOST_IMAGES:
        raise DataError(f"OneStep expects 1 to {step.MOST_IMAGES} images; got {len(images)}.")
    labels = as_labels(y, len(images))
    return [
        {"label": int(label), "pixels": base64_text(image.tobytes())}
        for image, label in zip(images, labels, strict=True)
    ]
