"""What the book asks in its exercises: each answer is one that the exercise's code prints."""

import re

import pytest

from digitscope.notes.chapters import chapter_paths
from digitscope.notes.exercises import Asked, all_asked, asked_at, values
from digitscope.notes.section import markdown_parser, read_section

EVERY = [(path.stem, title, asked) for path in chapter_paths() for title, asked in all_asked(read_section(path))]


def test_numbers_and_truths_are_found_in_what_code_prints() -> None:
    assert values("[[-1.  1.]] True 183,844 images, 2e-3") == ["-1.", "1.", "True", "183,844", "2e-3"]
    assert values("['0.weight', 'input'] MaxPool2D False 83.1%") == ["False", "83.1"]
    assert values("(10, 784) −0.5") == ["10", "784", "−0.5"]


def test_an_answer_is_taken_from_the_output() -> None:
    asks = "<!-- asks: how far: 2;\nIs it near?: 3 -->"
    text = f"{asks}\n\n<details>\n\n```python\n1\n```\n\n```text\n1 2.5 True\n```\n\n</details>\n"
    tokens = markdown_parser().parse(text)
    assert asked_at(tokens, 0) == [Asked("how far", "2.5"), Asked("Is it near?", "True")]
    assert asked_at(tokens, 1) == []
    with pytest.raises(IndexError):
        asked_at(markdown_parser().parse(text.replace(": 3", ": 4")), 0)


def test_most_exercises_with_an_answer_in_numbers_can_be_checked() -> None:
    assert len(EVERY) >= 45
    assert {stem for stem, _, _ in EVERY} == {path.stem for path in chapter_paths()}
    written = sum(path.read_text("utf-8").count("<!-- asks: ") for path in chapter_paths())
    assert len(EVERY) == written


@pytest.mark.parametrize(("stem", "title", "asked"), EVERY, ids=lambda value: value if isinstance(value, str) else "")
def test_a_question_is_answered_by_yes_or_no_and_nothing_else_is(stem: str, title: str, asked: list[Asked]) -> None:
    for one in asked:
        assert one.label.endswith("?") == (one.expected in ("True", "False")), one
        assert re.search(r"\w", one.label)
    assert len({one.label for one in asked}) == len(asked)
