"""The process that trains beside the lab's server, so that drawing stays fast.

It reads commands and writes what happens, each as a line of JSON. When its input ends, because the server has ended in
whatever way, it saves the training and ends, too. The next server's trainer finds the training in the folder.
"""

import contextlib
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import load_data
from digitscope.errors import DigitscopeError, DivergenceError, TrainingError
from digitscope.jobs.layer_health import LayerHealth, layer_health
from digitscope.jobs.symptoms import Guess, Symptom, label_symptoms, training_symptoms
from digitscope.jobs.timeline import Experiment, Results, Timeline
from digitscope.lab.encoding import encoded, finite
from digitscope.metrics import confusion_matrix
from digitscope.nn import BatchNorm, Conv2D, Dense, Residual
from digitscope.training import Epoch, Plan, SingleStep, default_threads
from digitscope.training.inference import outputs_in_chunks, quiet_overflow
from digitscope.training.parallel.interpreter import own_pipes
from digitscope.training.settings import recorded_settings

Message = dict[str, Any]

COLUMNS = (
    *("epoch", "step", "loss", "accuracy", "learning_rate", "gradient_norm"),
    *("validation_loss", "validation_accuracy"),
)
"""The columns of a history that the page draws."""
REPORT_SECONDS = 0.1
"""Minimum time between two reports of the position and the curve."""
INSPECTION_SECONDS, INSPECTION_SHARE = 0.5, 0.02
"""Minimum time between two inspections of the layers, and their share of the training's time."""
PROBE = 100
"""Training images with which layers are inspected."""
UNITS = 24
"""Units of the first layer whose weights are shown."""
MISTAKES = 24
VALIDATION_SECONDS = 0.6
"""When the training is paused, the validation images are read if that takes about this time at most. While it runs,
this is the minimum time between two of the validations that are sent."""
PATIENCE = 20.0
"""Seconds for which a trainer of a former server may still save the training."""
MAX_PACE = 5.0
"""Seconds for each step in slow motion."""

OPEN = ("running", "paused", "seeking")
"""The states of a training that has neither ended nor been stopped."""


class Trainer:
    """At most one training, and what is to be done with it next."""

    def __init__(self, send: Callable[[Message], None], commands: "queue.Queue[Message | None]", threads: int) -> None:
        self.send, self.commands, self.threads = send, commands, threads
        self.timeline: Timeline | None = None
        self.state = "none"
        self.problem: str | None = None
        self.pace = 0.0
        self.target: int | None = None
        self._then = "paused"
        """The state after the target was reached."""
        self._former_problem: str | None = None
        self.health: list[LayerHealth] = []
        self.data_symptoms: list[Symptom] = []
        self.guess = Guess(math.inf, 1.0)
        self._results: Results | None = None
        self._single: SingleStep | None = None
        self._sent: list[int] = []
        self._outputs: tuple[Array, int, int] | None = None
        """The outputs of the last validation, and the branch and step at which it was."""
        self._reported = self._inspected = self._validated = 0.0
        self._inspection_seconds = 0.0
        self._saves = 0

    def work(self) -> None:
        """Executes commands and trains, until the commands end."""
        while True:
            wait = self._results is None
            try:
                command = self.commands.get(block=wait or self.pace > 0, timeout=None if wait else self._until_next())
            except queue.Empty:
                self.advance()
                continue
            if command is None:
                break
            self._execute(command)
        self.leave()

    def _until_next(self) -> float:
        """The time until the next step, in slow motion."""
        return self.pace if self._single is not None and self.state == "running" else 0.001

    def _execute(self, command: Message) -> None:
        reply: Message = {"reply": command.get("id")}
        try:
            action = getattr(self, command["do"])
            values = {name: value for name, value in command.items() if name not in ("do", "id")}
            reply["value"] = action(**values)
        except DigitscopeError as error:
            reply["error"] = str(error)
        except (MemoryError, OSError) as error:
            reply["error"] = f"The training cannot go on: {error}."
        self.send(reply)

    def begin(self, folder: str, experiment: Mapping[str, Any]) -> None:
        timeline = Timeline.begin(Path(folder), Experiment.from_json(experiment))
        self._take(timeline)
        self._train()

    def open(self, folder: str) -> None:
        """Goes on with the training of a former server: as it was, running or not."""
        timeline, noted = Timeline.open(Path(folder), patience=PATIENCE)
        self._take(timeline)
        self.pace = float(noted.get("pace", 0.0))
        state, branch, step = noted.get("state", "paused"), noted["branch"], noted["step"]
        self._go(branch, step, then=state)
        self._former_problem = noted.get("problem")

    def run(self, pace: float = 0.0) -> None:
        timeline = self._open_timeline()
        self.pace = min(max(0.0, pace), MAX_PACE)
        if self.state == "running":
            return
        if timeline.is_finished:
            raise TrainingError("This training is at its end. Go back to an earlier step, or start a branch.")
        self._train()

    def pause(self) -> None:
        self._open_timeline()
        if self.state in ("running", "seeking"):
            self._arrive("paused")

    def step(self) -> None:
        """One batch."""
        timeline = self._open_timeline()
        if timeline.is_finished:
            raise TrainingError("This training is at its end. Go back to an earlier step, or start a branch.")
        self._go(timeline.branch, timeline.step + 1)

    def go(self, branch: int, step: int) -> None:
        self._open_timeline()
        self._go(branch, step)

    def fork(self, changes: Mapping[str, Any]) -> None:
        """Leaves the branch here and goes on with other settings."""
        timeline = self._open_timeline()
        if self.state in ("running", "seeking"):
            raise TrainingError("Pause the training before you change its settings.")
        timeline.fork(changes)
        self._sent.append(0)
        self._send_branch(timeline.branch)
        self._train()

    def model(self, path: str) -> Message:
        """Saves the network as it is now, ready for use."""
        timeline = self._open_timeline()
        if self.state == "seeking":
            raise TrainingError("The training is on its way to another step. Wait until it is there.")
        model = timeline.model(threads=self.threads)
        model.save(Path(path))
        return {"step": timeline.step, "branch": timeline.branch, "accuracy": model.info.validation_accuracy}

    def stop(self) -> None:
        self._open_timeline()
        self._arrive("stopped")

    def _open_timeline(self) -> Timeline:
        if self.timeline is None:
            raise TrainingError("There is no training. Start one.")
        return self.timeline

    def _take(self, timeline: Timeline) -> None:
        """Makes this the training, and says everything about it that does not change."""
        if self.timeline is not None:
            self.timeline.close()
        self.timeline, self.problem, self.health, self._outputs = timeline, None, [], None
        self._sent = [0] * len(timeline.branches)
        self._saves = timeline.saves
        t, plan = timeline.training, timeline.recipe.plan
        classes = timeline.data.classes
        self.guess = Guess.of(plan.loss, t.labels, classes)
        source = timeline.experiment.data
        self.data_symptoms = [] if source == "mnist" else label_symptoms(load_data(source))
        self.send(
            {
                "event": "opened",
                **_about(timeline),
                "guess": {name: finite(value) for name, value in asdict(self.guess).items()},
            }
        )
        for branch in range(len(timeline.branches)):
            self._send_branch(branch)

    def _is_wanted(self, step: int) -> bool:
        return self.pace > 0 or not self.commands.empty()

    def _go(self, branch: int, step: int, *, then: str = "paused") -> None:
        timeline = self._open_timeline()
        branch = timeline.branch_at(branch, step)
        self.target, self._then, self._former_problem = step, then, None
        results = timeline.go(branch, step, threads=self.threads, is_wanted=lambda _: not self.commands.empty())
        self._start(results, "seeking")

    def _train(self) -> None:
        """Goes on from the current step."""
        timeline = self._open_timeline()
        self._start(timeline.results(threads=self.threads, is_wanted=self._is_wanted), "running")

    def _start(self, results: Results, state: str) -> None:
        self._close_results()
        self._results, self.state, self.problem = results, state, None
        self._single = None
        self._note_state()
        self._report(force=True)

    def _close_results(self) -> None:
        results, self._results = self._results, None
        if results is not None:
            results.close()

    def advance(self) -> None:
        """Takes the next result of the training."""
        timeline = self._open_timeline()
        assert self._results is not None
        try:
            result = next(self._results, None)
        except DivergenceError as error:
            self._fail("diverged", str(error))
            return
        except (DigitscopeError, MemoryError, OSError) as error:
            self._fail("failed", str(error))
            return
        if result is None:
            self._end_of_results(timeline)
            return
        self._single = result if isinstance(result, SingleStep) else None
        if isinstance(result, Epoch):
            self._keep_outputs(result)
            if time.monotonic() - self._validated >= VALIDATION_SECONDS:
                self._send_validation()
        if timeline.saves != self._saves:
            self._saves = timeline.saves
            self._note_state()
        self._report()
        if self.pace > 0 or self._is_inspection_due():
            self._inspect()

    def _end_of_results(self, timeline: Timeline) -> None:
        if self.state == "seeking":
            if self._then == "running" and not timeline.is_finished:
                self._train()
                return
            self.problem = self._former_problem if self._then in ("diverged", "failed") else None
            state = self._then if self._then in ("stopped", "diverged", "failed") else "paused"
            self._arrive("finished" if timeline.is_finished and state == "paused" else state)
        else:
            timeline.save()
            self._arrive("finished")

    def _arrive(self, state: str) -> None:
        """Rests at the current step."""
        timeline = self._open_timeline()
        # The end of an epoch includes its validation.
        if self._results is not None and timeline.run.batch == timeline.batches:
            self._advance_to_epoch()
        self._close_results()
        self.state, self.target = state, None
        if state not in ("diverged", "failed"):
            timeline.save()
        self._note_state()
        self._report(force=True)
        self._inspect()
        self._validate_here()
        self._single = None

    def _advance_to_epoch(self) -> None:
        for result in self._results or ():
            if isinstance(result, Epoch):
                self._keep_outputs(result)
                return

    def _keep_outputs(self, result: Epoch) -> None:
        timeline = self._open_timeline()
        if result.outputs is not None:
            self._outputs = result.outputs, timeline.branch, timeline.step

    def _fail(self, state: str, problem: str) -> None:
        self._close_results()
        self.state, self.problem, self.target = state, problem, None
        with contextlib.suppress(DigitscopeError, OSError):
            self._note_state()
        self._report(force=True)
        self._send_symptoms()

    def leave(self) -> None:
        """Saves the training for the next server."""
        if self.timeline is None:
            return
        self._close_results()
        with contextlib.suppress(DigitscopeError, OSError):
            if self.state in ("running", "paused") and self.timeline.run.batch < self.timeline.batches:
                self.timeline.save()
                self._note_state()
        self.timeline.close()

    def _note_state(self) -> None:
        timeline = self._open_timeline()
        noted = {"state": self.state, "pace": self.pace, "problem": self.problem}
        if self.state == "seeking" and self.target is not None:
            noted["state"] = self._then
            timeline.write_state(noted, position=(timeline.branch, self.target))
        elif timeline.run.batch < timeline.batches:
            timeline.write_state(noted)

    def _report(self, *, force: bool = False) -> None:
        """The position, and what is new of the curve."""
        now = time.monotonic()
        if not force and now - self._reported < REPORT_SECONDS and self._single is None:
            return
        timeline = self._open_timeline()
        self._reported = now
        self._send_points(timeline.branch)
        run = timeline.run
        single = None
        if self._single is not None:
            names = ("step", "loss", "accuracy", "learning_rate", "gradient_norm")
            single = {name: finite(getattr(self._single, name)) for name in names}
        self.send(
            {
                "event": "position",
                "state": self.state,
                "problem": self.problem,
                "branch": timeline.branch,
                "step": timeline.step,
                "epoch": run.epoch,
                "target": self.target,
                "pace": self.pace,
                "seconds": run.seconds,
                "single": single,
            }
        )

    def _send_points(self, branch: int) -> None:
        timeline = self._open_timeline()
        curve, first = timeline.curves[branch], self._sent[branch]
        count = len(curve["step"])
        if count <= first:
            return
        points = {name: [finite(value) for value in curve[name][first:]] for name in COLUMNS}
        self.send({"event": "points", "branch": branch, "from": first, "points": points})
        # The last one is sent again, because its validation may still come.
        self._sent[branch] = count - 1

    def _send_branch(self, number: int) -> None:
        timeline = self._open_timeline()
        branch = timeline.branches[number]
        self.send(
            {
                "event": "branch",
                "number": number,
                "parent": branch.parent,
                "step": branch.step,
                "changes": branch.changes,
                "steps": timeline.steps_of(number),
                "plan": plan_settings(timeline.plan_of(number)),
            }
        )
        self._send_points(number)

    def _is_inspection_due(self) -> bool:
        since = time.monotonic() - self._inspected
        return since >= max(INSPECTION_SECONDS, self._inspection_seconds / INSPECTION_SHARE)

    def _inspect(self) -> None:
        """The layers' figures, the first layer's weights, and what goes wrong."""
        timeline = self._open_timeline()
        began = time.monotonic()
        t, learner = timeline.training, timeline.run.learner
        self.health = layer_health(learner, timeline.plan.loss, t.images[:PROBE], t.labels[:PROBE])
        weights = first_weights(learner.params, t.images.shape[1:])
        self.send(
            {
                "event": "inspection",
                "branch": timeline.branch,
                "step": timeline.step,
                "layers": [asdict(layer) for layer in self.health],
                "weights": None if weights is None else encoded(weights),
            }
        )
        self._send_symptoms()
        self._inspected = time.monotonic()
        self._inspection_seconds = self._inspected - began

    def _send_symptoms(self) -> None:
        timeline = self._open_timeline()
        found = training_symptoms(
            timeline.run.history,
            self.health,
            self.guess,
            minimum=timeline.plan.loss.minimum(timeline.data.classes),
            validation_images=len(timeline.training.validation[1]),
        )
        if self.state == "diverged":
            found = [Symptom("diverged", {}), *(symptom for symptom in found if symptom.key != "rate-too-high")]
        symptoms: list[Message] = [
            {
                "key": symptom.key,
                "values": {n: v if isinstance(v, str) else finite(v) for n, v in symptom.values.items()},
            }
            for symptom in (*self.data_symptoms, *found)
        ]
        self.send({"event": "symptoms", "branch": timeline.branch, "step": timeline.step, "symptoms": symptoms})

    def _validate_here(self) -> None:
        """Reads the validation images at the current step, unless that takes long or the weights are not finite."""
        timeline = self._open_timeline()
        t, run = timeline.training, timeline.run
        seconds = self._inspection_seconds / 3 / PROBE * len(t.validation[1])
        known = self._outputs is not None and self._outputs[1:] == (timeline.branch, timeline.step)
        if not known and self.state != "diverged" and seconds < VALIDATION_SECONDS and self.commands.empty():
            outputs = outputs_in_chunks(run.outcome(t.images), t.validation[0], threads=self.threads)
            self._outputs = outputs, timeline.branch, timeline.step
        self._send_validation()

    def _send_validation(self) -> None:
        timeline = self._open_timeline()
        images, labels = timeline.training.validation
        if self._outputs is None or not len(labels):
            return
        outputs, branch, step = self._outputs
        found = validation_results(outputs, timeline.plan.loss.probabilities(outputs), images, labels)
        self.send({"event": "validation", "branch": branch, "step": step, **found})
        self._validated = time.monotonic()


def validation_results(outputs: Array, probabilities: Array, images: Array, labels: Array) -> Message:
    """The confusion matrix, and the mistakes with the highest probability, for outputs (classes, N)."""
    digits = outputs.argmax(axis=0)
    wrong = np.flatnonzero(digits != labels)
    confidence = probabilities[digits[wrong], wrong]
    chosen = wrong[np.argsort(-confidence, kind="stable")[:MISTAKES]]
    return {
        "accuracy": float(np.mean(digits == labels)),
        "images": len(labels),
        "wrong": len(wrong),
        "confusion": confusion_matrix(labels, digits, len(outputs)).tolist(),
        "mistakes": [
            {
                "label": int(labels[i]),
                "digit": int(digits[i]),
                "probability": finite(float(probabilities[digits[i], i])),
            }
            for i in chosen
        ],
        "pictures": encoded(images[chosen]),
    }


def first_weights(params: Mapping[str, Array], shape: tuple[int, ...]) -> Array | None:
    """The weights of the first units of the first layer as pictures, (units, height, width); None if they are none."""
    weights = next((array for name, array in params.items() if name.endswith("weight")), None)
    if weights is None:
        return None
    if weights.ndim == 4:
        maps: Array = weights[:UNITS].mean(axis=1)
        return maps
    return weights[:UNITS].reshape(-1, *shape) if weights.shape[1] == math.prod(shape) else None


def plan_settings(plan: Plan) -> dict[str, Any]:
    """The settings of a plan that pages show."""
    named = {"optimizer": plan.optimizer, "schedule": plan.schedule, "augment": plan.augment, "loss": plan.loss}
    return {
        "epochs": plan.epochs,
        "learning_rate": plan.schedule.learning_rate,
        "batch_size": plan.batch_size,
        "weight_decay": plan.optimizer.weight_decay,
        **recorded_settings(named),
    }


def _about(timeline: Timeline) -> Message:
    """What is trained, and on what."""
    t, network = timeline.training, timeline.run.learner
    height, width = t.images.shape[1:]
    names = [(name, layer) for name, layer in network.named_layers() if not layer.parts or isinstance(layer, Residual)]
    return {
        "experiment": timeline.experiment.as_json(),
        "data": timeline.data.name,
        "train_images": len(t.labels),
        "validation_images": len(t.validation[1]),
        "classes": timeline.data.classes,
        "shape": [height, width],
        "batches": timeline.batches,
        "members": len(timeline.run.learners),
        "parameters": sum(p.size for p in timeline.run.network.params.values()),
        "layers": [{"name": name, "kind": type(layer).__name__, "units": _units(layer)} for name, layer in names],
        "notices": list(t.notices),
    }


def _units(layer: object) -> int | None:
    if isinstance(layer, Dense):
        return layer.out_features
    if isinstance(layer, Conv2D):
        return len(layer.params["weight"])
    return layer.channels if isinstance(layer, BatchNorm) else None


def _read(lines: IO[bytes], commands: "queue.Queue[Message | None]") -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            commands.put(json.loads(line))
    commands.put(None)


def main() -> None:
    """Commands come on standard input, messages go to standard output."""
    lines, out = own_pipes()

    def send(message: Message) -> None:
        # The server may have ended; then the end of the input follows.
        with contextlib.suppress(OSError, ValueError):
            out.write(json.dumps(message).encode() + b"\n")
            out.flush()

    commands: queue.Queue[Message | None] = queue.Queue()
    threading.Thread(target=_read, args=(lines, commands), daemon=True).start()
    with quiet_overflow():  # What is not finite is noticed in losses and outputs.
        Trainer(send, commands, default_threads()).work()
