"""Trains the network of vision/ink_map.py on generated scenes whose ink is known.

    uv run python -m benchmarks.fit_ink_map --out ink.safetensors

Each step draws new scenes (synthetic/scenes.py) and learns from crops of them: binary cross-entropy of each pixel with
the share of it that writing covers, Adam, and a learning rate that falls along a cosine. The k-th step's scenes come
from the generator [seed, k], so a training that was interrupted goes on from its checkpoint with the same numbers.
"""

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, versions
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.files.rounded_weights import rounded
from digitscope.files.tensors import write_tensors
from digitscope.nn import Adam, Network, binary_cross_entropy, clip_scale, gradient_norm
from digitscope.synthetic.scenes import Scene, WritingSource, draw_scene
from digitscope.vision.ink_map import ink_network, load_ink_network, local_contrast

CROP = 160
"""Side of a crop, in pixels."""


def crops(scene: Scene, rng: np.random.Generator) -> list[tuple[Array, Array, Array]]:
    """Normalized colours (3, CROP, CROP), ink and weight (CROP, CROP) of all squares of the scene."""
    found = []
    for top in range(0, len(scene.ink), CROP):
        for left in range(0, len(scene.ink), CROP):
            at = slice(top, top + CROP), slice(left, left + CROP)
            x = local_contrast(scene.pixels[at])
            if rng.random() < 0.3:
                x = x[rng.permutation(3)]
            found.append((x, scene.ink[at], scene.weight[at]))
    return found


def draw_batch(source: WritingSource, seed: int, step: int, scenes: int) -> tuple[Array, Array, Array]:
    """Crops of several scenes. Shapes: x (3, CROP, CROP, N), ink and weight (1, CROP, CROP, N)"""
    rng = np.random.default_rng([seed, step])
    found = []
    for k in range(scenes):
        if k % 2 == 0:
            found += crops(draw_scene(source, rng, side=2 * CROP), rng)
        else:
            for _ in range(4):
                found += crops(draw_scene(source, rng, side=CROP), rng)
    x, ink, weight = (
        np.ascontiguousarray(np.stack(arrays, axis=-1), np.float32) for arrays in zip(*found, strict=True)
    )
    return x, ink[None] / np.float32(255), weight[None]


def scores(network: Network, source: WritingSource, seed: int, steps: int) -> dict[str, float]:
    """Loss, and intersection over union of the pixels above a half, on scenes of another seed."""
    loss, both, either = 0.0, 0, 0
    for step in range(steps):
        x, ink, weight = draw_batch(source, seed, step, 2)
        logits = network(x)
        loss += binary_cross_entropy(logits, ink, weight)[0] / steps
        found, true = (logits > 0) & (weight > 0), (ink > 0.5) & (weight > 0)
        both, either = both + int((found & true).sum()), either + int((found | true).sum())
    return {"loss": loss, "iou": both / either}


def record(options: argparse.Namespace, step: int, seconds: float, held_out: dict[str, float]) -> dict[str, Any]:
    """What the file of weights says about itself."""
    command = "uv run python -m benchmarks.fit_ink_map"
    settings = ("steps", "scenes", "digits", "rate", "seed")
    start = [f"--start {options.start.name}"] if options.start else []
    return {
        "command": " ".join([command, *(f"--{name} {getattr(options, name)}" for name in settings), *start]),
        "steps_done": step,
        "seconds": round(seconds),
        "held_out": {name: round(value, 5) for name, value in held_out.items()},
        "machine": machine(),
        "versions": versions("numpy", "scipy", "pillow", "digitscope"),
        "date": datetime.now(UTC).date().isoformat(),
    }


def train(options: argparse.Namespace) -> None:
    (images, _), _ = load_mnist()
    source = WritingSource(images[: options.digits])
    held_out = WritingSource(images[-40:])
    network = load_ink_network(options.start) if options.start else ink_network(np.random.default_rng(options.seed))
    optimizer = Adam(clip_norm=1.0)
    params = network.params
    state = optimizer.start(params)
    average = {name: p.copy() for name, p in params.items()}
    first, seconds = 0, 0.0
    checkpoint = options.out.with_suffix(".checkpoint.npz")
    if checkpoint.exists():
        saved = np.load(checkpoint)
        first, seconds = int(saved["step"]), float(saved["seconds"])
        for name in params:
            params[name][...] = saved[f"w/{name}"]
            average[name][...] = saved[f"a/{name}"]
            for slot in state:
                state[slot][name][...] = saved[f"{slot}/{name}"]
        print(f"goes on from step {first}", flush=True)
    began, running, deadline = time.perf_counter() - seconds, math.nan, options.until
    for step in range(first, options.steps):
        x, ink, weight = draw_batch(source, options.seed, step, options.scenes)
        logits, backward = network.forward(x, training=True, need_dx=False)
        loss, loss_backward = binary_cross_entropy(logits, ink, weight)
        _, grads = backward(loss_backward(1.0))
        scale = clip_scale(gradient_norm(grads), optimizer.clip_norm)
        grads = {name: np.ascontiguousarray(g) * np.float32(scale) for name, g in grads.items()}
        warm = min(1, (step + 1) / 100)
        rate = options.rate * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * step / options.steps)) / 2)
        optimizer.update(params, grads, state, rate, step)
        keep = min(0.995, (step + 1) / (step + 10))
        for name, p in params.items():
            average[name] += np.float32(1 - keep) * (p - average[name])
        running = loss if math.isnan(running) else 0.98 * running + 0.02 * loss
        stop = bool(deadline) and time.strftime("%H:%M", time.gmtime()) >= deadline
        if (step + 1) % 50 == 0:
            print(
                f"{step + 1} loss {running:.4f} rate {rate:.5f} seconds {time.perf_counter() - began:.0f}", flush=True
            )
        if stop or (step + 1) % 500 == 0 or step + 1 == options.steps:
            arrays: dict[str, Any] = {"step": step + 1, "seconds": time.perf_counter() - began}
            for name in params:
                arrays |= {f"w/{name}": params[name], f"a/{name}": average[name]}
                arrays |= {f"{slot}/{name}": state[slot][name] for slot in state}
            np.savez(checkpoint.with_suffix(".tmp.npz"), **arrays)
            checkpoint.with_suffix(".tmp.npz").replace(checkpoint)
            now = {name: p.copy() for name, p in params.items()}
            network.params = average
            held_out_scores = scores(network, held_out, options.seed + 1, 8)
            print(step + 1, json.dumps(held_out_scores), flush=True)
            about = record(options, step + 1, time.perf_counter() - began, held_out_scores)
            write_tensors(options.out, "ink map", rounded(average), about)
            network.params = now
        if stop:
            print("stopped by --until", flush=True)
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--scenes", type=int, default=2, help="scenes in a batch, each of four crops")
    parser.add_argument("--digits", type=int, default=400, help="training digits of MNIST that are written")
    parser.add_argument("--start", type=Path, help="weights to begin with; random if not given")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--until", default="", help="HH:MM UTC: save a checkpoint and stop then; the same command resumes"
    )
    train(parser.parse_args())


if __name__ == "__main__":
    main()
