"""Decoding: files and arrays as people have them, and what is none."""

import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from digitscope.datasets import load_mnist
from digitscope.errors import PictureError
from digitscope.vision import prepare, read_picture
from digitscope.vision.decode import picture_from_array


@pytest.fixture(scope="session")
def digit() -> NDArray[np.uint8]:
    """A five, the first image of MNIST."""
    image: NDArray[np.uint8] = load_mnist()[0][0][0]
    return image


def grey(path: Path) -> Any:
    """What was read, as bytes, which must be grey."""
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert (np.ptp(picture, axis=2) == 0).all()
    return picture[..., 0]


def refusal(path: Path) -> str:
    with pytest.raises(PictureError) as error:
        read_picture(path)
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
    np.testing.assert_array_equal(picture_from_array(twelve)[..., 0], digit)


def test_colours_are_kept(tmp_path: Path) -> None:
    Image.new("RGB", (8, 9), (255, 51, 0)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), np.broadcast_to([255, 51, 0], (9, 8, 3)))


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
        assert read_picture(path).shape == (112, 112, 3)


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
    picture = picture_from_array(convert(digit))
    assert picture.shape == (28, 28, 3)
    np.testing.assert_array_equal(picture[..., 0], digit)


def test_an_array_of_bool(digit: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(picture_from_array(digit > 99)[..., 2], 255 * (digit > 99))


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
    ],
)
def test_bad_arrays(array: Any, words: str) -> None:
    with pytest.raises(PictureError) as error:
        prepare(array)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


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
    assert read_picture(path).shape == (90, 90, 3)
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
    assert "50,000,000 are read at most. Scale it down." in message


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
        picture = read_picture(scratch / "damaged")
        assert picture.shape[2] == 3
        assert picture.dtype == np.uint8
