"""Teaches a model the digits of several writers, and measures what that changed on writers whom it did not learn from.

Drawings of one hand resemble each other. If the same hand is learned and evaluated, the accuracy says little about the
next hand, so whole writers are held out, never single drawings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_number, check_whole
from digitscope.arrays import Array, as_images, as_labels
from digitscope.datasets import DataSet
from digitscope.errors import DataError
from digitscope.jobs.teach import TeachResult, TeachSettings, teach
from digitscope.model import Model
from digitscope.training import Step

HELD_OUT_SHARE = 0.25
"""The fraction of the writers who are held out, rounded, but at least 1."""
LEAST_LEARNED = 5
"""The least number of drawings that are worth learning from."""
NOT_A_DIGIT = -1
"""Stands for a class where a model rejects an image."""
CLASS_SETTINGS = TeachSettings(learned_share=0.9)
"""In a class some drawings have wrong labels, by mistake or for fun. The network need not learn those."""


@dataclass(frozen=True, eq=False)
class ClassLesson:
    """What a model learned from a class, and what changed for writers who were held out."""

    result: TeachResult = field(repr=False)
    """The taught model, its examples, and the accuracy on the data that it was trained on, before and after."""
    learned: Array
    """The indices of the drawings that were learned, (N,). Equal drawings with different labels are not among them."""
    held_out: Array
    """The indices of the drawings of the writers who were held out, (M,)."""
    labels: Array
    """The labels of the held-out drawings, (M,)."""
    before: Array
    """What the old model read in them, (M,); NOT_A_DIGIT if it rejected them."""
    after: Array
    """What the new model reads in them, likewise."""
    writers_learned: int
    writers_held_out: int

    @property
    def correct_before(self) -> int:
        """The number of held-out drawings that the old model reads correctly."""
        return int((self.before == self.labels).sum())

    @property
    def correct_after(self) -> int:
        """The number of held-out drawings that the new model reads correctly."""
        return int((self.after == self.labels).sum())


def teach_class(
    model: Model,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    writers: Sequence[object],
    data: DataSet | str = "mnist",
    *,
    held_out_share: float = HELD_OUT_SHARE,
    settings: TeachSettings = CLASS_SETTINGS,
    seed: int = 0,
    threads: int | None = None,
    callback: Callable[[Step], object] | None = None,
) -> ClassLesson:
    """Teaches a copy of the model the drawings of most writers and evaluates both models on those of the others.

    writers: who drew each image; anything that can be compared and hashed
    held_out_share: the fraction of the writers who are held out
    Which writers are held out depends on the seed and on the order in which they first appear, nothing else.

    Shapes: images as `as_images` takes them, (N, H, W); labels (N,); writers N
    Raises: DataError if there are fewer than two writers or too few drawings to learn from; else as `teach`.
    """
    drawings = as_images(images, model.image_shape)
    checked = as_labels(labels, len(drawings), model.classes)
    if len(writers) != len(drawings):
        raise DataError(f"A writer is expected for each of {len(drawings)} drawings; got {len(writers)}.")
    learned, held_out = split_writers(writers, held_out_share, seed)
    learned = learned[_unambiguous(drawings[learned], checked[learned])]
    if len(learned) < LEAST_LEARNED:
        raise DataError(
            f"At least {LEAST_LEARNED} drawings to learn from are expected beside those that are held out; "
            f"got {len(learned)}. Collect more."
        )
    before = _readings(model, drawings[held_out], threads)
    result = teach(
        model,
        drawings[learned],
        checked[learned],
        data,
        settings=settings,
        seed=seed,
        threads=threads,
        callback=callback,
    )
    return ClassLesson(
        result=result,
        learned=learned,
        held_out=held_out,
        labels=checked[held_out],
        before=before,
        after=_readings(result.model, drawings[held_out], threads),
        writers_learned=len({writers[i] for i in learned}),
        writers_held_out=len({writers[i] for i in held_out}),
    )


def split_writers(writers: Sequence[object], share: float = HELD_OUT_SHARE, seed: int = 0) -> tuple[Array, Array]:
    """The indices of the drawings to learn, and of those by writers who are held out; both in order.

    Raises: DataError if there are fewer than two writers.
    """
    check_number("held_out_share", share, least=0, below=1)
    check_whole("seed", seed, 0)
    names = list(dict.fromkeys(writers))
    if len(names) < 2:
        raise DataError(f"At least 2 writers are expected, one to learn from and one to be held out; got {len(names)}.")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[i] for i in np.random.default_rng(seed).choice(len(names), count, replace=False)}
    is_held_out = np.array([writer in chosen for writer in writers])
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _readings(model: Model, images: Array, threads: int | None) -> Array:
    """The digit that the model reads in each image, (N,), NOT_A_DIGIT where it rejects it."""
    answers = model.answers(images, threads=threads)
    return np.array([answer.digit if answer.is_digit else NOT_A_DIGIT for answer in answers], np.int64)


def _unambiguous(images: Array, labels: Array) -> Array:
    """Whether no equal image has another label, (N,). A dot may be meant as any digit."""
    meanings: dict[bytes, set[int]] = {}
    for image, label in zip(images, labels, strict=True):
        meanings.setdefault(image.tobytes(), set()).add(int(label))
    return np.array([len(meanings[image.tobytes()]) == 1 for image in images], dtype=bool)
