"""`digitscope evaluate --robust` without the terminal: how a network does on pictures that get worse, whether it knows
how sure it may be, and on which of MNIST's test images it fails.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.augmentation.corruptions import CORRUPTIONS, STRENGTHS
from digitscope.calibration import fit_temperature, temper
from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import DISPUTED, HALVES, is_mnist_test
from digitscope.metrics import Evaluation, accuracy, wilson_interval
from digitscope.model import Model
from digitscope.recipes.held_out import held_out

Rows = list[list[str]]
"""A table for people: its headings, then its rows."""

Track = Callable[[Sequence[tuple[str, int]]], Iterable[tuple[str, int]]]
"""Passes on what it is given, and may show how far that is."""


@dataclass(frozen=True)
class Share:
    """What share of some images was read right."""

    images: int
    accuracy: float

    @classmethod
    def of(cls, labels: Array, answers: Array) -> "Share":
        return cls(len(labels), accuracy(labels, answers))

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true accuracy lies with 95 % probability."""
        return wilson_interval(self.accuracy, self.images)

    def as_json(self) -> dict[str, Any]:
        return {"images": self.images, "accuracy": self.accuracy, "interval": list(self.interval)}


@dataclass(frozen=True)
class MnistTest:
    """What can be told apart in MNIST's test images."""

    shares: dict[str, Share]
    """Of all, of each half, and of those whose label nobody disputes."""
    answers: tuple[int, ...]
    """What the network reads in the images of DISPUTED, in that order."""
    images: Array
    """Those images."""

    @classmethod
    def of(cls, images: Array, labels: Array, answers: Array) -> "MnistTest":
        disputed = [dispute.index for dispute in DISPUTED]
        undisputed = np.delete(np.arange(len(labels)), disputed)
        parts: dict[str, Any] = {"all": slice(None), **HALVES, f"without the {len(DISPUTED)} disputed": undisputed}
        shares = {name: Share.of(labels[part], answers[part]) for name, part in parts.items()}
        return cls(shares, tuple(answers[disputed].tolist()), images[disputed])

    @property
    def as_labelled(self) -> int:
        """How many of the disputed images are read as their label says."""
        return sum(answer == dispute.label for answer, dispute in zip(self.answers, DISPUTED, strict=True))

    @property
    def as_raters(self) -> int:
        """How many are read as most of the people did who disputed the label."""
        return sum(answer == dispute.raters for answer, dispute in zip(self.answers, DISPUTED, strict=True))

    def halves_text(self) -> str:
        return "High-school students wrote the first half, Census Bureau employees the last."

    def disputed_text(self) -> str:
        decided = sum(dispute.raters is not None for dispute in DISPUTED)
        return (
            f"{self.as_labelled} of the {len(DISPUTED)} are read as labelled, and {self.as_raters} of the {decided} "
            "where most people saw one other digit as they did."
        )

    def as_json(self) -> dict[str, Any]:
        disputed = [
            {
                "index": d.index,
                "label": d.label,
                "other": d.other,
                "votes": d.votes,
                "raters": d.raters,
                "answer": answer,
            }
            for d, answer in zip(DISPUTED, self.answers, strict=True)
        ]
        return {"shares": {name: share.as_json() for name, share in self.shares.items()}, "disputed": disputed}

    def share_rows(self) -> Rows:
        rows = [["test images", "number", "accuracy, %", "95 % interval"]]
        for name, share in self.shares.items():
            low, high = share.interval
            rows.append(
                [name, f"{share.images:,}", f"{100 * share.accuracy:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"]
            )
        return rows

    def disputed_rows(self) -> Rows:
        rows = [["disputed image", "label", "people", "answer"]]
        for dispute, answer in zip(DISPUTED, self.answers, strict=True):
            people = (
                "divided" if max(dispute.votes) < 3 else "neither" if dispute.raters is None else str(dispute.raters)
            )
            rows.append([str(dispute.index), str(dispute.label), people, str(answer)])
        return rows


@dataclass(frozen=True)
class Robustness:
    """What came of it."""

    name: str
    """The model's recipe."""
    source: str
    """Which images were judged."""
    clean: Evaluation
    """On the images as they are."""
    seed: int
    """Where the randomness of the corruptions comes from."""
    corrupted: dict[str, tuple[Share, ...]]
    """Of each corruption, at strengths 1 to 5."""
    samples: Array
    """For each corruption one image as it is and at strengths 1 to 5, (corruptions, 6, H, W)."""
    temperature: float | None
    temperature_source: str
    """What the temperature was fitted on, or why there is none."""
    tempered: Evaluation | None
    """On the images as they are, with that temperature."""
    mnist: MnistTest | None
    """None where the images are not MNIST's test images."""

    @property
    def mean_accuracy(self) -> float:
        """The mean over all corruptions and strengths."""
        return float(np.mean([share.accuracy for shares in self.corrupted.values() for share in shares]))

    def temperature_text(self) -> str:
        if self.temperature is None:
            return f"No temperature was fitted: {self.temperature_source}."
        return f"The temperature {self.temperature:.3f} was fitted on {self.temperature_source}."

    def as_json(self) -> dict[str, Any]:
        """What `digitscope evaluate --robust --json` prints under "robustness"."""
        return {
            "seed": self.seed,
            "mean_accuracy": self.mean_accuracy,
            "corruptions": {
                name: {
                    "unit": CORRUPTIONS[name].unit,
                    "amounts": list(CORRUPTIONS[name].amounts),
                    "accuracy": [share.accuracy for share in shares],
                    "interval": [list(share.interval) for share in shares],
                }
                for name, shares in self.corrupted.items()
            },
            "temperature": self.temperature,
            "temperature_source": self.temperature_source,
            "calibration": _calibration(self.clean),
            "calibration_tempered": None if self.tempered is None else _calibration(self.tempered),
            "mnist": None if self.mnist is None else self.mnist.as_json(),
        }

    def corruption_rows(self) -> Rows:
        rows = [["accuracy, % at strength", *map(str, STRENGTHS)]]
        for name, shares in self.corrupted.items():
            kind = CORRUPTIONS[name]
            amount = f"{kind.amounts[0]:g} to {kind.amounts[-1]:g} {kind.unit}"
            rows.append([f"{name}, {amount}", *(f"{100 * share.accuracy:.1f}" for share in shares)])
        return rows

    def calibration_rows(self) -> Rows:
        judged, headings = [self.clean], ["calibration", "as it is"]
        if self.tempered is not None:
            judged.append(self.tempered)
            headings.append(f"T = {self.temperature:.3f}")
        return [
            headings,
            ["error in 15 bins, %", *(f"{100 * one.reliability.expected_calibration_error:.2f}" for one in judged)],
            ["negative log-likelihood, nats", *(f"{one.negative_log_likelihood:.4f}" for one in judged)],
            ["Brier score, 0 to 2", *(f"{one.brier_score:.4f}" for one in judged)],
        ]


def _calibration(result: Evaluation) -> dict[str, float]:
    return {
        "error": result.reliability.expected_calibration_error,
        "negative_log_likelihood": result.negative_log_likelihood,
        "brier_score": result.brier_score,
    }


def measure(
    model: Model, data: DataSet, *, threads: int | None = None, seed: int = 0, track: Track = iter
) -> Robustness:
    """Judges the model on the data's test images, or on all where none are set apart; the same seed, the same figures.

    The images at different strengths differ in nothing else: they turn the same way, bear the same noise.
    """
    part, images, labels = data.evaluation_split
    probabilities = model.predict_proba(images, threads=threads)
    kinds = list(CORRUPTIONS)
    corrupted: dict[str, list[Share]] = {name: [] for name in kinds}
    # The first eight images, one for each corruption.
    shown = np.arange(len(kinds)) % len(images)
    samples = np.repeat(images[shown][:, None], 1 + len(STRENGTHS), axis=1)
    for name, strength in track([(name, strength) for name in kinds for strength in STRENGTHS]):
        number = kinds.index(name)
        worse = CORRUPTIONS[name](images, strength, np.random.default_rng([seed, number]))
        corrupted[name].append(Share.of(labels, model.predict(worse, threads=threads)))
        samples[number, strength] = worse[shown[number]]
    validation, source = _validation(model, data)
    temperature = tempered = None
    if validation is not None:
        held_out = model.predict_proba(data.x_train[validation], threads=threads)
        temperature = fit_temperature(data.y_train[validation], held_out)
        tempered = Evaluation.of(labels, temper(probabilities, temperature))
    return Robustness(
        name=model.info.recipe or "the model",
        source=f"{part} of {data.name}",
        clean=Evaluation.of(labels, probabilities),
        seed=seed,
        corrupted={name: tuple(shares) for name, shares in corrupted.items()},
        samples=samples,
        temperature=temperature,
        temperature_source=source,
        tempered=tempered,
        mnist=MnistTest.of(images, labels, probabilities.argmax(axis=1)) if is_mnist_test(images, labels) else None,
    )


def _validation(model: Model, data: DataSet) -> tuple[Array | None, str]:
    """Which training images the model did not learn from, and how many in words; or None, and why."""
    if model.info.data_digest != data.digest:
        return None, f"the model did not learn from {data.name}, so no images were held out there"
    if data.x_test is None:
        return None, "no test images are set apart, so it would be judged on the images that it is fitted on"
    validation = held_out(model.info, data)
    if validation is None:
        return None, "the model file does not say which images were held out"
    return validation, f"{len(validation):,} validation images"


def write_page(path: Path, model: Path, result: Robustness) -> None:
    """Writes the tables and figures as one self-contained page. model: the file it was measured of."""
    from digitscope import report  # matplotlib: only now, where a page is asked for

    clean = result.clean
    kinds = CORRUPTIONS.values()
    worse = report.corruption_figure(
        list(CORRUPTIONS),
        [kind.unit for kind in kinds],
        [kind.amounts for kind in kinds],
        np.array([[clean.accuracy, *(share.accuracy for share in shares)] for shares in result.corrupted.values()]),
        result.samples,
        clean.images,
    )
    sections: list[tuple[str, str, Any]] = [
        (
            "Where pictures get worse",
            "Accuracy in per cent at growing strength, and below it one of the images that were judged.",
            worse,
        ),
        (
            "The same in numbers",
            f"Of all {clean.images:,} images each time; {100 * result.mean_accuracy:.2f} % on average.",
            result.corruption_rows(),
        ),
        (
            "Whether it knows how sure to be",
            "Of the answers given with some probability, the share that was right. On the diagonal they agree.",
            report.calibration_figure(clean.reliability, result.tempered.reliability if result.tempered else None),
        ),
        ("The same in numbers", f"The lower, the better. {result.temperature_text()}", result.calibration_rows()),
    ]
    if result.mnist is not None:
        texts = [
            (f"read {answer}", f"label {label}", f"people {people}")
            for _, label, people, answer in result.mnist.disputed_rows()[1:]
        ]
        sections += [
            (
                "Where people dispute the label",
                f"Of five people, fewer than three saw what the label says. {result.mnist.disputed_text()}",
                report.disputed_figure(result.mnist.images, texts),
            ),
            ("Which of the test images it reads", result.mnist.halves_text(), result.mnist.share_rows()),
        ]
    low, high = clean.interval
    facts = [
        ("Accuracy", f"{100 * clean.accuracy:.2f} %"),
        ("95 % interval", f"{100 * low:.2f} to {100 * high:.2f} %"),
        ("On worse pictures", f"{100 * result.mean_accuracy:.2f} %"),
        ("Images", f"{clean.images:,}, {result.source}"),
        ("Model", str(model)),
    ]
    report.write_report(
        path,
        title=f"Digitscope: how robust {result.name} is",
        lead="How it does on pictures that get worse, and whether it knows how sure it may be.",
        facts=facts,
        sections=sections,
    )
