"""The description of the lab's interface, made from its table of routes."""

from collections.abc import Iterable
from typing import Any

from digitscope.lab.requests import schema
from digitscope.lab.routes import Route, Upload

_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_FAILURES = {
    "400": "The request cannot be used; the error says what was expected.",
    "403": "The visitor may not do this.",
    "404": "What is asked for does not exist.",
    "409": "This is not possible at the moment.",
    "413": "The body is too large.",
    "415": "The body is of another type.",
    "429": "Too many requests in a short time.",
}


def openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """The routes as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Digitscope lab", "version": "1", "description": "What the lab's pages ask its server for."},
        "paths": paths,
    }


def _operation(route: Route) -> dict[str, Any]:
    failures = {
        status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
        for status, text in _FAILURES.items()
    }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{route.path.replace('/', '_')}",
        "x-right": route.right.name.lower(),
        "responses": {"200": {"description": "The answer."}, **failures},
    }
    request = route.request
    if request is Upload:
        operation["parameters"] = [_parameter("name", {"type": "string", "maxLength": 200}, True)]
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    elif request is not None and route.method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema(request)}}}
    elif request is not None:
        whole = schema(request)
        operation["parameters"] = [
            _parameter(name, kind, name in whole["required"]) for name, kind in whole["properties"].items()
        ]
    return operation


def _parameter(name: str, kind: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": kind}
