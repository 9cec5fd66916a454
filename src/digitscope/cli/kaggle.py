"""digitscope kaggle."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.options import FilePath, json_option, recipe_option, threads_option

if TYPE_CHECKING:
    from digitscope.cli.console import Output
    from digitscope.jobs.kaggle import KaggleResult


@click.command(short_help="From Kaggle's train.csv and test.csv to a submission.")
@click.argument("train_csv", type=FilePath())
@click.argument("test_csv", type=FilePath())
@click.option(
    "--out",
    type=FilePath(),
    default=Path("submission.csv"),
    show_default=True,
    metavar="FILE",
    help="The file to write. The models go to a folder beside it: submission-run for submission.csv.",
)
@recipe_option("The network and its training settings; see `digitscope recipes`. [default: convnet]")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the images. [default: the recipe's]")
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    metavar="K",
    help="Parts of the training images, each of which is read by a network that learned from the others.",
)
@click.option(
    "--members",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Networks whose mean probability is the answer.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of all random numbers."
)
@click.option("--force", is_flag=True, help="Overwrite the submission, and models that have other settings.")
@threads_option
@json_option
def kaggle(
    train_csv: Path,
    test_csv: Path,
    out: Path,
    recipe: str | None,
    folds: int,
    members: int,
    force: bool,
    threads: int | None,
    as_json: bool,
    **settings: Any,  # epochs and seed
) -> None:
    """Make a submission for Kaggle's Digit Recognizer: cross-validate on train.csv, which gives the score to expect,
    train on all of its rows, read test.csv, and write and check the file.

    It trains K + 1 networks, or that many times N with --members. After an interruption of any kind, the same command
    continues where it stopped. docs/kaggle.md says which recipe is worth how much time.

    \b
    Examples:
      digitscope kaggle train.csv test.csv
      digitscope kaggle train.csv test.csv --recipe mlp --out mlp.csv
      digitscope kaggle train.csv test.csv --members 3 --folds 3 --out three.csv
    """
    from digitscope.cli.console import Output, literal
    from digitscope.cli.exit_status import INTERRUPTED, print_error
    from digitscope.cli.fold_view import show_folds
    from digitscope.jobs.kaggle import KaggleJob
    from digitscope.jobs.train import Settings
    from digitscope.recipes import DEFAULT

    chosen = Settings(recipe or DEFAULT, train_csv.name, **settings)
    console = Output(quiet=as_json, soft_wrap=True)
    with KaggleJob(
        *(train_csv, test_csv, out, chosen), folds=folds, members=members, force=force, threads=threads
    ) as job:
        console.print(
            f"[bold]{chosen.recipe}[/] on {literal(train_csv.name)}: {len(job.train.x_train):,} images, {folds} folds"
            f"{f', {members} networks each' if members > 1 else ''}; {literal(test_csv.name)}: "
            f"{len(job.test.images):,} images"
        )
        try:
            result = show_folds(job.work(), console, folds=folds, members=members)
        except KeyboardInterrupt:
            print_error("Stopped. The same command continues from the last checkpoint.")
            sys.exit(INTERRUPTED)
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        _show(console, result, test_csv)


def _show(console: "Output", result: "KaggleResult", test_csv: Path) -> None:
    from digitscope.files.opening import shown_path
    from digitscope.metrics import percentage

    evaluation = result.validated.evaluation
    low, high = map(percentage, result.expected)
    console.print()
    for number, answer in result.least_sure:
        likely = ", or ".join(f"{k} ({percentage(answer.probabilities[k], 1)} %)" for k in answer.plausible[:2])
        console.print(f"least sure: ImageId {number}: {likely}", markup=False)
    console.print(f"pictures of the least sure answers: {shown_path(result.picture)}", markup=False)
    console.print(f"model: {shown_path(result.model)}", markup=False)
    console.print(f"{shown_path(result.submission)}: {result.rows:,} predictions, written and checked", markup=False)
    console.print(
        f"Expect a score of about {percentage(evaluation.accuracy)} %: the accuracy on {evaluation.images:,} training "
        f"images in {len(result.validated.accuracies)} folds. The 95 % interval of the score on {result.rows:,} images "
        f"is {low} to {high} %.",
        style="bold",
        markup=False,
    )
    for warning in _warnings(result, test_csv.name):
        console.print(warning, markup=False)


def _warnings(result: "KaggleResult", test: str) -> list[str]:
    warnings = []
    if result.public_rows:
        warnings.append(
            f"Warning: {result.public_rows:,} of the {result.rows:,} rows of {test} are images of MNIST, whose labels "
            "are public. Scores of 1.0 on the board are leakage: people agree with 99.8 to 99.9 % of these labels. "
            "This submission has learned from the training file alone."
        )
    if result.repeated_rows:
        warnings.append(
            f"Warning: {result.repeated_rows:,} rows of {test} are also in the training file: on these the network was "
            "told the answer."
        )
    if result.has_labels:
        warnings.append(f"Note: {test} has labels, which were not used. Kaggle's test.csv has none: is it train.csv?")
    return warnings
