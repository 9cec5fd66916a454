"""The test images that excite the units of a model most: found once for each model, beside the server."""

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitscope.explain.units import ExcitingImages, most_exciting
from digitscope.model import Model

COUNT = 9
"""Images for each unit."""
SEARCHED = 2000
"""Images that are searched: enough for every pattern that a unit may have learned, and done in seconds."""
_KEPT = 4
"""Models whose images stay in memory."""

Found = dict[str, ExcitingImages]


class ExcitingSearch:
    """Finds the images in one thread, one model after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Found | None] = OrderedDict()
        self._busy = threading.Lock()

    def of(self, name: str, model: Model, images: NDArray[np.uint8], done: Callable[[], object]) -> Found | None:
        """What was found for the model of this name, or None if the search has just begun or still goes on.

        done: is called at its end
        """
        with self._lock:
            if name in self._found:
                self._found.move_to_end(name)
                return self._found[name]
            self._found[name] = None
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        # A daemon: the lab does not wait for it when it ends.
        threading.Thread(target=self._search, args=(name, model, images[:SEARCHED], done), daemon=True).start()
        return None

    def _search(self, name: str, model: Model, images: NDArray[np.uint8], done: Callable[[], object]) -> None:
        with self._busy:
            found = most_exciting(model.network, images, min(COUNT, len(images)))
        with self._lock:
            if name in self._found:
                self._found[name] = found
        done()
