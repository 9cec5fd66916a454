"""`fit`: labelled images and a network, a model or a recipe's name become a trained, validated and calibrated model."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from digitscope.arguments import check_function, check_kind, check_number, check_whole, check_wholes
from digitscope.arrays import as_images, as_labels
from digitscope.datasets import DataSet, as_data_set
from digitscope.datasets.load import LabelledImages
from digitscope.errors import DigitscopeWarning, TrainingError
from digitscope.metrics import percentage
from digitscope.model import Model
from digitscope.nn import Adam, Frozen, Loss, Network, OneCycle, Optimizer, Schedule, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES, Recipe, recipe_of
from digitscope.recipes.held_out import sample_hashes
from digitscope.recipes.recipe import NETWORK, VALIDATION_SHARE, class_notices, hold_out_end, hold_out_nothing
from digitscope.training import Augmentation, Epoch, Plan, Step, thread_count, to_device, train
from digitscope.training.settings import PlanSettings, by_name, recorded_settings
from digitscope.training_info import TrainingInfo

Callback = Callable[[Step | Epoch], object]

PLAN = Plan(
    loss=SoftmaxCrossEntropy(),
    optimizer=Adam(),
    schedule=OneCycle(0.01),
    epochs=5,
    batch_size=128,
    shard_size=64,
)
"""How a network learns by default."""
FINE_TUNING_RATE = 0.001
"""The highest learning rate for fine-tuning a model."""


def fit(
    start: Network | Model | str,
    x: LabelledImages,
    y: ArrayLike | None = None,
    *,
    plan: Plan | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    loss: Loss | str | None = None,
    label_smoothing: float | None = None,
    optimizer: Optimizer | str | None = None,
    weight_decay: float | None = None,
    schedule: Schedule | str | None = None,
    augment: Augmentation | str | None = None,
    layers: Sequence[int] | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    freeze: Sequence[int] = (),
    validation: tuple[ArrayLike, ArrayLike] | float | None = None,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    callback: Callback | None = None,
    verbose: int = 0,
) -> Model:
    """Trains, validates and calibrates a model, and returns it. `start` itself stays as it is.

    start: a network, which learns from the weights that it has; a model, which learns further (fine-tuning); or a
        recipe's name, which brings its own network, plan and choice of validation images.
    x, y: images and labels. Or x alone: a DataSet, or what `load_data` takes, such as "mnist", a CSV file, or a folder
        of pictures with one subfolder for each class. The test images of a data set are not used.
    plan: everything that decides how the network learns. Give either a plan or single settings: epochs, learning_rate
        (the highest of the schedule), batch_size, loss, label_smoothing, optimizer, weight_decay, schedule and augment,
        as objects or by the names that `digitscope train --help` lists. By default a network learns for 5 epochs with
        Adam, at a one-cycle rate of 0.01, in batches of 128. The same holds for a model, but at a rate of 0.001, with
        its own loss and the augmentation that it was trained with.
    layers, activation, dropout: of a recipe's network, as `Recipe.with_settings` changes it.
    freeze: the indices of layers that do not learn.
    validation: (images, labels), or the share of the images that is held out; 0 for no validation and no calibration.
        The default is the recipe's own choice, else a twelfth. The last images of each class are held out, because
        neighbours often share a writer; for MNIST, the last images of the whole set. A DigitscopeWarning names each
        class that is not learned or not validated.
    seed: decides everything that is random. Equal arguments give equal bits on any number of threads.
    threads: the number of threads; all processors by default.
    device: "cpu", or "cuda" with the extra digitscope[cuda].
    callback: receives each Step and Epoch; training stops early if it returns True.
    verbose: 1 prints a line for each epoch.

    Shapes: images uint8 0..255 or floats 0..1, (N, H, W) or rows (N, H W); labels integers (N,)
    Raises: ShapeError and DataError for images and labels, TrainingError for settings, DivergenceError.
    """
    check_kind("start", start, "a Network, a Model or a recipe's name", Network, Model, str)
    check_wholes("freeze", freeze)
    check_whole("seed", seed, 0)
    check_function("callback", callback, optional=True)
    check_kind("verbose", verbose, "0 or 1", int)
    if plan is not None:
        check_kind("plan", plan, "a Plan or None", Plan)
    if not isinstance(validation, tuple):
        check_number("The share of validation images", validation, optional=True, error=TrainingError)
    elif len(validation) != 2:
        raise TrainingError(f"validation is expected as (images, labels) or a share; got {len(validation)} parts.")
    threads = thread_count(threads)
    to_device(device)  # raises its errors before anything is computed
    data = as_data_set(x, y, shape=start.image_shape if isinstance(start, Model) else None)
    recipe = _recipe(start, data, freeze)
    plan_settings: PlanSettings = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "loss": loss,
        "label_smoothing": label_smoothing,
        "optimizer": optimizer,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "augment": augment,
    }
    network_settings = {"layers": layers, "activation": activation, "dropout": dropout}
    if plan is not None:
        if given := [name for name, value in plan_settings.items() if value is not None]:
            raise TrainingError(f"A plan holds all settings; got {', '.join(given)} as well. Put them into the plan.")
        recipe = replace(recipe, plan=plan)
    if isinstance(start, str):
        recipe = recipe.with_settings(layers=layers, activation=activation, dropout=dropout, **plan_settings)
    else:
        if given := [name for name, value in network_settings.items() if value is not None]:
            raise TrainingError(
                f"{', '.join(given)} can be set for a recipe. Change the network that you give instead."
            )
        recipe = replace(recipe, plan=recipe.plan.with_settings(**plan_settings))
    if validation is not None:
        share = 0 if isinstance(validation, tuple) else validation
        recipe = replace(recipe, split=hold_out_end(share) if share else hold_out_nothing)
    training = recipe.start(data, seed)
    run, images = training.run, training.images
    _, height, width = images.shape
    held_out = training.validation if len(training.validation[1]) else None
    notices = () if isinstance(start, Model) else training.notices  # a model may know other classes
    if isinstance(validation, tuple):
        validation_images = as_images(validation[0], (height, width))
        classes = start.classes if isinstance(start, Model) else data.classes
        held_out = validation_images, as_labels(validation[1], len(validation_images), classes)
        notices = () if isinstance(start, Model) else class_notices(data, data.y_train, held_out[1])
    for notice in notices:
        warnings.warn(notice, DigitscopeWarning, stacklevel=2)
    for result in train(run, images, training.labels, validation=held_out, threads=threads, device=device):
        if verbose and isinstance(result, Epoch):
            print(_line(result, run.epochs), flush=True)
        if callback is not None and callback(result) is True:
            break
    network = run.outcome(images).thawed()
    assert isinstance(network, Network)  # only layers in it were frozen
    info = TrainingInfo(
        # It is not known which images the earlier training of a model held out.
        recipe=None if isinstance(start, Model) else recipe.name,
        **(recorded_settings({**network_settings, **plan_settings}) if isinstance(start, str) else {}),
        seed=seed,
        epochs=min(run.epoch, recipe.plan.epochs),  # fewer if the callback stopped it
        learning_rate=recipe.plan.schedule.learning_rate,
        batch_size=recipe.plan.batch_size,
        data=data.name,
        data_digest=data.digest,
        data_sample=() if data.is_mnist else sample_hashes(images),
        classes=run.network.output_shape((height * width,))[0],
        train_images=len(images),
        validation_images=0 if held_out is None else len(held_out[1]),
        validation_accuracy=None if held_out is None else run.history["validation_accuracy"][-1],
    )
    model = Model(network, recipe.plan.loss, (height, width), info)
    if held_out is None:
        return model
    return model.calibrated(*(training.calibration() if held_out is training.validation else held_out), threads=threads)


def _recipe(start: Network | Model | str, data: DataSet, freeze: Sequence[int]) -> Recipe:
    """The recipe of that name, or one whose network is a copy of the given one."""
    if isinstance(start, str):
        recipe = by_name("start", RECIPES, start)
        if len(freeze):
            raise TrainingError("freeze expects a trained network; a recipe's starts at random. Leave it out.")
        return recipe
    plan = PLAN
    if isinstance(start, Model):
        known = recipe_of(start.info)
        augment = known.plan.augment if known else None
        plan = replace(PLAN, loss=start.loss, schedule=OneCycle(FINE_TUNING_RATE), augment=augment)
    network = start.network if isinstance(start, Model) else start
    copy = _frozen(network.map_arrays(np.copy), freeze)
    return Recipe(NETWORK, "", "", lambda rng, shape, classes: copy, plan, hold_out_end(VALIDATION_SHARE))


def _frozen(network: Network, freeze: Sequence[int]) -> Network:
    count = len(network.layers)
    for index in freeze:
        if not -count <= index < count:
            raise TrainingError(f"freeze expects indices of {count} layers, 0 to {count - 1}; got {index}.")
    frozen = {index % count for index in freeze}
    network = Network(*(Frozen(layer) if i in frozen else layer for i, layer in enumerate(network.layers)))
    if not network.params:
        raise TrainingError("Nothing is left to learn: every layer with parameters is frozen. Freeze fewer layers.")
    return network


def _line(result: Epoch, epochs: int) -> str:
    line = f"epoch {result.epoch:>{len(str(epochs))}}/{epochs}  {result.seconds:.1f} s"
    if result.validation_loss is None or result.validation_accuracy is None:
        return line
    return f"{line}  validation loss {result.validation_loss:.4f}, accuracy {percentage(result.validation_accuracy)} %"
