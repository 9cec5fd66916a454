import csv
import gzip
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digitscope.datasets.csv_table import read_csv_table as read_table
from digitscope.errors import DataError
from digitscope.files import opening

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
CsvText = Callable[..., str]


def refusal(path: Path, content: str | bytes) -> str:
    """The one-line error of the reader for this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        read_table(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.fixture(scope="session")
def kaggle(csv_text: CsvText, digits: Digits, pixel_names: list[str]) -> list[list[str]]:
    """The cells of a table like Kaggle's, for a test to damage."""
    text = csv_text(*digits, ["label", *pixel_names])
    return list(csv.reader(text.splitlines()))


def spoilt(cells: list[list[str]], line: int, column: int, cell: str) -> str:
    """The table with another cell at that line and column, both counted from 1."""
    rows = [list(row) for row in cells]
    rows[line - 1][column - 1] = cell
    return joined(rows)


def joined(rows: list[list[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


@settings(deadline=None, max_examples=40)
@given(
    names=st.permutations(range(784)),
    label=st.sampled_from(["label", "Label", "CLASS", " target ", "digit", "y"]),
    at=st.integers(0, 784),
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 4),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    start=st.sampled_from(["", "\ufeff", "\n \n"]),
    zipped=st.booleans(),
)
def test_reads_what_a_writer_wrote(
    names: list[int],
    label: str,
    at: int,
    seed: int,
    count: int,
    end: str,
    start: str,
    zipped: bool,
    csv_text: CsvText,
    scratch: Path,
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 1000, count)
    header = [f"p{name}" for name in names]
    header.insert(at, label)
    content = (start + csv_text(images, labels, header, at)).replace("\n", end).encode()
    path = scratch / "table"
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    table = read_table(path)
    np.testing.assert_array_equal(table.images, images, strict=True)
    assert table.labels is not None
    np.testing.assert_array_equal(table.labels, labels, strict=True)


CELLS = st.one_of(
    st.integers(-300, 70000).map(str),
    st.floats(-10, 300).map(str),
    st.integers(0, 255).map(lambda n: f"{n}.0"),
    st.sampled_from(["", " ", "x", "nan", "NA", "inf", "-inf", "True", "1_0", "0x10", "7d", "٣", "é", "#", "7;7"]),
    st.sampled_from(["1e2", "2.5e1", "1e400", "1e-9", "-1e-300", "9" * 25, "255.0001", "1.", ".5", "-0", "+7"]),
    st.sampled_from([" 7 ", '"7"', "'7'"]),
)


@settings(deadline=None, max_examples=80)
@given(cell=CELLS, line=st.integers(2, 6), column=st.integers(1, 785))
def test_any_cell_is_read_correctly_or_named(
    cell: str, line: int, column: int, kaggle: list[list[str]], digits: Digits, scratch: Path
) -> None:
    path = scratch / "cell.csv"
    path.write_text(spoilt(kaggle, line, column, cell), encoding="utf-8")
    plain = cell.strip().strip('"')
    value = float(plain) if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]*(e[-+]?[0-9]+)?", plain) and plain else -1.0
    if value == np.floor(value) and 0 <= value <= (4095 if column == 1 else 255):
        values = np.column_stack([digits[1], digits[0].reshape(5, 784)])
        values[line - 2, column - 1] = value
        table = read_table(path)
        assert table.labels is not None
        np.testing.assert_array_equal(np.column_stack([table.labels, table.images.reshape(5, 784)]), values)
    else:
        with pytest.raises(DataError) as error:
            read_table(path)
        name = "label" if column == 1 else f"pixel{column - 2}"
        assert f"cell.csv, line {line}, column {column} ({name}): " in str(error.value)


@settings(deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(alphabet='0,1"\n\r; lab', max_size=200).map(str.encode)))
def test_arbitrary_content_is_an_error(content: bytes, scratch: Path) -> None:
    refusal(scratch / "arbitrary.csv", content)


def test_floats_that_are_whole_numbers(csv_text: CsvText, digits: Digits, tmp_path: Path) -> None:
    images, labels = digits
    for form in ("%.18e", "%.17g", "%.1f", "%g"):  # the first is what np.savetxt writes
        np.savetxt(tmp_path / "a.csv", np.column_stack([labels, images.reshape(5, 784)]), form, delimiter=",")
        table = read_table(tmp_path / "a.csv")
        np.testing.assert_array_equal(table.images, images, strict=True)
        np.testing.assert_array_equal(np.asarray(table.labels), labels, strict=True)


def test_without_labels(csv_text: CsvText, digits: Digits, pixel_names: list[str], tmp_path: Path) -> None:
    for names in (pixel_names, [str(i) for i in range(784)], None):
        (tmp_path / "test.csv").write_text(csv_text(digits[0], None, names))
        table = read_table(tmp_path / "test.csv")
        np.testing.assert_array_equal(table.images, digits[0], strict=True)
        assert table.labels is None


def test_first_of_785_columns_is_the_label(
    csv_text: CsvText, digits: Digits, pixel_names: list[str], tmp_path: Path
) -> None:
    for names in (["number", *pixel_names], [str(i) for i in range(785)], None):
        (tmp_path / "a.csv").write_text(csv_text(*digits, names), encoding="utf-8-sig")
        table = read_table(tmp_path / "a.csv")
        np.testing.assert_array_equal(table.images, digits[0], strict=True)
        np.testing.assert_array_equal(np.asarray(table.labels), digits[1], strict=True)


@pytest.mark.parametrize("name", ["id", "ImageId", "", "Unnamed: 0"])
def test_a_column_that_counts_lines_is_left_out(
    name: str, csv_text: CsvText, digits: Digits, pixel_names: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    images, labels = digits
    counted = [f"{k},{line}" for k, line in enumerate(csv_text(images, labels).splitlines())]
    path.write_text("\n".join([",".join([name, "label", *pixel_names]), *counted]))
    table = read_table(path)
    np.testing.assert_array_equal(table.images, images)
    assert table.labels is not None
    assert table.labels.tolist() == labels.tolist()
    path.write_text(csv_text(images, np.arange(5), [name, *pixel_names]))
    assert read_table(path).labels is None
    assert "Is the first column an index? Leave it out" in refusal(path, "\n".join(counted))


def test_the_images_are_limited(kaggle: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.datasets.table.LIMIT", 5 * 784)
    path = tmp_path / "a.csv"
    path.write_text(joined(kaggle))
    assert len(read_table(path).images) == 5
    more = joined([*kaggle, kaggle[1]])
    assert refusal(path, more) == " has over 6 images; 3,920 bytes of them are read at most."


def test_blank_lines_are_counted_but_have_no_data(kaggle: list[list[str]], tmp_path: Path) -> None:
    lines = joined(kaggle).splitlines()
    path = tmp_path / "a.csv"
    path.write_text("\n".join([lines[0], "", lines[1], "  ", *lines[2:], "", ""]))
    assert len(read_table(path).images) == 5
    for end in ("", "\n"):
        assert ", line 3: over 131,072 characters came" in refusal(path, "\n \n" + "0," * 100_000 + end)
    lines[2] = "x" + lines[2]
    assert f", line {2**21 + 3}, column 1 (label): 'x" in refusal(path, "\n" * 2**21 + "\n".join(lines))
    assert ", line 5, column 1 (label): 'x" in refusal(
        path, "\n".join([lines[0], "", lines[1], "  ", *lines[2:], "", ""])
    )


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("cat", "'cat' is not a number; a pixel is a whole number from 0 to 255."),
        ("c" * 100, f"'{'c' * 40}' is not a number"),
        ("", "the pixel is missing; a pixel is"),
        ("256", "256 came; a pixel is"),
        ("-1", "-1 came; a pixel is"),
        ("65792", "65792 came; a pixel is"),
        ("0.5", "0.5 came; a pixel is"),
        ("nan", "'nan' is not a number"),
    ],
)
def test_pixel_faults(cell: str, words: str, kaggle: list[list[str]], tmp_path: Path) -> None:
    message = refusal(tmp_path / "a.csv", spoilt(kaggle, 4, 12, cell))
    assert message.startswith(f", line 4, column 12 (pixel10): {words}")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("three", "'three' is not a number; a label is a whole number from 0 to 4095."),
        ("", "the label is missing; a label is"),
        ("-1", "-1 came; a label is"),
        ("3.5", "3.5 came; a label is"),
        ("4096", "4096 came; a label is"),
        ("18446744073709551616", "18446744073709551616 came; a label is"),
        ("18446744073709551615", "18446744073709551615 came; a label is"),
    ],
)
def test_label_faults(cell: str, words: str, kaggle: list[list[str]], tmp_path: Path) -> None:
    message = refusal(tmp_path / "a.csv", spoilt(kaggle, 6, 1, cell))
    assert message.startswith(f", line 6, column 1 (label): {words}")


@pytest.mark.parametrize("cell", ["True", "x", "0.25"])
def test_a_whole_column_at_fault(cell: str, kaggle: list[list[str]], tmp_path: Path) -> None:
    rows = [kaggle[0], *([cell, *row[1:]] for row in kaggle[1:])]
    message = refusal(tmp_path / "a.csv", joined(rows))
    assert message.startswith(", line 2, column 1 (label): ")
    assert cell in message


@pytest.mark.parametrize("line", [2, 3, 6])
@pytest.mark.parametrize("change", [-2, -1, 1, 2])
def test_ragged_lines(line: int, change: int, kaggle: list[list[str]], tmp_path: Path) -> None:
    rows = [list(row) for row in kaggle]
    rows[line - 1] = (rows[line - 1] + ["0", "0"])[: 785 + change]
    message = refusal(tmp_path / "a.csv", joined(rows))
    assert message == f", line {line}: {785 + change} columns came; 785 are expected as in the first line."


@pytest.mark.parametrize("change", [-1, 1])
def test_all_lines_longer_or_shorter_than_the_header(change: int, kaggle: list[list[str]], tmp_path: Path) -> None:
    rows = [kaggle[0], *([*row, "0"][: 785 + change] for row in kaggle[1:])]
    assert f", line 2: {785 + change} columns came" in refusal(tmp_path / "a.csv", joined(rows))


def test_faults_deep_in_a_large_file(tmp_path: Path) -> None:
    """pandas reads files over 5 MB in pieces, in some versions on several threads."""
    header = ",".join(["label", *(f"p{i}" for i in range(784))]) + "\n"
    line = "1" + ",13" * 784 + "\n"
    path = tmp_path / "a.csv"
    path.write_text(header + line * 5000)
    assert len(read_table(path).images) == 5000
    for bad, words in (("1" + ",13" * 785, "786 columns came"), ("1" + ",13" * 783, "784 columns came")):
        for after in (bad + "\n" + line * 999, (bad + "\n") * 1000):
            assert f", line 4002: {words}" in refusal(path, header + line * 4000 + after)
    after = "1,x" + ",13" * 783 + "\n" + line * 999
    assert ", line 4002, column 2 (p0): 'x' is not" in refusal(path, header + line * 4000 + after)


def test_a_faulty_first_line_is_not_taken_for_a_header(csv_text: CsvText, digits: Digits, tmp_path: Path) -> None:
    rows = list(csv.reader(csv_text(*digits).splitlines()))
    assert ", line 1, column 8: 'x' is not a number" in refusal(tmp_path / "a.csv", spoilt(rows, 1, 8, "x"))


@pytest.mark.parametrize(
    ("width", "named", "words"),
    [
        (784, True, "has 783 pixel columns and a label column; 784 = 28x28 or another square are expected"),
        (786, True, "has 785 pixel columns and a label column; 784 = 28x28"),
        (783, False, "has 783 pixel columns; 784 = 28x28"),
        (786, False, "has 786 pixel columns; 784 = 28x28"),
        (1, True, "has 0 pixel columns and a label column; 784 = 28x28"),
    ],
)
def test_other_widths(width: int, named: bool, words: str, tmp_path: Path) -> None:
    names = [f"pixel{i}" for i in range(width)]
    if named:
        names[-1] = "label"
    message = refusal(tmp_path / "a.csv", joined([names, ["0"] * width]))
    assert words in message
    names[0] += ";" * (width > 1)
    assert refusal(tmp_path / "a.csv", joined([names, ["0"] * width])) == message


@pytest.mark.parametrize("separator", [";", "\t", "|", " ", "  ", ", "])
@pytest.mark.parametrize("header", [True, False])
def test_other_separators(
    separator: str, header: bool, kaggle: list[list[str]], digits: Digits, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(separator.join(row) + "\n" for row in kaggle[not header :]))
    table = read_table(path)
    np.testing.assert_array_equal(table.images, digits[0], strict=True)
    np.testing.assert_array_equal(np.asarray(table.labels), digits[1], strict=True)
    assert ", line 4, column 12" in refusal(path, spoilt(kaggle, 4, 12, "x").replace(",", separator))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_pixels_from_0_to_1(separator: str, digits: Digits, tmp_path: Path) -> None:
    """Also with decimal commas, as spreadsheets and R write them, and with pieces of whole numbers."""
    images = digits[0]
    images = np.concatenate([images[:1] // 255 * 255, images, np.full((1, 28, 28), 255, np.uint8)])
    frame = pd.DataFrame(images.reshape(7, 784) / 255).assign(label=range(7))
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False, sep=separator, decimal="." if separator == "," else ",")
    np.testing.assert_array_equal(read_table(path).images, images, strict=True)
    (frame * 2).to_csv(path, index=False, sep=separator)
    assert "came; a pixel is a whole number from 0 to 255 in a table with pixels over 1." in refusal(
        path, path.read_bytes()
    )


def test_the_scale_is_that_of_all_pieces(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.datasets.csv_table._PIECE", 4000)  # two lines
    path = tmp_path / "a.csv"
    masks = digits[0] // 255

    def read(*parts: Any) -> NDArray[np.uint8]:
        np.savetxt(path, np.concatenate(parts).reshape(-1, 784), "%.9g", delimiter=",")
        return read_table(path).images

    np.testing.assert_array_equal(read(masks, digits[0], masks), np.concatenate([masks, digits[0], masks]))
    fractions = digits[0] / 255
    np.testing.assert_array_equal(read(masks, fractions), np.concatenate([masks * 255, digits[0]]))
    np.testing.assert_array_equal(read(masks), masks * 255)
    np.testing.assert_array_equal(read(masks * 0), masks * 0)
    with pytest.raises(DataError, match=r"line 6, column 1: .* came; a pixel is a whole number from 0 to 255 in a"):
        read(np.maximum(digits[0], 2), np.full((5, 28, 28), 0.5))
    fractions[:, 0] = 0.5
    with pytest.raises(DataError, match=r"line 6, column 1: 2 came; a pixel is from 0 to 1 in a table with fractions"):
        read(fractions, np.full((5, 28, 28), 2))


def test_the_digits_of_scikit_learn(tmp_path: Path) -> None:
    """16 is full ink in images of 8x8, and only there."""
    path = tmp_path / "a.csv"
    images = np.arange(640).reshape(10, 64) % 17
    frame = pd.DataFrame(images / 1.0, columns=[f"pixel_{k // 8}_{k % 8}" for k in range(64)]).assign(target=range(10))
    frame.to_csv(path)
    table = read_table(path)
    np.testing.assert_array_equal(table.images.reshape(10, 64), np.rint(images * 255 / 16))
    assert np.asarray(table.labels).tolist() == list(range(10))
    frame.where(frame < 16, 20).to_csv(path)
    assert read_table(path).images.max() == 20


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("pattern", ["{}x{}", "pixel_{}_{}", "r{}c{}"])
def test_names_of_rows_and_columns_give_the_size(first: int, pattern: str, digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = [pattern.format(row + first, column + first) for row in range(7) for column in range(5)]
    images = digits[0][:, :7, :5]
    pd.DataFrame(images.reshape(5, 35), columns=names).assign(label=digits[1]).to_csv(path, index=False)
    np.testing.assert_array_equal(read_table(path).images, images, strict=True)


def test_square_images_of_other_sizes(csv_text: CsvText, digits: Digits, tmp_path: Path) -> None:
    images, labels = digits
    path = tmp_path / "a.csv"
    for size in (8, 16, 27):
        for names in (None, ["label", *map(str, range(size**2))], ["label", *(f"p{k}" for k in range(size**2))]):
            path.write_text(csv_text(images[:, :size, :size], labels, names))
            table = read_table(path)
            np.testing.assert_array_equal(table.images, images[:, :size, :size], strict=True)
            np.testing.assert_array_equal(np.asarray(table.labels), labels, strict=True)
    path.write_text(csv_text(images[:, :7, :7], labels))
    assert "has 50 pixel columns; 784 = 28x28 or another square are expected" in refusal(path, path.read_bytes())


def test_the_last_column_is_not_silently_a_pixel(csv_text: CsvText, digits: Digits, tmp_path: Path) -> None:
    """UCI's optdigits has no header and its labels last."""
    images = np.repeat(digits[0], 2, axis=0)
    images[:, 0, 0] = 0
    text = csv_text(images, np.arange(10), at=784)
    message = refusal(tmp_path / "a.csv", text)
    assert "is 0 in all lines. Is the last one the label? Name the columns in a first line, that one label." in message


def test_quotes(kaggle: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(joined([[f'"{cell}"' for cell in row] for row in kaggle]))
    assert len(read_table(path).images) == 5
    assert ", line 3: not a line of CSV" in refusal(path, spoilt(kaggle, 3, 785, '"'))
    assert ", line 7: over 131,072 characters came" in refusal(path, joined(kaggle) + "0," * 784 + "x" * 200_000)


def test_empty_files(kaggle: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert "is empty (0 bytes)" in refusal(path, b"")
    assert "has no lines" in refusal(path, "\n \r\n\t\n")
    assert "has no lines" in refusal(path, gzip.compress(b""))
    assert "has a header but no images" in refusal(path, joined(kaggle[:1]))
    assert "has a header but no images" in refusal(path, joined(kaggle[:1]) + "\n  \n")


def test_files_that_are_not_text(wrong_files: dict[str, bytes], kaggle: list[list[str]], tmp_path: Path) -> None:
    for words, content in wrong_files.items():
        message = refusal(tmp_path / "a.csv", content)
        assert f"is not a CSV table; this seems to be {words}" in message
    late = (joined(kaggle) * 2).encode()[:-20] + b"\xff\xfe\n"
    assert ", line 7, column 1 (label): 'label' is not a number" in refusal(tmp_path / "a.csv", late)


def test_bytes_that_are_not_text_far_down(kaggle: list[list[str]], tmp_path: Path) -> None:
    text = joined(kaggle).encode()
    for bad in (b"\xff\xfe", b"\0\0"):
        assert ", line 7, column 1 (label): " in refusal(tmp_path / "a.csv", text + bad + b"," * 784 + b"\n")


def test_missing_file_folder_and_damaged_gzip(kaggle: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder; a file is expected"):
        read_table(tmp_path)
    content = gzip.compress(joined(kaggle).encode())
    assert ": the gzip data are cut off" in refusal(tmp_path / "a.csv.gz", content[:-9])
    damaged = content[:-8] + os.urandom(4) + content[-4:]
    assert ": the gzip data are damaged" in refusal(tmp_path / "a.csv.gz", damaged)


def test_a_file_that_only_pandas_rejects_is_read_slowly(
    kaggle: list[list[str]], digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise pd.errors.ParserError("out of memory")

    path = tmp_path / "a.csv"
    rows = [list(row) for row in kaggle]
    rows[1][0], rows[2][5] = "4095", "255.0"
    path.write_text(joined(rows))
    monkeypatch.setattr(pd, "read_csv", refuse)
    table = read_table(path)
    expected = digits[0].reshape(5, 784).copy()
    expected[1, 4] = 255
    np.testing.assert_array_equal(table.images.reshape(5, 784), expected)
    assert table.labels is not None
    assert table.labels.tolist() == [4095, *digits[1][1:]]


@pytest.mark.parametrize("end", ["\f", "\u2028", "\x85", " \t", "\v"])
def test_a_blank_line_of_any_kind(end: str, kaggle: list[list[str]], digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(joined(kaggle) + end, encoding="utf-8")
    np.testing.assert_array_equal(read_table(path).images, digits[0])
    assert ", line 3: 1 column came" in refusal(path, kaggle_line(kaggle, 2) + f"a{end}b\n")


def kaggle_line(kaggle: list[list[str]], lines: int) -> str:
    return joined(kaggle[:lines])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer"),
        (b"% MNIST, 784\n@RELATION mnist\n", "an ARFF file"),
        (b"@relation 'mnist_784'\n", "an ARFF file"),
        (b"PAR1\x15\x04\x15", "a Parquet file"),
        (b'{"images": [1,2]}', "JSON text"),
    ],
)
def test_files_of_another_kind_are_named(content: bytes, words: str, tmp_path: Path) -> None:
    assert f" is not a CSV table; this seems to be {words}" in refusal(tmp_path / "train.csv", content)


ZEROS = "0," * 784 + "0"
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "surplus columns": (lambda: f"{ZEROS}\n{ZEROS}{',' * 100_000}\n".encode(), "line 2: 100785 columns came"),
    "many surplus columns": (lambda: f"{ZEROS}\n{ZEROS}{',' * 200_000}\n".encode(), "line 2: over 131,072 characters"),
    "only line ends": (lambda: gzip.compress(bytes([10]) * 20_000_000, 1), "times its size"),
    "a line of digits": (lambda: gzip.compress(ZEROS.encode() + b"\n" + b"1" * 9_000_000, 1), "line 2: over 131,072"),
    "an open quote": (lambda: gzip.compress((ZEROS + '\n"' + (ZEROS + "\n") * 2000).encode(), 1), "line 2: "),
    "many images": (lambda: gzip.compress((ZEROS + "\n").encode() * 3_000, 9), "times its size"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_costs_little(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "UNPACKED_FREE", 1 << 20)
    make, words = BOMBS[name]
    content = make()
    tracemalloc.start()
    assert words in refusal(tmp_path / "bomb.csv", content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000
