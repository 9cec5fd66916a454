"""What a class teaches the network: computed beside the server, and described for the page."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitscope.jobs.teach import TeachSettings
from digitscope.jobs.teach_class import NOT_A_DIGIT, ClassLesson, teach_class
from digitscope.lab.encoding import encoded
from digitscope.lab.teaching import rounds_progress
from digitscope.model import Model

SHOWN = 60
"""Held-out drawings that are shown with both answers, those whose answer changed first."""


def teach_beside(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    phones: list[str],
    settings: TeachSettings,
    seed: int,
    progress: Callable[[float], None],
) -> ClassLesson:
    """`teach_class` with its progress from 0 to 1."""
    return teach_class(model, images, labels, phones, settings=settings, seed=seed, callback=rounds_progress(progress))


def lesson_figures(lesson: ClassLesson, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What the page shows of a lesson. `images`: all drawings that the lesson was given."""
    right_before, right_after = lesson.before == lesson.labels, lesson.after == lesson.labels
    order = sorted(range(len(lesson.labels)), key=lambda i: (bool(right_before[i] == right_after[i]), i))
    result = lesson.result
    return {
        "learned": len(lesson.learned),
        "writers_learned": lesson.writers_learned,
        "writers_held_out": lesson.writers_held_out,
        "held_out": len(lesson.labels),
        "before": lesson.correct_before,
        "after": lesson.correct_after,
        "fixed": int((right_after & ~right_before).sum()),
        "broken": int((right_before & ~right_after).sum()),
        "mnist": result.evaluated,
        "mnist_before": result.correct_before,
        "mnist_after": result.correct_after,
        "learned_read": int(result.learned.sum()),
        "drawings": [
            {
                "image": encoded(images[lesson.held_out[i]]),
                "meant": int(lesson.labels[i]),
                "before": _digit(lesson.before[i]),
                "after": _digit(lesson.after[i]),
            }
            for i in order[:SHOWN]
        ],
    }


def _digit(read: int) -> int | None:
    return None if read == NOT_A_DIGIT else int(read)
