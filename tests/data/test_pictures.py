import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from digitscope.data import load_mnist, read_picture
from digitscope.errors import PictureError


@pytest.fixture(scope="session")
def digit() -> NDArray[np.uint8]:
    """A seven, the first test digit of MNIST."""
    image: NDArray[np.uint8] = load_mnist()[1][0][0]
    return image


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


def test_mnist_digits_come_back_bit_for_bit(tmp_path: Path) -> None:
    for image in load_mnist()[1][0][:50]:
        Image.fromarray(image).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), image, strict=True)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_modes_and_bright_paper(mode: str, digit: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(255 - digit).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), digit)


def test_one_bit_and_cmyk(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    ink = np.where(digit > 127, 255, 0).astype(np.uint8)
    Image.fromarray(ink).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), ink)
    Image.fromarray(ink).convert("RGB").convert("CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif"), ink)


def test_16_bits(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        Image.fromarray(digit.astype(np.uint16) * 257).save(tmp_path / name)
        np.testing.assert_array_equal(read_picture(tmp_path / name), digit)
    (tmp_path / "a.pgm").write_bytes(b"P5 28 28 65535\n" + (digit.astype(">u2") * 257).tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.pgm"), digit)


def test_transparent_paper_is_white(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    black = np.zeros((28, 28, 4), dtype=np.uint8)
    black[..., 3] = digit
    Image.fromarray(black).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_picture(tmp_path / "a.png"), digit, atol=1)


def test_turned_upright_by_exif(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees clockwise to see it upright
    Image.fromarray(np.rot90(digit, 1)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), digit)


def test_large_pictures_are_averaged(digit: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(255 - np.kron(digit, np.ones((20, 20), dtype=np.uint8))).save(tmp_path / "a.png")
    assert np.abs(read_picture(tmp_path / "a.png").astype(int) - digit).mean() < 8
    stripes = np.zeros((560, 560), dtype=np.uint8)
    stripes[100:460, 100:460:2] = 255  # finer than a pixel: without anti-aliasing all or nothing
    Image.fromarray(stripes).save(tmp_path / "b.png")
    assert read_picture(tmp_path / "b.png")[14, 14] == pytest.approx(127, abs=3)


def test_the_border_says_what_is_paper(tmp_path: Path) -> None:
    for paper, ink in ((0, 255), (255, 0)):
        picture = Image.new("L", (28, 28), paper)
        picture.paste(ink, (1, 1, 27, 27))  # most of it is ink
        picture.save(tmp_path / "a.png")
        image = read_picture(tmp_path / "a.png")
        assert image[14, 14] == 255
        assert image[0, 0] == 0


@pytest.mark.parametrize("size", [(100, 50), (50, 100)])
def test_proportions_are_kept(size: tuple[int, int], tmp_path: Path) -> None:
    picture = Image.new("L", size, 230)
    picture.paste(10, (10, 10, size[0] - 10, size[1] - 10))
    picture.save(tmp_path / "a.png")
    image = read_picture(tmp_path / "a.png")
    rows, columns = np.nonzero(image > 128)
    assert np.ptp(columns) + 1 == pytest.approx((size[0] - 20) * 0.28, abs=1)
    assert np.ptp(rows) + 1 == pytest.approx((size[1] - 20) * 0.28, abs=1)
    assert image[0, 0] == image[-1, -1] == 25
    np.testing.assert_allclose(image, image[::-1, ::-1], atol=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 200_000), (200_000, 1), (28, 27)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size, 200).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), np.full((28, 28), 55, dtype=np.uint8), strict=True)


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
    assert read_picture(path).shape == (28, 28)
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
        image = read_picture(scratch / "damaged")
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
