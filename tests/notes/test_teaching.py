"""For teachers: what the lessons, the worksheet and the quiz compute is right, and they fit each other and the lab."""

import json
import re
from pathlib import Path

import pytest

from digitscope.notes.chapters import chapter_paths
from digitscope.notes.section import equations, figure_numbers, read_section
from docs.notes import ROOT
from docs.notes.checks import matrices
from docs.notes.run import run_chapter
from docs.notes.slides import slides

TEACHING = ROOT / "docs" / "teaching"
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(TEACHING.glob("*.md"))}
LESSONS = dict(re.findall(r"^## (\d+\. .*?)\n(.*?)(?=^## )", PAGES["lessons"], flags=re.MULTILINE | re.DOTALL))
QUESTIONS = dict(re.findall(r"^### (Q\d+)\. (.*?)(?=^##|\Z)", PAGES["quiz"], flags=re.MULTILINE | re.DOTALL))

every_page = pytest.mark.parametrize("name", PAGES)
every_lesson = pytest.mark.parametrize("lesson", LESSONS)


@every_page
def test_the_code_runs_and_prints_what_stands_there(name: str) -> None:
    done = run_chapter(TEACHING / f"{name}.md")
    assert done.returncode == 0, done.stdout + done.stderr


@every_page
def test_references_lead_to_equations_and_figures(name: str) -> None:
    text = re.sub(r"^```.*?^```", "", PAGES[name], flags=re.MULTILINE | re.DOTALL)
    sections = [read_section(path) for path in chapter_paths()]
    assert set(re.findall(r"\((\d+\.\d+)\)", text)) <= {e.number for s in sections for e in equations(s)}
    assert set(re.findall(r"[Ff]igure (\d+\.\d+)", text)) <= {n for s in sections for n in figure_numbers(s)}


def test_there_are_ten_lessons() -> None:
    assert [int(title.partition(".")[0]) for title in LESSONS] == list(range(1, 11))


@every_lesson
def test_a_lesson_has_all_its_parts_and_fills_ninety_minutes(lesson: str) -> None:
    text = LESSONS[lesson]
    parts = re.findall(r"^\*\*(\w+(?: \w+)?)\.\*\*", text, flags=re.MULTILINE)
    assert parts == ["Aim", "Read", "Say", "Show", "They think", "Homework"]
    minutes = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)–(\d+) \|", text, flags=re.MULTILINE)]
    ends = [0, *(end for _, end in minutes)]
    assert [begin for begin, _ in minutes] == ends[:-1]
    assert ends == sorted(ends)
    assert ends[-1] == 90


@every_lesson
def test_a_lesson_names_pages_of_the_lab_and_what_stands_on_them(lesson: str) -> None:
    texts = json.loads((ROOT / "src/digitscope/lab/static/texts/en.json").read_text("utf-8"))
    rooms = {texts[room]["title"] for room in ("explore", "draw", "train", "step", "class")}
    rows = re.findall(r"^\| \d+–\d+ \| (.*) \| ([^|]*) \|$", LESSONS[lesson], flags=re.MULTILINE)
    assert {where for _, where in rows} <= rooms | {"paper", "board", "notebook", "slides", "book", "quiz"}
    said = "\n".join(text for room in texts.values() if isinstance(room, dict) for text in room.values())
    for what, where in rows:
        if where in rooms:
            for name in re.findall(r'"([A-Z][^"]*)"', what):
                pattern = re.sub(r"Layer \d+: (\w+)", r"Layer {layer}, {kind}: \1", name)
                assert pattern.casefold() in said.casefold(), name


def test_each_question_of_the_quiz_is_asked_in_a_lesson() -> None:
    asked = re.findall(r"Q\d+", "".join(LESSONS.values()))
    assert set(asked) == QUESTIONS.keys() == {f"Q{n}" for n in range(1, 17)}
    for text in LESSONS.values():
        table, _, reasons = text.partition("**They think.**")
        assert set(re.findall(r"Q\d+", table)) == set(re.findall(r"Q\d+", reasons))


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_answer_is_right_and_each_other_one_says_what_is_thought(question: str) -> None:
    asked, _, answer = QUESTIONS[question].partition("<details><summary>Answer</summary>")
    choices = re.findall(r"^- \*\*([A-D])\*\* ", asked, flags=re.MULTILINE)
    right = re.findall(r"^\*\*([A-D])\.\*\*", answer, flags=re.MULTILINE)
    wrong = "".join(re.findall(r"^- ([A-D](?: and [A-D])?) ", answer, flags=re.MULTILINE)).replace(" and ", "")
    assert len(right) == 1
    assert sorted([*right, *wrong]) == choices


def test_sheet_a_of_the_worksheet_is_the_step_of_chapter_5() -> None:
    given = PAGES["worksheet"].partition("## Forward")[0]
    found = [
        [[float(x) for x in row.split("&")] for row in body.split(r"\\")]
        for body in re.findall(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}", given)
    ]
    x, target, w1, b1 = (m.tolist() for m in matrices("5.9"))
    w2, b2 = (m.tolist() for m in matrices("5.10"))
    assert found[:6] == [w1, b1, w2, b2, target, x]


def test_sheet_a_has_the_key_of_chapter_5() -> None:
    key = PAGES["worksheet"].partition("key(XA)\n```\n\n```text\n")[2].partition("```")[0]
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d{3}", key)]
    loss, after = numbers[24], numbers[-1]
    printed = [x for n in range(11, 19) for m in matrices(f"5.{n}") for x in m.ravel()]
    computed = numbers[:24] + numbers[25:-1]
    first = 24 + 4 + 8 + 2 + 8 + 8 + 12 + 4  # up to the step, whose order is another one
    assert computed[:first] == pytest.approx(printed[:first], abs=0.0006)
    assert sorted(computed[first:]) == pytest.approx(sorted(printed[first:]), abs=0.0006)
    chapter = (ROOT / "docs/notes/05-backpropagation.md").read_text("utf-8")
    assert f"loss before: {loss:.3f}\nloss after:  {after:.3f}" in chapter


@pytest.mark.parametrize("path", chapter_paths()[5:6], ids=lambda path: path.stem)
def test_slides_have_every_figure_and_numbered_equation(path: Path) -> None:
    made = slides(path)
    section = read_section(path)
    page = "".join(made)
    numbered = [e.number for e in equations(section) if e.number]
    assert re.findall(r'class="number" href="#eq-([\d.]+)"', page) == numbered
    assert re.findall(r'<figure id="fig-([\d.]+)"', page) == figure_numbers(section)
    assert "<script" not in page
    assert max(slide.count("<figure") for slide in made) == 1
