"""What all rooms share: the folder, the models, the data, the events."""

import contextlib
import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from digitscope.bundled import DEFAULT_MODEL, SHIPPED
from digitscope.datasets import DataSet, load_data
from digitscope.errors import DigitscopeError
from digitscope.files.atomic import TEMPORARY, unwritable
from digitscope.lab.access import Access
from digitscope.lab.events import Hub
from digitscope.lab.routes import NotFoundError
from digitscope.model import Model

T = TypeVar("T")
GIVEN = "given"
"""The name of the model that the lab was started with, if it is not a bundled one."""
CACHED = 6
"""Models that stay in memory."""


class Lab:
    """The state of a server. Its methods may be called from any thread.

    folder: everything that the lab writes is in it; it is made when something is written.
    model: the model that pages begin with, as `Model.load` takes it.
    """

    def __init__(self, folder: Path, model: str | Path = DEFAULT_MODEL) -> None:
        self.folder = folder
        self.hub = Hub()
        self._given = None if str(model) in SHIPPED else Path(model)
        self.default_model = str(model) if self._given is None else GIVEN
        self._cached: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()
        self.access: Access | None = None
        """How others reach the lab; None if only this machine does."""
        self.teacher = threading.Lock()
        """Held by the lesson that is running: one at a time, whichever room began it."""
        self._at_close: list[Callable[[], None]] = []
        self._shared: dict[Callable[[Lab], Any], Any] = {}
        self._shared_lock = threading.RLock()

    @cached_property
    def mnist(self) -> DataSet:
        """MNIST."""
        return load_data("mnist")

    def model(self, name: str) -> Model:
        """The model of this name: a bundled one, GIVEN, or one that the lab keeps.

        Raises: NotFoundError if there is none of this name; ModelError if its file is damaged.
        """
        with self._lock:
            if name in self._cached:
                self._cached.move_to_end(name)
                return self._cached[name]
        model = Model.load(self._path(name))
        with self._lock:
            self._cached[name] = model
            while len(self._cached) > CACHED:
                self._cached.popitem(last=False)
        return model

    def model_names(self) -> list[str]:
        """The names that `model` takes: the default first, then the bundled ones, then the newest of those kept."""
        kept = sorted(self._models.glob("*.safetensors"), key=_written, reverse=True)
        names = [self.default_model, *SHIPPED, *(path.stem for path in kept)]
        return list(dict.fromkeys(names))

    def keep(self, model: Model, kind: str) -> str:
        """Saves a model in the folder and returns its name: the kind and a digest of its content, so that the same
        model has the same name.

        Raises: DigitscopeError if it cannot be written.
        """
        written = self._models / f"{kind}-{secrets.token_hex(8)}{TEMPORARY}"
        try:
            model.save(written)
            name = f"{kind}-{hashlib.sha256(written.read_bytes()).hexdigest()[:12]}"
            written.replace(self._models / f"{name}.safetensors")
        except OSError as error:
            raise unwritable(written, error) from error
        finally:
            written.unlink(missing_ok=True)
        return name

    def shared(self, make: Callable[["Lab"], T]) -> T:
        """What `make(lab)` returned when it was first asked for: the state of a room, one for the lab."""
        with self._shared_lock:
            if make not in self._shared:
                self._shared[make] = make(self)
            found: T = self._shared[make]
            return found

    def at_close(self, end: Callable[[], None]) -> None:
        """Has a function called when the server ends, such as one that ends a process."""
        self._at_close.append(end)

    def close(self) -> None:
        """Ends what the rooms have begun, in reverse order."""
        while self._at_close:
            with contextlib.suppress(DigitscopeError, OSError):
                self._at_close.pop()()

    @property
    def _models(self) -> Path:
        return self.folder / "models"

    def _path(self, name: str) -> str | Path:
        if name in SHIPPED:
            return name
        if name == GIVEN and self._given is not None:
            return self._given
        path = self._models / f"{name}.safetensors"
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", name) is None or not path.is_file():
            raise NotFoundError(f"The lab has no model {name!r}. It has {', '.join(self.model_names())}.")
        return path


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted in the meantime
        return 0.0
