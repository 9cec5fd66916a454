"""The server's application: the table of routes and pages, and how a request becomes an answer."""

import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Address
from starlette.staticfiles import StaticFiles

from digitscope.errors import DataError, DigitscopeError
from digitscope.lab.frame import STATIC, frame, language_of, not_found, theme_of
from digitscope.lab.openapi import openapi
from digitscope.lab.requests import from_json, from_query
from digitscope.lab.rooms import classroom, common, draw, explore, notes, start, step, training
from digitscope.lab.routes import ConflictError, Download, NotFoundError, Page, Right, Route, Upload
from digitscope.lab.safety import Guard
from digitscope.lab.state import Lab

ROOMS = (common, start, draw, step, training, explore, classroom, notes)
ROUTES: list[Route] = [route for room in ROOMS for route in room.ROUTES]
PAGES: list[Page] = [page for room in ROOMS for page in room.PAGES]
MAX_STREAMS = 64
"""Event streams that are open at once, one for each of the teacher's browsers."""
LOCAL = ("127.0.0.1", "localhost", "::1")


def application(lab: Lab, hosts: Iterable[str] = LOCAL) -> Starlette:
    """The application for one lab, reached under these hosts."""
    addresses: list[BaseRoute] = [
        Address("/api/events", _events(lab), methods=["GET"]),
        Address("/openapi.json", _description, methods=["GET"]),
        *(Address(route.path, _endpoint(lab, route), methods=[route.method]) for route in ROUTES),
        *(Address(page.path, _page(lab, page), methods=["GET"]) for page in PAGES),
        Mount("/static", _Static(directory=STATIC)),
    ]
    return Starlette(
        routes=addresses,
        middleware=[Middleware(Guard, hosts=hosts, access=lab.access)],
        exception_handlers={DigitscopeError: _failure, HTTPException: _http_failure},
    )


def _endpoint(lab: Lab, route: Route) -> Callable[[Request], Awaitable[Response]]:
    kind = route.request

    async def answer(request: Request) -> Response:
        _require(request, route.right)
        arguments = () if kind is None else (await _parsed(kind, route, request),)
        found = await run_in_threadpool(route.handle, lab, *arguments)
        return await run_in_threadpool(_response, found)

    return answer


async def _parsed(kind: type[Any], route: Route, request: Request) -> Any:
    if route.method == "GET":
        return from_query(kind, request.query_params)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    expected = "application/octet-stream" if kind is Upload else "application/json"
    if content_type != expected:
        raise HTTPException(415, f"The body's Content-Type is expected as {expected}; got {content_type or 'none'}.")
    body = await _body(request, route.largest)
    if kind is Upload:
        return Upload(request.query_params.get("name", "file")[:200], body)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise DataError("The body is expected as JSON; it is something else, or cut off.") from None
    return from_json(kind, value)


async def _body(request: Request, largest: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise HTTPException(413, f"The body is expected with at most {largest} bytes; it has more.")
        parts.append(part)
    return b"".join(parts)


def _response(found: object) -> Response:
    if isinstance(found, Download):
        quoted = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in found.name)
        headers = {"content-disposition": f'inline; filename="{quoted}"'}
        return Response(found.content, media_type=found.media_type, headers=headers)
    return JSONResponse(found)


def _events(lab: Lab) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        _require(request, Right.TEACH)
        if lab.hub.streams >= MAX_STREAMS:
            raise HTTPException(503, f"The lab has {MAX_STREAMS} event streams open, which is its limit. Close some.")
        last = None
        with suppress(ValueError):
            last = int(request.headers.get("last-event-id", ""))
        stream = lab.hub.stream(right_of(request), last)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    return answer


def right_of(request: Request) -> Right:
    """What the visitor may do, as the guard found out."""
    return Right(request.scope.get("right", Right.VISIT))


def _require(request: Request, least: Right) -> None:
    """Raises: HTTPException if the visitor has not this right."""
    if right_of(request) < least:
        raise HTTPException(403, "Only the teacher's page may do this." if least is Right.TEACH else "Join first.")


async def _description(request: Request) -> Response:
    _require(request, Right.TEACH)
    return JSONResponse(openapi(ROUTES))


def _page(lab: Lab, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if right_of(request) < page.right:
            return RedirectResponse("/join" if right_of(request) < Right.DRAW else "/phone", 303)
        language, theme = language_of(request), theme_of(request)
        content, status = None, 200
        if page.content is not None:
            try:
                content = await run_in_threadpool(page.content, lab, dict(request.path_params), language)
            except NotFoundError as error:
                content, status = not_found(language, str(error)), 404
        pages = [known for known in PAGES if not known.bare]
        found = frame(page, pages, language, theme, content)
        return HTMLResponse(found, status, headers={"cache-control": "no-store"})

    return answer


class _Static(StaticFiles):
    """Files that the browser asks for again each time, so that a new version is seen at once; usually it gets 304."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


async def _failure(request: Request, error: Exception) -> Response:
    status = 409 if isinstance(error, ConflictError) else 404 if isinstance(error, NotFoundError) else 400
    return JSONResponse({"error": str(error)}, status_code=status)


async def _http_failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)
