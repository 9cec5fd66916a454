"""Requests made from openapi.json, sensible and not, through ASGI: none makes the server fail, hang or grow."""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict
from starlette.testclient import TestClient

from digitscope.lab.app import ROUTES, application
from digitscope.lab.openapi import openapi
from digitscope.lab.routes import Route
from digitscope.lab.state import Lab

EXAMPLES = int(os.environ.get("LAB_FUZZ", "6"))
"""Requests of each of three kinds for each route. LAB_FUZZ=100 sends more."""
UNEXPECTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MAX_GROWTH = 1 << 30
"""Bytes by which the requests of one route may let the process grow: models and MNIST are loaded once."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    lab = Lab(tmp_path_factory.mktemp("fuzz") / "lab", "convnet")
    with TestClient(application(lab, ["testserver"]), raise_server_exceptions=True) as client:
        yield client
    lab.close()


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def send(client: TestClient, route: Route, case: Case[Any]) -> int:
    """Sends a request and checks what every answer promises. Returns its status."""
    known: dict[str, Any] = {"params": case.query or None}
    if route.method == "POST" and isinstance(case.body, bytes):
        known |= {"content": case.body, "headers": {"content-type": case.media_type or "application/json"}}
    elif route.method == "POST" and route.request is not None:
        known |= {"content": json.dumps(case.body).encode(), "headers": {"content-type": "application/json"}}
    try:
        answer = client.request(route.method, route.path, **known)
    except httpx2.InvalidURL:  # longer than the client sends
        return 0
    assert answer.status_code < 500, (route.path, case.body, case.query, answer.text)
    if answer.status_code >= 400:
        message = answer.json()["error"]
        assert isinstance(message, str)
        assert len(message) < 2000
        assert message.isprintable()
    return answer.status_code


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_request_makes_the_server_fail(route: Route, client: TestClient) -> None:
    operation = from_dict(openapi(ROUTES))[route.path][route.method]
    before = peak()
    statuses: set[int] = set()
    modes = [GenerationMode.POSITIVE] + [GenerationMode.NEGATIVE] * (route.request is not None)
    for mode in modes:
        run = given(operation.as_strategy(generation_mode=mode))(lambda case: statuses.add(send(client, route, case)))
        quick(run)()
    if route.method == "POST" and route.request is not None:
        body = given(UNEXPECTED)(lambda value: statuses.add(send(client, route, operation.Case(body=value))))
        quick(body)()
    assert statuses
    assert peak() - before < MAX_GROWTH


def quick(run: Callable[[], None]) -> Callable[[], None]:
    return settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(run)


def test_schemathesis_reads_the_whole_description() -> None:
    operations = [result.ok() for result in from_dict(openapi(ROUTES)).get_all_operations() if isinstance(result, Ok)]
    found = {(operation.method.upper(), operation.path) for operation in operations}
    assert found == {(route.method, route.path) for route in ROUTES}
