"""Digits drawn on paper by these tests: each is found and converted to MNIST's format."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import center_of_mass, distance_transform_edt, gaussian_filter, zoom

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import NoInkError
from digitscope.model import Model
from digitscope.vision import prepare
from digitscope.vision.layout import DigitInk, find_digit
from digitscope.vision.normalize import centre, cut_out, enlarge, fit_box, set_width, stroke_width

COUNT = 24
"""Digits of each kind of paper."""


@pytest.fixture(scope="session")
def model() -> Model:
    return Model.load("convnet")


@pytest.fixture(scope="session")
def digits(mnist: DataSet) -> tuple[Array, Array]:
    """Training images that the model reads correctly, so that errors in these tests are due to the preparation."""
    return mnist.x_train[2000 : 2000 + COUNT], mnist.y_train[2000 : 2000 + COUNT]


@pytest.fixture(scope="session")
def drawings(digits: tuple[Array, Array]) -> list[Array]:
    """Each of the digits as `drawn`, 110 pixels high. The size affects the time of the tests but not their results."""
    return [drawn(image, 110) for image in digits[0]]


def drawn(image: Array, size: int = 160, thicker: float = 0.0) -> Array:
    """How much ink covers each pixel, 0 to 1, the digit `size` pixels high or so, its strokes wider on each side by
    `thicker` pixels.
    """
    large = gaussian_filter(zoom(image / 255, size / 20, order=1), size / 60)
    ink = large > 0.4 * large.max()
    covered: Array = np.clip(thicker + 0.5 - distance_transform_edt(~ink) + distance_transform_edt(ink), 0, 1)
    return covered


def painted(covered: Array, ink: Any, paper: Any) -> Array:
    """The ink on its paper, colours 0 to 255: (H, W) -> (H, W, 3), floats 0 to 1"""
    paper, ink = (np.broadcast_to(np.asarray(colour) / 255, (*covered.shape, 3)) for colour in (paper, ink))
    mixed: Array = paper + covered[..., None] * (ink - paper)
    return mixed


def read(model: Model, pictures: list[Array]) -> Array:
    return model.predict(np.stack([prepare(picture).image for picture in pictures]))


def lit_from_a_side(picture: Array) -> Array:
    """Three times as dark in one corner as in the opposite one."""
    rows, columns = picture.shape[:2]
    light = 1 - np.add.outer(np.linspace(0, 0.33, rows), np.linspace(0, 0.33, columns))
    lit: Array = picture * light[..., None]
    return lit


def shaded(picture: Array) -> Array:
    """A shadow with a sharp edge over a half."""
    picture = picture.copy()
    picture[:, picture.shape[1] // 2 :] *= 0.6
    return picture


def ruled(picture: Array, gap: int = 31, both: bool = False) -> Array:
    """Thin lines that are almost horizontal."""
    rows, columns = np.indices(picture.shape[:2])
    lines = (rows + columns // 30) % gap < 2
    if both:
        lines = lines | ((columns - rows // 30) % gap < 2)
    return np.where(np.expand_dims(lines, 2), np.array([120, 160, 205]) / 255, picture)


def steeply_ruled(picture: Array) -> Array:
    """Lines that fall by 11 degrees and come closer, as on a sheet seen from a side."""
    rows, columns = np.indices(picture.shape[:2])
    lines = np.fmod((rows + columns / 5) * (1 + columns / 2000), 34) < 2.5
    return np.where(np.expand_dims(lines, 2), np.array([120, 160, 205]) / 255, picture)


PAPERS: dict[str, Any] = {
    "ink": lambda c: painted(c, (20, 20, 30), 250),
    "light on dark": lambda c: painted(c, 235, (30, 60, 45)),
    "lit from a side": lambda c: lit_from_a_side(painted(c, (30, 40, 120), (245, 240, 230))),
    "a shadow": lambda c: shaded(painted(c, 40, 230)),
    "lined": lambda c: ruled(painted(c, (30, 40, 120), 245)),
    "steep lines": lambda c: steeply_ruled(painted(c, (30, 40, 120), 245)),
    "squared": lambda c: ruled(painted(c, 60, 245), both=True),
    "pencil": lambda c: lit_from_a_side(painted(c, 165, 225)),
    "red on blue": lambda c: painted(c, (200, 60, 60), (110, 110, 230)),
    "a border shadow": lambda c: np.where(np.arange(c.shape[1])[:, None] < 9, 0.2, painted(c, 30, 230)),
    "far away": lambda c: np.pad(painted(c, 30, 230)[::2, ::2], ((150, 250), (300, 50), (0, 0)), mode="edge"),
}


@pytest.mark.parametrize("kind", PAPERS)
def test_digits_on_paper(kind: str, drawings: list[Array], digits: tuple[Array, Array], model: Model) -> None:
    rng = np.random.default_rng(1)
    pictures = []
    for drawing in drawings:
        picture = PAPERS[kind](drawing)
        pictures.append(np.clip(picture + rng.normal(0, 0.01, picture.shape), 0, 1))
    assert (read(model, pictures) == digits[1]).mean() >= 23 / 24


@pytest.mark.parametrize("thicker", [-4, 5])
def test_thin_and_thick_pens(thicker: float, digits: tuple[Array, Array], model: Model) -> None:
    pictures = [painted(drawn(image, thicker=thicker), 0, 255) for image in digits[0]]
    assert (read(model, pictures) == digits[1]).mean() >= 22 / 24


@pytest.mark.parametrize("side", [16, 20])
def test_small_pictures(side: int, digits: tuple[Array, Array], model: Model) -> None:
    pictures = [255 - np.asarray(Image.fromarray(i).resize((side, side), Image.Resampling.BOX)) for i in digits[0]]
    assert (read(model, pictures) == digits[1]).mean() >= 22 / 24


def test_tiny_pictures_that_are_full(digits: tuple[Array, Array]) -> None:
    """8x8 pixels without a margin: the ink is found, and it is light."""
    for image in digits[0]:
        rows, columns = (np.flatnonzero(image.max(axis=1 - axis)) for axis in (0, 1))
        cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        beside = max(0, 20 - cut.shape[1]) // 2
        full = Image.fromarray(np.pad(cut, ((0, 0), (beside, beside))))
        tiny = np.asarray(full.resize((8, 8), Image.Resampling.BOX))
        digit = next(step.image for step in prepare(tiny).steps if step.name == "digit")
        ink = np.asarray(Image.fromarray(digit).resize((8, 8), Image.Resampling.BOX)) > 100
        assert tiny[ink].mean() > tiny[~ink].mean()


def test_jpeg_noise_and_a_large_photo(digits: tuple[Array, Array], model: Model, tmp_path: Path) -> None:
    pages = [lit_from_a_side(painted(drawn(image, 1600), (40, 40, 60), 235)) for image in digits[0][:2]]
    for number, page in enumerate(pages):
        Image.fromarray((255 * page).astype(np.uint8)).save(tmp_path / f"{number}.jpg", quality=30)
    images = np.stack([prepare(tmp_path / f"{number}.jpg").image for number in range(2)])
    assert model.predict(images).tolist() == digits[1][:2].tolist()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("transparent", [False, True])
def test_twelve_megapixels_need_little_memory(transparent: bool, tmp_path: Path) -> None:
    page = np.full((3000, 4000, 4), 225, np.uint8)
    page[800:2200, 1900:2000, :3] = 40
    page[::150] = 180
    if transparent:
        Image.fromarray(page).save(tmp_path / "page.png", compress_level=1)
    else:
        Image.fromarray(page[..., :3]).save(tmp_path / "page.jpg")
    code = (
        "import sys; from digitscope.vision import prepare; prepare(sys.argv[1]);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, str(next(tmp_path.iterdir()))]
    most = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)  # kilobytes
    assert most / 1024 < 300


def test_mnists_own_images_hardly_change(mnist: DataSet, model: Model) -> None:
    images, labels = mnist.x_train[1000:1150], mnist.y_train[1000:1150]
    direct = (model.predict(images) == labels).sum()
    for prepared in ([prepare(image).image for image in images], [prepare(255 - image).image for image in images]):
        away = np.abs(np.stack(prepared).astype(float) - images).mean(axis=(1, 2))
        assert np.median(away) < 3
        assert (model.predict(np.stack(prepared)) == labels).sum() >= direct - 1
    enlarged = [255 - np.kron(image, np.ones((10, 10), np.uint8)) for image in images[:50]]
    assert (read(model, enlarged) == labels[:50]).sum() >= 49


def test_each_step_has_a_caption(digits: tuple[Array, Array]) -> None:
    preparation = prepare(painted(drawn(digits[0][0]), 0, 255))
    names = [step.name for step in preparation.steps]
    assert names == ["picture", "ink", "digit", "strokes", "box", "image"]
    for step in preparation.steps:
        assert step.image.dtype == np.uint8
        assert step.sentence.endswith(".")
    assert preparation.image is preparation.steps[-1].image
    assert preparation.image.shape == (28, 28)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 3000), (300, 400)])
def test_no_ink(size: tuple[int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = np.indices(size)[1]
    page = 200 - 60 * columns / max(size) + rng.normal(0, 1, size)
    with pytest.raises(NoInkError, match=r"The picture shows no ink.*Write larger or darker"):
        prepare(np.clip(page, 0, 255))
    Image.new("L", size, 255).save(tmp_path / "a.png")
    with pytest.raises(NoInkError, match=r"a\.png shows no ink"):
        prepare(tmp_path / "a.png")


class TestInk:
    def test_the_width_of_a_bar(self) -> None:
        for width in (4, 8, 20):
            drawing = np.zeros((60, 600))
            drawing[20 : 20 + width, 5:-5] = 1
            assert stroke_width(drawing, fine=1) == pytest.approx(width, rel=0.05)

    def test_thin_strokes(self) -> None:
        for column in (80, 81):
            page = np.full((240, 240, 3), 255, np.uint8)
            page[80:160, column : column + 2] = page[80:82, column - 40 : column] = 0  # a 7
            found = find_digit(page)
            assert found is not None
            left, top, right, bottom = box_in_picture(found)
            assert left == pytest.approx(column - 40, abs=12)
            assert right == pytest.approx(column, abs=12)
            assert top == pytest.approx(80, abs=12)
            assert bottom == pytest.approx(160, abs=12)

    def test_components_near_the_digit_belong_to_it_and_specks_do_not(self) -> None:
        page = np.full((200, 200, 3), 255, np.uint8)
        page[60:140, 80:90] = 0
        page[60:68, 98:140] = 0  # a separate bar
        page[180:182, 20:22] = 0
        found = find_digit(page)
        assert found is not None
        left, _, right, bottom = box_in_picture(found)
        assert left > 60
        assert right > 120
        assert bottom < 160


def box_in_picture(found: DigitInk) -> tuple[float, ...]:
    rows, columns = found.box
    return found.layout.to_picture((columns.start, rows.start, columns.stop, rows.stop))


class TestNormalize:
    def test_mnists_images_are_centred_where_they_were(self, mnist: DataSet) -> None:
        for image in mnist.x_train[:200]:
            rows, columns = np.nonzero(image)
            digit = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            np.testing.assert_array_equal(centre(digit), image)

    def test_the_centre_of_mass(self) -> None:
        digit = np.zeros((20, 10), np.uint8)
        digit[:, :3] = 200
        digit[17:] = 200
        row, column = center_of_mass(centre(digit))
        assert 13.5 <= row < 14.5
        assert 13.5 <= column < 14.5

    @pytest.mark.parametrize("size", [(20, 20), (200, 60), (33, 90), (7, 5)])
    def test_proportions_are_kept(self, size: tuple[int, int]) -> None:
        box = fit_box(np.ones(size))
        assert max(box.shape) == 20
        assert box.shape[0] / box.shape[1] == pytest.approx(size[0] / size[1], rel=0.1)
        assert (box == 255).all()

    @pytest.mark.parametrize("wanted", [1.5, 2.5, 4.0])
    def test_strokes_get_the_requested_width(self, wanted: float) -> None:
        ring = np.hypot(*(np.indices((200, 200)) - 99.5))
        drawing = np.clip(100 - ring, 0, 1) * np.clip(ring - 74, 0, 1)
        now = stroke_width(drawing)
        assert now == pytest.approx(2.5, abs=0.1)
        changed = enlarge(cut_out(set_width(drawing, now, wanted)))
        assert stroke_width(changed) == pytest.approx(wanted, abs=0.15)
