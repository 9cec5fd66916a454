"""The classifiers in scikit-learn's tools: pipelines, searches, clones, jobs in parallel, routing, callbacks."""

import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import threadpoolctl
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import digitscope
from digitscope import DenseClassifier, DigitClassifier
from digitscope.arrays import Array
from digitscope.training import thread_count

X, Y = load_iris(return_X_y=True)
DIGITS, DIGIT_LABELS = (part[:200] for part in load_digits(return_X_y=True))


def dense(**parameters: Any) -> DenseClassifier:
    return DenseClassifier(**{"hidden": (8,), "epochs": 40, "random_state": 0, **parameters})


def digit(**parameters: Any) -> DigitClassifier:
    return DigitClassifier(**{"recipe": "mlp", "epochs": 4, "random_state": 0, **parameters})


EACH = pytest.mark.parametrize(
    ("make", "x", "y"), [(dense, X, Y), (digit, DIGITS, DIGIT_LABELS)], ids=["dense", "digit"]
)


@EACH
def test_a_clone_has_the_parameters_and_nothing_learned(make: Callable[..., Any], x: Array, y: Array) -> None:
    fitted = make(learning_rate=0.02).fit(x, y)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "classes_")
    np.testing.assert_array_equal(copied.fit(x, y).predict_proba(x), fitted.predict_proba(x))


@EACH
def test_cross_validation_and_a_grid_search(make: Callable[..., Any], x: Array, y: Array) -> None:
    scores = cross_val_score(make(), x, y, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.5
    grid = {"epochs": [1, 6], "learning_rate": [0.01, 0.05]}
    search = GridSearchCV(make(), grid, cv=3, scoring="neg_log_loss", return_train_score=True).fit(x, y)
    assert search.best_params_["epochs"] == 6
    assert search.cv_results_["mean_test_score"].shape == (4,)
    np.testing.assert_array_equal(search.predict(x), search.best_estimator_.predict(x))


@EACH
def test_jobs_in_processes_and_threads_give_the_same_bits(make: Callable[..., Any], x: Array, y: Array) -> None:
    one = cross_val_predict(make(), x, y, cv=2, method="predict_proba", n_jobs=1)
    for backend in ("loky", "threading"):
        with joblib.parallel_config(backend, n_jobs=2):
            several = cross_val_predict(make(), x, y, cv=2, method="predict_proba")
        np.testing.assert_array_equal(several, one, err_msg=backend)


def test_the_page_about_jobs_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    exec(compile(block, "block", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("[0.")


def test_fits_in_several_threads_leave_blas_as_it_was() -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

    before = threads()
    parts = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(lambda epochs: dense(epochs=epochs).fit(X, Y).predict_proba(X))(epochs) for epochs in (60, 5, 30)
    )
    assert threads() == before
    np.testing.assert_array_equal(parts[1], dense(epochs=5).fit(X, Y).predict_proba(X))


def test_a_job_has_one_thread_unless_told_otherwise() -> None:
    assert dense()._available_threads() == thread_count(None)
    for backend in ("loky", "threading"):
        with joblib.parallel_config(backend, n_jobs=2):
            inner = joblib.Parallel()(joblib.delayed(dense(n_threads=n)._available_threads)() for n in (None, None, 3))
        assert inner == [1, 1, 3], backend


@EACH
def test_one_fitted_classifier_predicts_in_several_threads(make: Callable[..., Any], x: Array, y: Array) -> None:
    fitted = make().fit(x, y)
    expected = fitted.predict_proba(x)
    found: list[Array] = []
    threads = [threading.Thread(target=lambda: found.append(fitted.predict_proba(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(expected, other) for other in found)


@EACH
def test_pickle_and_joblib_keep_everything(make: Callable[..., Any], x: Array, y: Array, tmp_path: Any) -> None:
    fitted = make(n_threads=2).fit(x, np.array([f"class {k}" for k in y]))
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    for copied in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "classifier.joblib")):
        np.testing.assert_array_equal(copied.predict_proba(x), fitted.predict_proba(x))
        assert copied.classes_.tolist() == fitted.classes_.tolist()
        assert copied.loss_curve_ == fitted.loss_curve_
        assert copied.get_params() == fitted.get_params()


def test_a_pipeline_of_columns_and_its_names() -> None:
    frame = pd.DataFrame({"length": X[:, 2], "colour": np.array(["red", "blue", "red"])[Y], "width": X[:, 3]})
    columns = make_column_transformer(
        (StandardScaler(), ["length", "width"]), (OneHotEncoder(sparse_output=False), ["colour"])
    )
    pipeline = make_pipeline(columns, dense(epochs=100)).set_output(transform="pandas").fit(frame, Y)
    assert pipeline.score(frame, Y) > 0.9
    assert pipeline[-1].feature_names_in_.tolist() == [
        "standardscaler__length",
        "standardscaler__width",
        "onehotencoder__colour_blue",
        "onehotencoder__colour_red",
    ]
    assert "DenseClassifier" in pipeline._repr_html_()


def test_parameters_within_a_pipeline_are_searched() -> None:
    pipeline = Pipeline([("scale", StandardScaler()), ("network", dense())])
    search = GridSearchCV(pipeline, {"network__dropout": [0.0, 0.9], "network__hidden": [(8,), (8, 8)]}, cv=2)
    assert search.fit(X, Y).best_params_["network__dropout"] == 0.0


def test_ensembles_and_calibration_of_scikit_learn() -> None:
    assert BaggingClassifier(dense(), 2, random_state=0).fit(X, Y).score(X, Y) > 0.8
    voting = VotingClassifier([("a", dense()), ("b", LogisticRegression(C=0.1, max_iter=1000))], voting="soft").fit(
        X, Y
    )
    assert voting.score(X, Y) > 0.8
    calibrated = CalibratedClassifierCV(dense(), cv=2).fit(X, Y)
    assert calibrated.predict_proba(X).shape == (150, 3)


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
@EACH
def test_sample_weights_are_routed(make: Callable[..., Any], x: Array, y: Array) -> None:
    weights = np.random.default_rng(0).uniform(0, 3, len(y))
    asked = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    routed = cross_validate(asked, x, y, cv=2, params={"sample_weight": weights}, return_estimator=True)
    plain = cross_validate(make().set_fit_request(sample_weight=False), x, y, cv=2, return_estimator=True)
    for weighted, unweighted in zip(routed["estimator"], plain["estimator"], strict=True):
        assert not np.allclose(weighted.predict_proba(x), unweighted.predict_proba(x), atol=1e-4)
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asked)
    direct = asked.fit(StandardScaler().fit_transform(x), y, sample_weight=weights)
    expected = direct.predict_proba(StandardScaler().fit_transform(x))
    np.testing.assert_array_equal(pipeline.fit(x, y, sample_weight=weights).predict_proba(x), expected)
    requests = make().set_partial_fit_request(classes=True, sample_weight=True).get_metadata_routing()
    assert requests.partial_fit.requests == {"classes": True, "sample_weight": True}


class Recorder:
    """A callback by scikit-learn's protocol, which notes what it is told and stops after `last` epochs."""

    def __init__(self, last: int = 1000) -> None:
        self.last, self.events = last, list[str]()
        self.scores, self.paths = list[float](), list[list[str]]()
        self.metadata: Any = None

    def setup(self, estimator: Any, context: Any) -> None:
        self.events.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any, fitted_estimator: Any
    ) -> bool:
        self.events.append(f"end {context.task_name}")
        self.metadata = metadata
        self.scores.append(fitted_estimator.score(X, y))
        if context.parent is not None:
            self.paths.append([context.parent.task_name, context.task_name, str(context.parent.max_subtasks)])
        return bool(context.task_name == f"epoch {self.last}")


with_protocol = pytest.mark.skipif(find_spec("sklearn.callback") is None, reason="scikit-learn before 1.9")


@with_protocol
@EACH
def test_callbacks_are_told_of_each_epoch(make: Callable[..., Any], x: Array, y: Array) -> None:
    recorder = Recorder()
    weights = np.ones(len(y))
    named = pd.DataFrame(x).add_prefix("f")
    fitted = make(epochs=3).set_callbacks(recorder).fit(named, y, sample_weight=weights)
    epochs = [f"{what} epoch {k}" for k in (1, 2, 3) for what in ("begin", "end")]
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.metadata["sample_weight"] is weights
    assert recorder.paths == [["fit", f"epoch {k}", "3"] for k in (1, 2, 3)]
    assert recorder.scores[-1] == recorder.scores[-2] == fitted.score(named, y)
    np.testing.assert_array_equal(fitted.predict_proba(named), make(epochs=3).fit(named, y).predict_proba(named))


@with_protocol
@EACH
def test_a_callback_can_stop_a_fit(make: Callable[..., Any], x: Array, y: Array) -> None:
    recorder = Recorder(last=2)
    fitted = make(epochs=20).set_callbacks(recorder).fit(x, y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 2
    assert recorder.events[-3:] == ["end epoch 2", "end fit", "teardown"]
    assert recorder.scores[-1] == fitted.score(x, y)


@with_protocol
def test_callbacks_end_with_a_fit_that_fails() -> None:
    recorder = Recorder()
    with pytest.raises(digitscope.DigitscopeError):
        dense(optimizer="gradient-descent", learning_rate=1e9).set_callbacks(recorder).fit(X, Y)
    assert recorder.events[-1] == "teardown"


@with_protocol
def test_scikit_learns_own_callbacks() -> None:
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    fitted = dense(epochs=3).set_callbacks(monitor).fit(pd.DataFrame(X).add_prefix("f"), Y)
    scores = monitor.get_logs().data_as_pandas["accuracy"]
    assert len(scores) == 4  # of three epochs and the whole
    assert scores.iloc[-1] == fitted.score(pd.DataFrame(X).add_prefix("f"), Y)
    bar = ProgressBar()
    search = GridSearchCV(dense(epochs=3), {"hidden": [(4,), (8,)]}, cv=2).set_callbacks(bar).fit(X, Y)
    assert search.best_params_


def test_scikit_learn_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, digitscope; digitscope.fit, digitscope.Model; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "lacking",
    [
        pytest.param("import sys; sys.modules['sklearn'] = None", id="not installed"),
        pytest.param("from sklearn.utils import validation; del validation.validate_data", id="before 1.6"),
    ],
)
def test_without_scikit_learn_the_error_says_what_to_install(lacking: str) -> None:
    code = f"{lacking}; from digitscope import DigitClassifier"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "need scikit-learn 1.6 or newer: pip install 'digitscope[sklearn]'" in done.stderr
