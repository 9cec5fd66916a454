"""What was answered for each picture, and the figures of many answers."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.pictures.examples import Example
from digitscope.errors import DigitscopeError
from digitscope.model import Model
from digitscope.reader import read
from digitscope.vision import prepare

CONFIDENT = 0.9
CLAIMED = 0.5


@dataclass(frozen=True, eq=False)
class Result:
    """The answer for a picture."""

    example: Example
    text: str
    """The digit, or the text of a number; empty if there is none."""
    confidence: float
    accepted: bool
    """Whether anything is read: a digit that is not rejected, or at least one digit of a number."""
    evidence: float = -np.inf
    """The evidence that the picture is a digit, in nats."""
    digit_confidences: tuple[float, ...] = ()
    seconds: float = 0.0
    processor_seconds: float = 0.0

    @property
    def right(self) -> bool:
        if not self.accepted:
            return not self.example.text
        return digits_by_line(self.text) == digits_by_line(self.example.text)

    @property
    def right_as_written(self) -> bool:
        return as_written(self.text) == as_written(self.example.text)

    @property
    def right_text(self) -> str:
        return self.example.text.replace("\n", "|") or "nothing"

    @property
    def answer_text(self) -> str:
        """The answer with its confidence, and in brackets what was rejected: 4 (0.98), nothing (4 0.63)"""
        if self.accepted:
            return f"{self.text} ({self.confidence:.2f})".replace("\n", "|")
        return f"nothing ({self.text} {self.confidence:.2f})" if self.text else "nothing"


def answer(example: Example, model: Model, refuse: float) -> Result:
    """Reads a picture. A picture that cannot be read has no answer."""
    read_one = answer_digit if example.task in ("digit", "not a digit") else answer_number
    start, processor_start = time.perf_counter(), time.process_time()
    found = read_one(example.picture, model, refuse)
    seconds, processor_seconds = time.perf_counter() - start, time.process_time() - processor_start
    return Result(example, **found, seconds=seconds, processor_seconds=processor_seconds)


def answer_digit(picture: Any, model: Model, refuse: float) -> dict[str, Any]:
    try:
        answered = model.answers(prepare(picture, model.image_shape).image[None], refuse=refuse, threads=1)[0]
    except DigitscopeError:
        return {"text": "", "confidence": 1.0, "accepted": False}
    return {
        "text": str(answered.digit),
        "confidence": answered.probability,
        "accepted": answered.is_digit,
        "evidence": answered.evidence,
    }


def answer_number(picture: Any, model: Model, refuse: float) -> dict[str, Any]:
    try:
        reading = read(picture, model, threads=1)
    except DigitscopeError:
        return {"text": "", "confidence": 1.0, "accepted": False}
    confidences = tuple(digit.confidence for line in reading.lines for digit in line.digits)
    return {
        "text": reading.text,
        "confidence": reading.confidence,
        "accepted": bool(confidences),
        "digit_confidences": confidences,
    }


def digits_by_line(text: str) -> tuple[str, ...]:
    """The digits of each line that has any, without signs and blanks."""
    lines = ("".join(character for character in line if character in "0123456789") for line in text.splitlines())
    return tuple(line for line in lines if line)


def as_written(text: str) -> str:
    """The text with single blanks between numbers and none beside signs."""
    lines = (re.sub(r" *([^\w ]) *", r"\1", " ".join(line.split())) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def edit_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """The smallest number of insertions, deletions and substitutions that turn a into b (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def area_under_roc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The probability that a digit has more evidence than a picture that is not a digit; ties count half."""
    p, n = np.array(positive)[:, None], np.array(negative)
    return float((p > n).mean() + (p == n).mean() / 2)


def mean_over_sources(results: Sequence[Result]) -> float:
    """The mean over sources of the share of right answers."""
    by_source = _grouped(results, "source")
    return float(np.mean([_mean(result.right for result in of_source) for of_source in by_source.values()]))


def digit_figures(results: Sequence[Result]) -> dict[str, float]:
    """Of pictures of one digit."""
    refused = [result for result in results if not result.accepted]
    return {
        "pictures": len(results),
        "right": _mean(result.right for result in results),
        "right_mean_over_sources": mean_over_sources(results),
        "refused": len(refused) / len(results),
        "refused_with_right_digit": sum(result.text == result.example.text for result in refused) / len(results),
        "wrong_with_confidence": _mean(
            result.accepted and not result.right and result.confidence >= CONFIDENT for result in results
        ),
        **_seconds(results),
    }


def number_figures(results: Sequence[Result]) -> dict[str, float]:
    """Of pictures of numbers."""
    confident = [result for result in results if result.confidence >= CONFIDENT]
    pairs = [tuple("\n".join(digits_by_line(text)) for text in (r.text, r.example.text)) for r in results]
    return {
        "pictures": len(results),
        "right": _mean(result.right for result in results),
        "right_mean_over_sources": mean_over_sources(results),
        "right_as_written": _mean(result.right_as_written for result in results),
        "character_errors": sum(edit_distance(*pair) for pair in pairs) / sum(len(text) for _, text in pairs),
        "nothing_found": _mean(not result.accepted for result in results),
        "confident": len(confident) / len(results),
        "confident_errors": _mean(not result.right for result in confident),
        **_seconds(results),
    }


def nothing_figures(results: Sequence[Result]) -> dict[str, float]:
    """Of pictures without digits. `claims_of_half` counts pictures, `digits_of_half` their digits."""
    sure = [result for result in results if result.accepted and result.confidence >= CLAIMED]
    return {
        "pictures": len(results),
        "claims": sum(result.accepted for result in results),
        "claims_of_half": len(sure),
        "digits_of_half": sum(sum(p >= CLAIMED for p in r.digit_confidences) for r in results),
        **_seconds(results),
    }


FIGURES: dict[str, Callable[[Sequence[Result]], dict[str, float]]] = {
    "digit": digit_figures,
    "not a digit": nothing_figures,
    "number": number_figures,
    "no number": nothing_figures,
}


def summary(results: Iterable[Result]) -> dict[str, Any]:
    """The figures by set and task: of all pictures, of each kind and, if there are several, of each source."""
    parts: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        parts[result.example.set, result.example.task].append(result)
    sets: dict[str, Any] = defaultdict(dict)
    for (name, task), part in parts.items():
        entry: dict[str, Any] = {"all": FIGURES[task](part)}
        others = parts.get((name, "not a digit"))
        if task == "digit" and others:
            entry["all"]["roc_area"] = area_under_roc([r.evidence for r in part], [r.evidence for r in others])
        kinds, sources = _grouped(part, "kind"), _grouped(part, "source")
        for key, groups in (("kinds", kinds), ("sources", sources)):
            if len(groups) > 1 and (key == "kinds" or groups != kinds):
                entry[key] = {group: FIGURES[task](of_group) for group, of_group in groups.items()}
        sets[name][task] = entry
    rounded: dict[str, Any] = _rounded(dict(sets))
    return rounded


def _grouped(results: Sequence[Result], by: Literal["kind", "source"]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[getattr(result.example, by)].append(result)
    return dict(groups)


def _mean(values: Iterable[bool]) -> float:
    """The share of True; 0 if there are no values."""
    found = list(values)
    return sum(found) / max(1, len(found))


def _seconds(results: Sequence[Result]) -> dict[str, float]:
    return {
        "seconds": float(np.median([result.seconds for result in results])),
        "processor_seconds": float(np.median([result.processor_seconds for result in results])),
        "longest_processor_seconds": max(result.processor_seconds for result in results),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
