"""The network that finds ink: its input, its shapes, and its training, which goes on after an interruption."""

import sys
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from benchmarks import fit_ink_map
from digitscope.arrays import Array
from digitscope.files.rounded_weights import rounded, unrounded
from digitscope.nn import Network
from digitscope.vision.ink_map import WINDOW, ink_map, ink_network, load_ink_network, local_contrast
from digitscope.vision.line_reader import LineReader

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network() -> Network:
    return ink_network(np.random.default_rng(0), (2, 3, 4))


def test_it_is_small() -> None:
    assert sum(p.size for p in ink_network(RNG).params.values()) < 100_000


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (5, 90), (50, 37)])
def test_a_picture_of_any_size_has_a_map_of_its_size(size: tuple[int, int], network: Network) -> None:
    pixels = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    found = ink_map(pixels, network)
    assert found.shape == size
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_blas_uses_one_thread(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the network that finds ink and in the one that reads lines."""
    threads = []

    def spy(_: Network, x: Array, **options: object) -> tuple[Array, None]:
        libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
        threads.append(min(library["num_threads"] for library in libraries))
        return x, None

    monkeypatch.setattr(Network, "forward", spy)
    with threadpoolctl.threadpool_limits(2, "blas"):
        ink_map(np.zeros((8, 8, 3), np.uint8), network)
        LineReader(network)(np.ones((40, 90)))
    assert threads == [1, 1]


def test_contrast_is_relative_to_the_colours_around() -> None:
    pixels = np.full((200, 200, 3), 200, np.uint8)
    assert np.abs(local_contrast(pixels)).max() < 1e-4
    pixels[100:104] = (40, 40, 40)
    x = local_contrast(pixels)
    assert x.shape == (3, 200, 200)
    assert x[:, 102].max() < -2
    np.testing.assert_allclose(x[:, : 100 - WINDOW], 0, atol=1e-4)


def test_contrast_depends_neither_on_the_light_nor_on_what_is_far_away() -> None:
    pixels = np.full((240, 240, 3), 220, np.uint8)
    pixels[60:66, 20:120] = 30
    half = local_contrast(pixels // 2)
    x = local_contrast(pixels)
    np.testing.assert_allclose(half[:, 60:66, 40:100], x[:, 60:66, 40:100], rtol=0.25)
    pixels[200:] = 0
    np.testing.assert_allclose(local_contrast(pixels)[:, :120], x[:, :120], atol=1e-5)


def test_light_ink_mirrors_dark_ink() -> None:
    pixels = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_allclose(local_contrast(255 - pixels), -local_contrast(pixels), atol=1e-4)


def test_training_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_ink_map, "CROP", 32)
    monkeypatch.setattr(fit_ink_map, "ink_network", lambda rng: ink_network(rng, (2, 3, 4)))

    def run(name: str, *options: str) -> dict[str, Array]:
        arguments = ["--out", str(tmp_path / name), "--steps", "3", "--digits", "2", *options]
        monkeypatch.setattr(sys, "argv", ["fit_ink_map", *arguments])
        fit_ink_map.main()
        return dict(np.load((tmp_path / name).with_suffix(".checkpoint.npz")))

    whole = run("whole.safetensors")
    stopped = run("parts.safetensors", "--until", "00:00")
    assert int(stopped["step"]) == 1
    parts = run("parts.safetensors")
    assert int(parts["step"]) == 3
    for name in whole:
        if name != "seconds":
            np.testing.assert_array_equal(whole[name], parts[name])
    loaded = load_ink_network(tmp_path / "whole.safetensors", (2, 3, 4))
    expected = unrounded(rounded({name: whole[f"a/{name}"] for name in loaded.params}))
    for name, array in loaded.params.items():
        np.testing.assert_array_equal(array, expected[name])
