"""Decoding of files and arrays, and the errors for others."""

import contextlib
import errno
import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from digitscope.datasets import load_mnist
from digitscope.errors import PictureError
from digitscope.reader import read
from digitscope.vision import prepare, to_picture


@pytest.fixture(scope="session")
def digit() -> NDArray[np.uint8]:
    """A five, the first image of MNIST."""
    image: NDArray[np.uint8] = load_mnist()[0][0][0]
    return image


def grey(path: Path) -> Any:
    """The decoded picture, which must be grey, as bytes."""
    picture = to_picture(path)
    assert picture.dtype == np.uint8
    assert (np.ptp(picture, axis=2) == 0).all()
    return picture[..., 0]


def refusal(path: Path) -> str:
    with pytest.raises(PictureError) as error:
        to_picture(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def png(width: int, height: int) -> bytes:
    """A grey PNG whose header announces that size and whose pixels are missing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, b"IDAT" + zlib.compress(b""))
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_modes(mode: str, digit: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(255 - digit).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(grey(tmp_path / "a.png"), 255 - digit)


def test_one_bit_and_cmyk(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    ink = np.where(digit > 127, 255, 0).astype(np.uint8)
    Image.fromarray(ink).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(grey(tmp_path / "a.png"), ink)
    Image.fromarray(ink).convert("RGB").convert("CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(grey(tmp_path / "a.tif"), ink)


def test_16_bits(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        Image.fromarray(digit.astype(np.uint16) * 257).save(tmp_path / name)
        np.testing.assert_array_equal(grey(tmp_path / name), digit)
    (tmp_path / "a.pgm").write_bytes(b"P5 28 28 65535\n" + (digit.astype(">u2") * 257).tobytes())
    np.testing.assert_array_equal(grey(tmp_path / "a.pgm"), digit)


def test_12_bits_of_16_are_a_full_range(digit: NDArray[np.uint8]) -> None:
    twelve = (digit / 255 * 4095).round().astype(np.uint16)
    np.testing.assert_array_equal(to_picture(twelve)[..., 0], digit)


def test_colours_are_kept(tmp_path: Path) -> None:
    Image.new("RGB", (8, 9), (255, 51, 0)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(to_picture(tmp_path / "a.png"), np.broadcast_to([255, 51, 0], (9, 8, 3)))


@pytest.mark.parametrize("ink", [0, 255])
def test_transparent_is_paper_on_which_the_ink_shows(ink: int, digit: NDArray[np.uint8], tmp_path: Path) -> None:
    drawing = np.full((28, 28, 4), ink, dtype=np.uint8)
    drawing[..., 3] = digit
    Image.fromarray(drawing).save(tmp_path / "a.png")
    np.testing.assert_allclose(grey(tmp_path / "a.png"), digit if ink else 255 - digit, atol=1)


def test_a_transparent_rim_is_like_the_paper_it_surrounds(tmp_path: Path) -> None:
    page = np.full((40, 40, 4), 200, dtype=np.uint8)
    page[..., 3] = 0
    page[4:-4, 4:-4, 3] = 255
    Image.fromarray(page).save(tmp_path / "a.png")
    assert set(np.unique(grey(tmp_path / "a.png"))) == {200}


def test_turned_upright_by_exif(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees clockwise to see it upright
    Image.fromarray(np.rot90(digit, 1)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(grey(tmp_path / "a.png"), digit)


def test_the_first_frame_of_a_gif(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    frames = [Image.fromarray(digit), Image.fromarray(255 - digit)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(grey(tmp_path / "a.gif"), digit)


def test_heic_is_read_or_says_what_is_missing(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    try:
        import pillow_heif
    except ImportError:
        path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
        assert "Install digitscope[heic], or save it as a JPEG file." in refusal(path)
    else:
        pillow_heif.register_heif_opener()
        Image.fromarray(np.kron(digit, np.ones((4, 4), np.uint8))).convert("RGB").save(path, "HEIF", quality=95)
        assert to_picture(path).shape == (112, 112, 3)


@pytest.mark.parametrize(
    "convert",
    [
        lambda d: d,
        lambda d: d[..., None],
        lambda d: d[None],
        lambda d: np.stack([d] * 3, axis=-1),
        lambda d: np.stack([d] * 3),
        lambda d: np.stack([d, d, d, np.full_like(d, 255)], axis=-1),
        lambda d: d.astype(np.int64),
        lambda d: d.astype(np.uint16) * 257,
        lambda d: d / 255,
        lambda d: (d / 255).astype(np.float16),
        lambda d: d.astype(np.float32),
        lambda d: d.tolist(),
        lambda d: d.ravel(),
        lambda d: d.reshape(1, 784),
        lambda d: d[None, None] / 255,
        lambda d: d[None, :, :, None],
        lambda d: np.stack([d, d, d, np.full_like(d, 255)]),
        lambda d: d / 127.5 - 1,
        lambda d: (d / 255 - 0.1307) / 0.3081,
    ],
)
def test_arrays_of_the_usual_shapes_and_ranges(convert: Any, digit: NDArray[np.uint8]) -> None:
    picture = to_picture(convert(digit))
    assert picture.shape == (28, 28, 3)
    np.testing.assert_array_equal(picture[..., 0], digit)


def test_an_array_of_bool(digit: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(to_picture(digit > 99)[..., 2], 255 * (digit > 99))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((9, 9), np.nan), "expects finite numbers; got nan or infinity"),
        (np.full((9, 9), np.inf), "expects finite numbers; got nan or infinity"),
        (np.zeros(785), "got the shape (785,)"),
        (np.zeros((5, 28, 28)), "got the shape (5, 28, 28)"),
        (np.zeros((2, 28, 28, 1)), "got the shape (2, 28, 28, 1)"),
        (np.zeros((0, 28)), "got the shape (0, 28)"),
        (np.zeros((0, 0)), "got the shape (0, 0)"),
        (np.full((9, 9), -1), "numbers from 0 to 255; got -1 to -1"),
        (np.full((9, 9), 256), "numbers from 0 to 255; got 256 to 256"),
        (np.full((9, 9), 300.0), "numbers from 0 to 255; got 300 to 300"),
        (np.full((9, 9), "x"), "expects numbers; got an array of <U1"),
        (np.zeros((9, 9), complex), "expects numbers; got an array of complex128"),
        (None, "expects numbers; got an array of object"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000)), "too many pixels (10000x10000)"),
        (np.eye(9, dtype=int), "got whole numbers 0 and 1, a mask. Give picture * 255."),
        (np.eye(9, dtype=np.uint8)[..., None], "got whole numbers 0 and 1, a mask. Give picture * 255."),
        (16.0 * np.eye(9), "got 0 to 16. Divide them by the value of white, such as picture / 16."),
        (np.full((9, 9), 1.02), "got 1.02 to 1.02. Divide them by the value of white"),
        ([[1, 2], [3]], "expected as a path, bytes, an open file, a PIL image or an array; got a list"),
    ],
)
def test_bad_arrays(array: Any, words: str) -> None:
    with pytest.raises(PictureError) as error:
        prepare(array)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="session")
def png_bytes() -> bytes:
    """A drawing in colour, wider than high, as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "give",
    [
        lambda path: path,
        str,
        lambda path: path.read_bytes(),
        lambda path: bytearray(path.read_bytes()),
        lambda path: memoryview(path.read_bytes()),
        lambda path: io.BytesIO(path.read_bytes()),
        lambda path: path.open("rb"),
        Image.open,
        lambda path: np.asarray(Image.open(path)),
        lambda path: np.asarray(Image.open(path)).tolist(),
    ],
    ids=["path", "str", "bytes", "bytearray", "memoryview", "BytesIO", "file", "PIL image", "array", "list"],
)
def test_every_source_of_a_picture(give: Callable[[Path], Any], png_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes)
    source = give(path)
    np.testing.assert_array_equal(to_picture(source), np.asarray(Image.open(path)), strict=True)
    if hasattr(source, "close"):
        source.close()


def test_a_pil_image_is_turned_upright_and_stays_as_it_is(digit: NDArray[np.uint8]) -> None:
    image = Image.fromarray(np.rot90(digit, 1))
    image.getexif()[0x0112] = 6
    for _ in range(2):
        np.testing.assert_array_equal(to_picture(image)[..., 0], digit)


@settings(deadline=None, max_examples=60)
@given(
    dtype=st.sampled_from(["<u1", "<u2", ">u2", "<i4", ">i8", "<f2", ">f4", "<f8"]),
    shape=st.sampled_from([(7, 9), (7, 9, 1), (7, 9, 3), (1, 9, 3), (7, 1, 3)]),
    layout=st.sampled_from(["C", "F", "reversed", "strided", "read-only"]),
    seed=st.integers(0, 99),
)
def test_arrays_of_any_layout_and_byte_order(dtype: str, shape: tuple[int, ...], layout: str, seed: int) -> None:
    expected = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    expected.flat[0] = 255
    scale = {"f": 1 / 255, "u": 257 if dtype.endswith("u2") else 1, "i": 1}[dtype[1]]
    array = (expected.astype(float) * scale).astype(dtype)
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "reversed":
        array = np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    elif layout == "strided":
        array = np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3]
    else:
        array.setflags(write=layout != "read-only")
    colours = expected if len(shape) == 3 else expected[..., None]
    np.testing.assert_array_equal(to_picture(array), np.broadcast_to(colours, (*shape[:2], 3)))


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda path: "https://example.org/seven.png", "is a web address; a picture file is expected. Download it"),
        (lambda path: "HTTP://example.org/seven.png", "is a web address"),
        (lambda path: b"", "The picture is empty (0 bytes)"),
        (lambda path: b"no picture", "The picture is not a picture that can be read. Give a PNG or JPEG file."),
        (lambda path: path.read_bytes()[:-40], "The picture is damaged"),
        (lambda path: io.StringIO("text"), 'it gave str. Open it with mode "rb".'),
        (lambda path: path.with_name("b.png").open("wb"), "An open file is expected to be readable; it is not: "),
        (lambda path: io.BytesIO(png(8000, 7000)), "The picture has too many pixels (8000x7000)"),
        (lambda path: Image.new("L", (0, 5)), "The picture has no pixels (0x5)."),
        (lambda path: path.with_name("a\nb.png"), "a\\nb.png does not exist"),
        (lambda path: path.with_name("x" * 300), "cannot be opened: File name too long. Check the path."),
    ],
)
def test_sources_without_a_picture(give: Callable[[Path], Any], words: str, png_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes)
    for function in (to_picture, prepare, read):
        source = give(path)
        with pytest.raises(PictureError) as error:
            function(source)
        assert words in str(error.value)
        assert "\n" not in str(error.value)
        if hasattr(source, "close"):
            source.close()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files are set as on Linux")
def test_too_many_open_files_are_not_reported_as_damage(png_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes)
    to_picture(png_bytes)  # Pillow opens files of its own when it is loaded
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        message = refusal(tmp_path / "a.png")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "cannot be opened: Too many open files" in message


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    assert "none.png does not exist. Check the path." in refusal(tmp_path / "none.png")
    assert "is a folder; a file is expected." in refusal(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize(
    "content", [b"a digit, I swear", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\x89PNG", bytes(100)]
)
def test_not_a_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert "is not a picture that can be read. Give a PNG or JPEG file." in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp", "tiff"])
def test_truncated(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90), dtype=np.uint8)).save(path, kind)
    content = path.read_bytes()
    assert to_picture(path).shape == (90, 90, 3)
    path.write_bytes(content[: len(content) // 2])
    refusal(path)


def test_truncated_says_so(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(digit).save(path)
    path.write_bytes(path.read_bytes()[:150])
    assert "a.png is damaged: " in refusal(path)
    assert "Save or copy it again." in refusal(path)


def test_zero_size(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 0 5 255\n")
    refusal(tmp_path / "a.pgm")
    (tmp_path / "a.png").write_bytes(png(0, 5))
    refusal(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("size", "words"),
    [((8000, 7000), "(8000x7000)"), ((10000, 10000), "(it)"), ((50000, 50000), "(it)")],
)
def test_decompression_bombs(size: tuple[int, int], words: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(*size))
    message = refusal(tmp_path / "a.png")
    assert f"has too many pixels {words}" in message
    assert "50,331,648 are read at most. Scale it down." in message


@pytest.mark.parametrize("size", [(8160, 6144), (8192, 6144)])
def test_photos_of_50_megapixels(size: tuple[int, int]) -> None:
    assert to_picture(Image.new("L", size)).shape == (*size[::-1], 3)


@settings(deadline=None, max_examples=150)
@given(kind=st.sampled_from(["png", "jpeg", "gif", "bmp", "webp", "tiff", "ppm"]), data=st.data())
def test_damage_is_an_error_or_a_picture(kind: str, data: st.DataObject, scratch: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(20, 15)).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (scratch / "damaged").write_bytes(content)
    with contextlib.suppress(PictureError):
        picture = to_picture(scratch / "damaged")
        assert picture.shape[2] == 3
        assert picture.dtype == np.uint8


def on_paper(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The definition, with copies of the whole picture."""
    colour, opaque = picture[..., :3], picture[..., 3]
    if opaque.mean() > 127.5:
        paper = tuple(int(value) for value in np.median(colour[opaque > 127], axis=0))
    else:
        light = int(colour[opaque > 127].mean() > 127.5) if (opaque > 127).any() else 0
        paper = (255 - 255 * light,) * 3
    below = Image.new("RGBA", (picture.shape[1], picture.shape[0]), paper)
    return np.asarray(Image.alpha_composite(below, Image.fromarray(picture)))[..., :3]


@pytest.mark.parametrize("seed", range(6))
def test_strips_give_what_the_whole_picture_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.vision.decode._STRIP", 100)
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (41, 30, 4), dtype=np.uint8)
    picture[..., 3] = np.clip(rng.normal(40 * seed, 90, (41, 30)), 0, 255)
    np.testing.assert_array_equal(to_picture(picture), on_paper(picture))
    image = Image.fromarray(picture)
    np.testing.assert_array_equal(to_picture(image), on_paper(picture))
    palette = image.convert("RGB").quantize(20)
    palette.info["transparency"] = 3
    np.testing.assert_array_equal(to_picture(palette), on_paper(np.asarray(palette.convert("RGBA"))))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "group4", "packbits"])
def test_a_damaged_tiff_is_one_error_and_no_other_line(
    compression: str, digit: NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO()
    image = Image.fromarray(np.kron(digit, np.ones((4, 4), np.uint8)))
    (image.convert("1") if compression == "group4" else image).save(file, "TIFF", compression=compression)
    content = file.getvalue()
    damaged = 0
    for place in range(8, len(content) - 8, max(1, len(content) // 40)):
        try:
            to_picture(content[:place] + b"\xff\x00\xff\x80" + content[place + 4 :])
        except PictureError:
            damaged += 1
    assert damaged or compression in ("group4", "packbits")
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_an_error_of_the_system_is_no_damage(digit: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    Image.fromarray(digit).save(file, "PNG")
    for error, words in (
        (OSError(errno.EMFILE, "Too many open files"), "The picture cannot be read: Too many open files."),
        (MemoryError(), "The picture needs more memory than there is. Scale it down."),
    ):
        monkeypatch.setattr(Image, "open", Mock(side_effect=error))
        with pytest.raises(PictureError, match=words):
            to_picture(file.getvalue())
