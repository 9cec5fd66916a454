"""A search over two worker processes of a Dask cluster, through joblib, as docs/scale.md describes it."""

import os
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score

from digitscope import DenseClassifier, DigitClassifier

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

pytestmark = [
    # Of Dask's own shutdown.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


class InProcess(DenseClassifier):
    """Notes the process and the threads that it may use in place of a score."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return os.getpid() + self._available_threads() / 1000


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    # Port 0: another worker may have a cluster, too.
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_a_grid_search_on_two_processes_finds_what_one_finds(client: Any) -> None:
    x, y = load_iris(return_X_y=True)
    classifier = DenseClassifier(hidden=(8,), epochs=20, random_state=0)
    search = GridSearchCV(classifier, {"learning_rate": [1e-5, 0.01, 0.05]}, cv=2, scoring="neg_log_loss")
    with joblib.parallel_backend("dask"):
        search.fit(x, y)
    alone = GridSearchCV(classifier, search.param_grid, cv=2, scoring="neg_log_loss").fit(x, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(search.predict_proba(x), alone.predict_proba(x))


def test_the_folds_go_to_both_processes_with_one_thread_each(client: Any) -> None:
    x, y = load_iris(return_X_y=True)
    with joblib.parallel_backend("dask"):
        scores = cross_val_score(InProcess(hidden=(8,), epochs=20), x, y, cv=6)
    processes = {int(score) for score in scores}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert {round(1000 * (score % 1)) for score in scores} == {1}


def test_the_page_about_clusters_is_true(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its block runs, on the cluster that is there already instead of another one."""
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python cluster\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.setattr("dask.distributed.LocalCluster", lambda **options: nullcontext(client.cluster))
    exec(compile(block, "block", "exec"), {"__name__": "__main__"})
    assert "learning_rate" in capsys.readouterr().out


def test_images_travel_too(client: Any) -> None:
    x, y = (part[:120] for part in load_digits(return_X_y=True))
    classifier = DigitClassifier("mlp", epochs=3, random_state=0)
    with joblib.parallel_backend("dask"):
        scores = cross_val_score(classifier, x.reshape(-1, 8, 8), y, cv=2)
    np.testing.assert_array_equal(scores, cross_val_score(classifier, x, y, cv=2))
