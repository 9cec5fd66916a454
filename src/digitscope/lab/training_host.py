"""The server's side of the training: it starts the trainer's process, sends it commands, and knows what it said."""

import contextlib
import itertools
import json
import shutil
import subprocess
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from digitscope.errors import DigitscopeError, TrainingError
from digitscope.jobs.timeline import STATE, Experiment
from digitscope.lab.routes import ConflictError
from digitscope.lab.state import Lab
from digitscope.lab.trainer import COLUMNS, OPEN, main
from digitscope.training.parallel.interpreter import Process, pipes_to, start_interpreter

Message = dict[str, Any]

PATIENCE = 120.0
"""Seconds for which an answer of the trainer is waited for: to begin may mean reading a large file."""
CLOSING = 1.0
"""Seconds for which the server, when it ends, waits for the trainer to save the training. It ends by itself later."""
NICENESS = 2
"""The server's answers come first."""
MAX_CRASHES = 3
"""After so many unexpected ends of the trainer, the training in the folder is not opened again."""


@dataclass
class TrainingView:
    """What the trainer has said so far: all that a page shows."""

    about: Message | None = None
    """The experiment, its data and network; None if there is no training."""
    position: Message = field(default_factory=lambda: {"state": "none"})
    branches: list[Message] = field(default_factory=list)
    curves: list[dict[str, list[Any]]] = field(default_factory=list)
    inspection: Message | None = None
    validation: Message | None = None
    symptoms: list[Message] = field(default_factory=list)

    def after(self, message: Message) -> "TrainingView":
        """The view with what a message of the trainer says; a new one if another training was opened."""
        content = {name: value for name, value in message.items() if name != "event"}
        match message["event"]:
            case "opened":
                return TrainingView(about=content)
            case "branch":
                self.branches[content["number"] :] = [content]
                self.curves[content["number"] :] = [{name: [] for name in COLUMNS}]
            case "points":
                curve = self.curves[content["branch"]]
                for name in COLUMNS:
                    curve[name][content["from"] :] = content["points"][name]
            case "position":
                self.position = content
            case "inspection":
                self.inspection = content
            case "validation":
                self.validation = content
            case "symptoms":
                self.symptoms = content["symptoms"]
        return self


def training_folder(lab: Lab) -> Path | None:
    """The folder of the newest training; None if there is none."""
    found = [path for path in (lab.folder / "training").glob("*") if path.name.isdecimal() and (path / STATE).is_file()]
    return max(found, key=lambda path: int(path.name), default=None)


class TrainingHost:
    """The training of a lab. The trainer's process is started when it is needed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lock = threading.RLock()
        """Held while the trainer is started, opens or begins a training."""
        self._view_lock = threading.Lock()
        self._process: Process | None = None
        self._view = TrainingView()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, SimpleQueue[Message]] = {}
        self._has_searched = False
        self._crashes = 0
        lab.at_close(self.close)

    @property
    def state(self) -> str:
        return str(self._view.position["state"])

    def view(self) -> TrainingView:
        """What is known of the training now. One that a former server left is opened."""
        self._find()
        with self._view_lock:
            # Messages are replaced by others and never changed; curves grow.
            curves = [{name: list(values) for name, values in curve.items()} for curve in self._view.curves]
            return replace(self._view, branches=list(self._view.branches), curves=curves)

    def begin(self, experiment: Experiment) -> None:
        """Starts a training in a new folder; the former one is deleted.

        Raises: ConflictError if one is under way; DigitscopeError if the new one cannot be started.
        """
        self._find()
        with self._lock:
            if self.state in OPEN:
                raise ConflictError(
                    "A training is under way, and there is one at a time. Stop it before you start another one."
                )
            former = self._folder()
            number = 1 if former is None else int(former.name) + 1
            folder = self._lab.folder / "training" / str(number)
            self.ask("begin", folder=str(folder), experiment=experiment.as_json())
            self._crashes = 0
            if former is not None:
                shutil.rmtree(former, ignore_errors=True)

    def ask(self, action: str, **values: Any) -> Any:
        """Has the trainer do something; returns its answer.

        Raises: DigitscopeError with the trainer's message; TrainingError if it does not answer.
        """
        with self._lock:
            number, answers = next(self._numbers), SimpleQueue[Message]()
            self._waiting[number] = answers
            commands, _ = pipes_to(self._running())
            try:
                commands.write(json.dumps({"do": action, "id": number, **values}).encode() + b"\n")
                commands.flush()
            except OSError as error:
                del self._waiting[number]
                raise TrainingError("The training has ended unexpectedly. Reload the page to open it again.") from error
        try:
            reply = answers.get(timeout=PATIENCE)
        except Empty:
            raise TrainingError(f"The training has not answered for {PATIENCE:g} seconds.") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in reply:
            raise DigitscopeError(reply["error"])
        return reply.get("value")

    def warm_up(self) -> None:
        """Starts the trainer's process, which takes some tenths of a second, before it is needed. Returns at once."""
        if self._process is None:
            threading.Thread(target=self._warm_up, daemon=True).start()

    def _warm_up(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._running()

    def resume(self) -> None:
        """Opens the training that a former server left running. Returns at once."""
        folder = self._folder()
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            if folder is not None and json.loads((folder / STATE).read_text())["noted"]["state"] == "running":
                threading.Thread(target=self._find, daemon=True).start()

    def close(self) -> None:
        """Lets the trainer save the training and end."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            pipes_to(process)[0].close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLOSING)

    def _find(self) -> None:
        """Opens the training in the folder, if there is one and it is not open."""
        with self._lock:
            ended = self._process is not None and self._process.poll() is not None
            if (self._has_searched and not ended) or self._crashes > MAX_CRASHES:
                return
            self._has_searched, self._crashes = True, self._crashes + ended
            folder = self._folder()
            if folder is None:
                return
            try:
                self.ask("open", folder=str(folder))
            except DigitscopeError as error:
                with self._view_lock:
                    self._view = TrainingView(position={"state": "none", "problem": str(error)})

    def _folder(self) -> Path | None:
        return training_folder(self._lab)

    def _running(self) -> Process:
        if self._process is None or self._process.poll() is not None:
            self._process = start_interpreter(main, niceness=NICENESS)
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self._process

    def _listen(self, process: Process) -> None:
        """Takes in what the trainer says, until it ends."""
        commands, lines = pipes_to(process)
        with contextlib.suppress(OSError, ValueError), lines:
            for line in lines:
                message: Message = json.loads(line)
                if "reply" in message:
                    if answers := self._waiting.get(message["reply"]):
                        answers.put(message)
                    continue
                with self._view_lock:
                    self._view = self._view.after(message)
                self._tell(message)
        process.wait()
        with contextlib.suppress(OSError):
            commands.close()
        for answers in list(self._waiting.values()):
            answers.put({"error": "The training has ended unexpectedly. Reload the page to open it again."})
        if self._process is process:
            with self._view_lock:
                self._view.position = position = {**self._view.position, "state": "none"}
            self._lab.hub.publish("train.position", position)

    def _tell(self, message: Message) -> None:
        """Tells the pages: positions and points as they are, of all else that there is something new."""
        topic = message["event"]
        if topic in ("position", "points"):
            self._lab.hub.publish(f"train.{topic}", {name: value for name, value in message.items() if name != "event"})
        else:
            self._lab.hub.publish("train.new", {"what": topic})


def host_of(lab: Lab) -> TrainingHost:
    """The training of this lab."""
    return lab.shared(TrainingHost)
