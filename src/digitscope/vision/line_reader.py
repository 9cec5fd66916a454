"""Reads a line of writing: from its ink to its text, with a box for each character and the probability of the text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

import numpy as np

from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.errors import ModelError
from digitscope.files.rounded_weights import rounded, unrounded
from digitscope.files.tensors import open_tensors, write_tensors
from digitscope.nn.ctc import BLANK, align, beam_search
from digitscope.nn.layer import Layer, build, describe
from digitscope.vision.characters import Box, Cuttings, InkComponents, Place, Strokes, box_of_ink, middle
from digitscope.vision.line_image import HEIGHT, MARGIN, ink_rows, line_image

LINE_NETWORK = Path(__file__).parent / "networks" / "line.safetensors"
"""The weights that come with Digitscope."""
ALPHABET = "0123456789-+.,/:()=%$ ?"
"""What is read. ? stands for a run of letters, or anything else that is written. Class 0 is CTC's blank, class k is
ALPHABET[k - 1]."""
DIGITS = slice(1, 11)
"""The classes of the digits."""
OTHER = "?"
_LETTERS = re.compile(rf"[^\d ]*{re.escape(OTHER)}[^\d ]*")
PRESENT = 0.35
"""The least height of what is a digit by itself, as a share of the height of the line's digits."""
REACH = 0.2
"""The greatest gap between the strokes of a digit, as a share of the same."""
SIGN_REACH = 0.35
"""The greatest distance of a sign's strokes from its place, as a share of the same: farther away is other writing."""


def to_labels(text: str) -> list[int]:
    """The classes of a text. Raises: ValueError for a character that is not in ALPHABET."""
    return [ALPHABET.index(character) + 1 for character in text]


def to_text(labels: list[int]) -> str:
    """The text of classes from 1."""
    return "".join(ALPHABET[label - 1] for label in labels)


def as_written(text: str) -> str:
    """A line's text for people: without letters, and with at most one blank between two numbers.

    Signs that touch letters belong to them: of No.5 and km/h no point and no slash is left. A colon or a comma at the
    beginning belongs to a word that was not found. Points of decimal numbers may have room beside them, as in 29 . 56.
    """
    text = " ".join(_LETTERS.sub(" ", text).split()).lstrip(":, ")
    return re.sub(r"(?<=\d) ?\. ?(?=\d)", ".", text)


@dataclass(frozen=True)
class Character:
    """A character of a line: a digit, a sign, a space, or OTHER."""

    text: str
    confidence: float
    """The probability that this character is here, according to the alternatives."""
    box: Box


@dataclass(frozen=True)
class LineReading:
    """What a line says."""

    characters: tuple[Character, ...]
    confidence: float
    """The probability of the whole text."""
    alternatives: tuple[tuple[str, float], ...]
    """The most probable texts and their probabilities; the first is the line's."""

    @property
    def text(self) -> str:
        return "".join(character.text for character in self.characters)

    @property
    def digits(self) -> str:
        """The digits alone."""
        return "".join(character.text for character in self.characters if character.text.isdigit())


@dataclass(frozen=True, eq=False)
class LineLogits:
    """The network's outputs for a line, from which it is read as text or as one digit."""

    logits: Array
    """(classes, T)"""
    image: Array
    """(HEIGHT, W): the line as the network saw it."""
    scale: float
    """Columns of the ink along the side of one of the image's pixels."""
    ink: Array
    """(H, W'): the line's ink, 0 paper to 1 ink."""
    top: float
    """The upper edge of the digits, in rows of the ink."""
    bottom: float

    @cached_property
    def log_p(self) -> Array:
        """(classes, T)"""
        z = self.logits.astype(np.float64)
        z -= z.max(axis=0)
        log_p: Array = z - np.log(np.exp(z).sum(axis=0))
        return log_p

    @cached_property
    def _components(self) -> InkComponents:
        return InkComponents(self.ink)

    def read(self, *, width: int = 16, n_best: int = 5) -> LineReading:
        """The most probable text. width: of the beam"""
        found = [(labels, float(np.exp(value))) for labels, value in beam_search(self.logits, width=width)]
        labels, confidence = found[0]
        texts = [(to_text(other), p) for other, p in found]
        kept = shares_kept(texts[0][0], texts)
        boxes = self.boxes(list(map(middle, self.characters(self.places(labels)))))
        characters = tuple(map(Character, to_text(labels), kept, boxes))
        return LineReading(characters, confidence, tuple(texts[:n_best]))

    def digit(self) -> Array:
        """The probability that the line has exactly one digit and this is k, for k from 0 to 9, (10,).

        Other characters beside it do not matter. With q[t] the probability of anything but a digit at place t,
        P[k] = sum over t1 <= t2 of prod_{t < t1} q[t]  prod_{t1 <= t <= t2} p[k,t]  prod_{t > t2} q[t]
        """
        log_digits = self.log_p[DIGITS]
        others = np.delete(self.log_p, np.arange(len(ALPHABET) + 1)[DIGITS], axis=0)
        log_none = np.logaddexp.reduce(others, axis=0)
        before, during, after = 0.0, np.full(10, -np.inf), np.full(10, -np.inf)
        for log_k, log_q in zip(log_digits.T, log_none, strict=True):
            after = np.logaddexp(after, during) + log_q
            during = np.logaddexp(during, before) + log_k
            before += float(log_q)
        p: Array = np.exp(np.logaddexp(during, after))
        return p

    def characters(self, places: Sequence[Place]) -> list[Cuttings]:
        """The ink of each label, cut in every way from labels that touch it. places: of the labels"""
        return self._components.divide(places)

    def others(self, places: Sequence[Place]) -> list[Box]:
        """The boxes of writing that belongs to no label: the network said nothing of it."""
        return self._components.others(places, PRESENT * (self.bottom - self.top))

    def places(self, labels: list[int]) -> list[Place]:
        """Where the ink of each label is."""
        step = self.scale * self.image.shape[1] / self.logits.shape[1]
        height, reach, within = (share * (self.bottom - self.top) for share in (PRESENT, REACH, SIGN_REACH))
        places = []
        for character, (first, last) in zip(to_text(labels), align(self.logits, labels), strict=True):
            column = (first + last + 1) / 2 * step - MARGIN * self.scale
            if character.isdigit():
                places.append(Place(column, height, reach))
            elif character in (" ", OTHER):
                places.append(Place(column, height if character == OTHER else 0.0))
            else:
                places.append(Place(column, 1.0, within=within))
        return places

    def boxes(self, strokes: Sequence[Strokes]) -> list[Box]:
        """The box of each label's ink; what has none is as high as the line, and lies between its neighbours."""
        found = list(map(box_of_ink, strokes))
        boxes, right = [], 0.0
        for k, box in enumerate(found):
            following = next((other[0] for other in found[k + 1 :] if other), float(self.ink.shape[1]))
            boxes.append(box or (right, self.top, max(right, following), self.bottom))
            right = boxes[-1][2]
        return boxes


def shares_kept(best: str, texts: list[tuple[str, float]]) -> list[float]:
    """For each character of a text, the share of the texts' probability in which it is kept."""
    kept, total = np.zeros(len(best)), 0.0
    for text, p in texts:
        total += p
        for block in SequenceMatcher(None, best, text, autojunk=False).get_matching_blocks():
            kept[block.a : block.a + block.size] += p
    shares: list[float] = (kept / max(total, 1e-300)).tolist()
    return shares


class LineReader:
    """The network that reads lines: images (1, HEIGHT, W, N) -> logits (classes, T, N)."""

    def __init__(self, network: Layer) -> None:
        self.network = network

    def __call__(self, ink: Array, top: float | None = None, bottom: float | None = None) -> LineLogits:
        """What the network says of a line's ink, 0 paper to 1 ink.

        top, bottom: the digits' upper and lower edge, if they are known

        Shapes: (H, W)
        """
        if top is None or bottom is None:
            top, bottom = ink_rows(ink)
        image, scale, _ = line_image(ink, top, bottom)
        width = -(-image.shape[1] // 4) * 4
        x = np.zeros((1, HEIGHT, width, 1), np.float32)
        x[0, :, : image.shape[1], 0] = image
        with blas_threads(1):  # as in `ink_map`
            logits = self.network.forward(x, need_dx=False)[0]
        return LineLogits(logits[..., 0], x[0, ..., 0], scale, ink, top, bottom)

    def read(self, ink: Array, top: float | None = None, bottom: float | None = None) -> LineReading:
        """The line's text, boxes and confidence. Shapes: (H, W), 0 paper to 1 ink"""
        return self(ink, top, bottom).read()

    def save(self, path: Path) -> None:
        """Writes the network to a file, its weights as `rounded`."""
        arrays = {f"params.{name}": value for name, value in rounded(self.network.params).items()}
        arrays |= {f"statistics.{name}": value.astype(np.float32) for name, value in self.network.statistics.items()}
        write_tensors(path, "model", arrays, {"alphabet": ALPHABET, "blank": BLANK, "network": describe(self.network)})

    @classmethod
    def load(cls, path: Path) -> "LineReader":
        """Raises: ModelError if the file cannot be read or is not a line reader."""
        with open_tensors(path, "model") as file:
            if file.about.get("alphabet") != ALPHABET:
                raise ModelError(f"{path.name}: expected a line reader of {ALPHABET!r}; it reads others or is another.")
            network = build(file.about["network"])
            arrays = unrounded(file.read())
        for kind in ("params", "statistics"):
            values = {n.partition(".")[2]: array for n, array in arrays.items() if n.startswith(kind + ".")}
            setattr(network, kind, values)
        return cls(network)
