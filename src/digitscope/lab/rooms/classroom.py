"""The class: a teacher's wall and the phones that draw to it."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import DataError, NoInkError
from digitscope.jobs.teach_class import CLASS_SETTINGS, ClassLesson
from digitscope.lab.class_lesson import lesson_figures, teach_beside
from digitscope.lab.class_session import CLASSES, ClassDrawing, ClassSession, Task, confusion
from digitscope.lab.digit_files import FileForm, digits_file
from digitscope.lab.drawings import DrawnStroke, pen_strokes
from digitscope.lab.encoding import encoded
from digitscope.lab.qr import qr_svg
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import ConflictError, Download, NotFoundError, Page, Right, Route
from digitscope.lab.state import Lab
from digitscope.lab.teaching import Lesson
from digitscope.model import Answer, Model
from digitscope.vision.drawing import PenStroke, draw_strokes, prepare_drawing

NEWEST = 48
"""Drawings that the wall shows."""
MISREAD = 8
"""Drawings that it shows large because they were misread."""
MAX_POINTS = 4000
"""Points of a drawing, all strokes together."""
LARGEST_DRAWING = 1 << 17
"""Bytes of a drawing as JSON."""

PhoneId = Annotated[str, Bounds(1, 64)]
Digit = Annotated[int, Bounds(0, CLASSES - 1)]
DrawingNumber = Annotated[int, Bounds(1, 1 << 31)]
ModelName = Annotated[str, Bounds(1, 100)]


class Classroom:
    """The lab's class, the model that reads its drawings, and its lesson."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.session = ClassSession()
        self.lesson = Lesson(lab.teacher, lambda _: self.changed())
        self.model = lab.default_model
        lab.at_close(self.lesson.cancel)

    def changed(self) -> None:
        """Tells all walls to ask for the news."""
        self._lab.hub.publish("class", self.session.version)

    def use(self, name: str) -> None:
        """Has the model of this name read what comes.

        Raises: NotFoundError; DataError if it does not read digits of MNIST's size.
        """
        model = self._lab.model(name)
        if model.image_shape != (28, 28) or model.classes != CLASSES:
            raise DataError(
                f"A class expects a model that reads {CLASSES} digits of 28x28 pixels; {name} reads {model.classes} "
                f"classes of {model.image_shape[0]}x{model.image_shape[1]}. Choose another."
            )
        self.model = name


def classroom(lab: Lab) -> Classroom:
    """The lab's classroom."""
    return lab.shared(Classroom)


@dataclass(frozen=True)
class PhoneRequest:
    phone: PhoneId


@dataclass(frozen=True)
class SentDrawing:
    phone: PhoneId
    meant: Digit
    strokes: Annotated[tuple[DrawnStroke, ...], Bounds(1, 100)]
    expected: bool | None = None
    """Whether the pupil expects it to be read as meant."""


@dataclass(frozen=True)
class WallRequest:
    after: Annotated[int, Bounds(0, 1 << 31)] = 0
    """The pictures of drawings up to this number are known already."""


@dataclass(frozen=True)
class CellRequest:
    meant: Digit
    read: Annotated[int, Bounds(0, CLASSES)]
    """A digit, or 10: not a digit."""


@dataclass(frozen=True)
class ClassModelRequest:
    model: ModelName


@dataclass(frozen=True)
class FreezeRequest:
    frozen: bool


@dataclass(frozen=True)
class TaskRequest:
    task: Task
    digit: Digit = 7


@dataclass(frozen=True)
class HideRequest:
    number: DrawingNumber
    hidden: bool = True


@dataclass(frozen=True)
class NumberRequest:
    number: DrawingNumber


@dataclass(frozen=True)
class LearnRequest:
    seed: Annotated[int, Bounds(0, 1 << 31)] = 0


@dataclass(frozen=True)
class ClassFileRequest:
    format: FileForm


@dataclass(frozen=True)
class AddressRequest:
    address: Annotated[int, Bounds(0, 15)] = 0
    """The place of the address among those of the wall."""


def join(lab: Lab) -> dict[str, object]:
    """Takes a phone into the class. Its id is null if the class is not open or full."""
    room = classroom(lab)
    name = room.session.join()
    if name is not None:
        room.changed()
    return {"phone": name, "open": room.session.is_open}


def phone(lab: Lab, request: PhoneRequest) -> dict[str, object]:
    """What a phone shows: whether the class goes on, and what it is asked to draw."""
    view = classroom(lab).session.view(request.phone)
    return {"state": view.state, "task": view.task, "asked": view.asked, "sent": view.sent, "right": view.right}


def send(lab: Lab, request: SentDrawing) -> dict[str, object]:
    """Reads a drawing and puts it on the wall."""
    room = classroom(lab)
    refusal = room.session.reserve(request.phone)
    if refusal is not None and refusal != "muted":
        return {"refused": refusal}
    model = lab.model(room.model)
    try:
        image, answer = _read(model, draw_strokes(pen_strokes(request.strokes, MAX_POINTS)))
    except NoInkError:
        return {"refused": "empty"}
    read = answer.digit if answer.is_digit else None
    if refusal is None:
        refusal = room.session.add(
            request.phone, request.meant, image, read, answer.probability, answer.plausible, request.expected
        )
        if refusal is not None:
            return {"refused": refusal}
        room.changed()
    return {"refused": None, **_reading(answer), "right": read == request.meant, "image": encoded(image)}


def wall(lab: Lab, request: WallRequest) -> dict[str, object]:
    """Everything that the wall shows. Pictures of drawings that are known already are left out."""
    room = classroom(lab)
    session = room.session
    version = session.version
    shown = session.drawings()
    misread = [drawing for drawing in shown if not drawing.is_right]
    guesses = [drawing for drawing in shown if drawing.expected is not None]
    task, digit = session.task
    joined, active = session.phones()
    return {
        "version": version,
        "open": session.is_open,
        "frozen": session.is_frozen,
        "task": task,
        "digit": digit,
        "model": room.model,
        "models": lab.model_names(),
        "phones": joined,
        "active": active,
        "count": len(shown),
        "right": len(shown) - len(misread),
        "not_digits": sum(drawing.read is None for drawing in shown),
        "hidden": len(session.drawings(hidden=True)),
        "guesses": len(guesses),
        "guessed": sum(drawing.expected == drawing.is_right for drawing in guesses),
        "confusion": confusion(shown).tolist(),
        "newest": [_shown(drawing, request.after) for drawing in shown[: -NEWEST - 1 : -1]],
        "misread": [_shown(drawing, request.after) for drawing in misread[: -MISREAD - 1 : -1]],
        "lesson": room.lesson.state,
        "addresses": list(lab.access.addresses) if lab.access else [],
        "code": lab.access.keys.shown_code if lab.access else None,
    }


def cell(lab: Lab, request: CellRequest) -> list[dict[str, object]]:
    """The drawings of one cell of the confusion matrix, the newest first."""
    read = None if request.read == CLASSES else request.read
    found = [d for d in classroom(lab).session.drawings() if (d.meant, d.read) == (request.meant, read)]
    return [_shown(drawing, 0) for drawing in found[: -NEWEST - 1 : -1]]


def hidden(lab: Lab) -> list[dict[str, object]]:
    """The drawings that are hidden, the newest first."""
    return [_shown(drawing, 0) for drawing in classroom(lab).session.drawings(hidden=True)[: -NEWEST - 1 : -1]]


def start(lab: Lab, request: ClassModelRequest) -> None:
    """Opens the class: phones can join and draw."""
    room = classroom(lab)
    room.use(request.model)
    _read(lab.model(request.model), draw_strokes([PenStroke(np.array([[0.5, 0.2, 0.5], [0.5, 0.8, 0.5]]), 0.07)]))
    room.session.start()
    room.changed()


def end(lab: Lab) -> None:
    """Ends the class: phones are forgotten, drawings stay until they are cleared."""
    room = classroom(lab)
    room.session.end()
    room.changed()


def use_model(lab: Lab, request: ClassModelRequest) -> None:
    """Has another model read what comes."""
    room = classroom(lab)
    room.use(request.model)
    room.session.touch()
    room.changed()


def freeze(lab: Lab, request: FreezeRequest) -> None:
    """Stops taking drawings, or goes on."""
    room = classroom(lab)
    room.session.freeze(request.frozen)
    room.changed()


def ask_for(lab: Lab, request: TaskRequest) -> None:
    """Changes what the phones ask for."""
    room = classroom(lab)
    room.session.ask_for(request.task, request.digit)
    room.changed()


def hide(lab: Lab, request: HideRequest) -> None:
    """Hides a drawing, or shows it again. Hidden drawings are not counted, learned or downloaded."""
    _known(lab, request.number, classroom(lab).session.hide(request.number, request.hidden))


def mute(lab: Lab, request: NumberRequest) -> None:
    """Hides all drawings of the phone that sent this one, and all that it sends from now on."""
    _known(lab, request.number, classroom(lab).session.mute(request.number))


def clear(lab: Lab) -> None:
    """Forgets all drawings and the lesson."""
    room = classroom(lab)
    room.session.clear()
    room.lesson.clear()
    room.changed()


def learn(lab: Lab, request: LearnRequest) -> None:
    """Teaches the network the class's drawings; those of some phones are held out to evaluate it."""
    room = classroom(lab)
    former = room.model
    model, examples = lab.model(former), room.session.examples()

    def keep(lesson: ClassLesson) -> dict[str, object]:
        name = lab.keep(lesson.result.model, "class")
        return {"outcome": {**lesson_figures(lesson, examples.images), "model": name, "former_model": former}}

    arguments = (model, examples.images, examples.labels, examples.phones, CLASS_SETTINGS, request.seed)
    room.lesson.start(teach_beside, arguments, keep)


def cancel(lab: Lab) -> None:
    """Ends a lesson that is running, without a result."""
    classroom(lab).lesson.cancel()


def download(lab: Lab, request: ClassFileRequest) -> Download:
    """The class's digits as a file."""
    examples = classroom(lab).session.examples()
    if not len(examples.labels):
        raise ConflictError("There are no drawings yet. Start the class and let the phones draw.")
    return digits_file("class", request.format, examples.images, examples.labels)


def qr(lab: Lab, request: AddressRequest) -> Download:
    """The QR code with which phones join at one of the lab's addresses."""
    links = lab.access.links if lab.access else ()
    if request.address >= len(links):
        raise NotFoundError(f"The lab has {len(links)} addresses for phones; address {request.address} is not one.")
    return Download("join.svg", "image/svg+xml", qr_svg(links[request.address]))


def _known(lab: Lab, number: int, known: bool) -> None:
    if not known:
        raise NotFoundError(f"The class has no drawing {number}. It may have been cleared.")
    classroom(lab).changed()


def _read(model: Model, ink: Array) -> tuple[NDArray[np.uint8], Answer]:
    """The image of a drawing, and what the model reads in it. The first call takes a second: modules are loaded.

    Raises: NoInkError if nothing is drawn.
    """
    image = prepare_drawing(ink).image
    (answer,) = model.answers(image[None], threads=1)
    return image, answer


def _reading(answer: Answer) -> dict[str, object]:
    return {
        "read": answer.digit if answer.is_digit else None,
        "probability": answer.probability,
        "plausible": [{"digit": k, "probability": float(answer.probabilities[k])} for k in answer.plausible],
    }


def _shown(drawing: ClassDrawing, known: int) -> dict[str, object]:
    return {
        "number": drawing.number,
        "meant": drawing.meant,
        "read": drawing.read,
        "probability": drawing.probability,
        "expected": drawing.expected,
        "image": encoded(drawing.image) if drawing.number > known else None,
    }


PAGES = [
    Page("/class", "class"),
    Page("/phone", "phone", right=Right.DRAW, bare=True),
    Page("/join", "join", right=Right.VISIT, bare=True),
    Page("/join/again", "join", right=Right.VISIT, bare=True),
]
ROUTES = [
    Route("POST", "/api/class/join", "Takes a phone into the class.", join, Right.DRAW, 64),
    Route("POST", "/api/class/phone", "What a phone shows.", phone, Right.DRAW, 256),
    Route("POST", "/api/class/send", "Reads a drawing and puts it on the wall.", send, Right.DRAW, LARGEST_DRAWING),
    Route("GET", "/api/class/wall", "Everything that the wall shows.", wall),
    Route("GET", "/api/class/cell", "The drawings of one cell of the confusion matrix.", cell),
    Route("GET", "/api/class/hidden", "The drawings that are hidden.", hidden),
    Route("POST", "/api/class/start", "Opens the class.", start),
    Route("POST", "/api/class/end", "Ends the class.", end),
    Route("POST", "/api/class/model", "Has another model read what comes.", use_model),
    Route("POST", "/api/class/freeze", "Stops taking drawings, or goes on.", freeze),
    Route("POST", "/api/class/task", "Changes what the phones ask for.", ask_for),
    Route("POST", "/api/class/hide", "Hides a drawing, or shows it again.", hide),
    Route("POST", "/api/class/mute", "Hides all drawings of a phone.", mute),
    Route("POST", "/api/class/clear", "Forgets all drawings and the lesson.", clear),
    Route("POST", "/api/class/learn", "Teaches the network the class's drawings.", learn),
    Route("POST", "/api/class/cancel", "Ends a lesson that is running.", cancel),
    Route("GET", "/api/class/download", "The class's digits as a file.", download),
    Route("GET", "/api/class/qr", "The QR code with which phones join.", qr),
]
