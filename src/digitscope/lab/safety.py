"""What every request is checked for before a room sees it. docs/security.md says what this promises."""

import html
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digitscope.lab.access import Access, Keys, is_own_host
from digitscope.lab.addresses import visitor_key
from digitscope.lab.rates import Rate
from digitscope.lab.routes import Right

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
}
RATES = {Right.VISIT: (30.0, 600), Right.DRAW: (100.0, 2000), Right.TEACH: (500.0, 5000)}
"""Requests a second in the long run, and at once, from one address. A whole class may share one."""
ATTEMPTS = (1 / 3, 20)
"""The same for keys that are wrong."""
_SAFE = ("GET", "HEAD")


class Guard:
    """Refuses requests for another host (DNS rebinding), requests by another site, and too many of them; finds out what
    the visitor may do; and adds the headers that keep foreign scripts and frames out.

    hosts: the names and addresses under which the lab may be reached, without port.
    access: who may do what; None if the lab can only be reached from this machine, where everyone may do everything.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], access: Access | None = None) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._keys: Keys | None = access.keys if access else None
        self._rates = {right: Rate(*rate) for right, rate in RATES.items()}
        self._attempts = Rate(*ATTEMPTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._own_answer(scope, Headers(scope=scope)) or self._app
        await answer(scope, receive, send_with_headers)

    def _own_answer(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a visitor who is refused or shows a key; None if the request goes on, with its right."""
        visitor = visitor_key((scope.get("client") or ("?",))[0])
        refusal = self._foreign_request(scope, headers)
        if refusal is not None:
            return _refusal(403, refusal)
        right = self._right(scope, headers)
        if not self._rates[right].allows(visitor):
            return _refusal(429, "Too many requests in a short time. Wait a moment.")
        key = _key(scope)
        if key is not None and self._keys is not None:
            return self._entrance(scope, self._keys, key, right, visitor)
        scope["right"] = right
        return None

    def _foreign_request(self, scope: Scope, headers: Headers) -> str | None:
        """Why a request is refused whoever asks: it is for another host, or another site's page makes it."""
        host = headers.get("host", "")
        if not is_own_host(_host_name(host), self._hosts, addresses=self._keys is not None):
            return "The lab is reached under another address than this one: use the one that it printed."
        is_foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        origin = headers.get("origin")
        is_foreign |= origin is not None and urlsplit(origin).netloc != host
        # Another site may have a link to a page, but that is all.
        is_link = headers.get("sec-fetch-mode", "navigate") == "navigate" and not scope["path"].startswith("/api/")
        if is_foreign and not (scope["method"] in _SAFE and is_link):
            return "The lab takes requests from its own pages only."
        return None

    def _right(self, scope: Scope, headers: Headers) -> Right:
        if self._keys is None:
            return Right.TEACH
        return self._keys.right(cookie_parser(headers.get("cookie", "")).get(_cookie(scope), ""))

    def _entrance(self, scope: Scope, keys: Keys, key: str, right: Right, visitor: str) -> Response:
        """The answer to a visitor who shows a key: keeps it in a cookie, so that it leaves the address."""
        if not self._attempts.allows(visitor, cost=0):
            return _refusal(429, "Too many wrong codes from this address. Wait a minute.")
        gained = keys.right(key)
        headers = {"cache-control": "no-store"}
        if gained is Right.VISIT:
            self._attempts.allows(visitor)
            return RedirectResponse("/join/again", 303, headers)
        secret = keys.teacher if gained is Right.TEACH else keys.code
        if gained > right:  # a pupil's link does not take a right away
            headers["set-cookie"] = f"{_cookie(scope)}={secret}; Path=/; HttpOnly; SameSite=Strict"
        target = "/phone" if gained is Right.DRAW else scope["path"]
        return HTMLResponse(_moved(target), headers=headers)


def _key(scope: Scope) -> str | None:
    """The key in the address of a page."""
    if scope["method"] not in _SAFE or scope["path"].startswith(("/api/", "/static/")):
        return None
    try:
        found = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
    except ValueError:
        return None
    return found["key"][0][:200] if "key" in found else None


def _cookie(scope: Scope) -> str:
    """Cookies are shared by all ports of a host, so the port is part of the name: two labs have two."""
    server = scope.get("server") or ("", 0)
    return f"digitscope-{server[1]}"


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _moved(path: str) -> str:
    """A page that goes on to another by itself.

    A cookie with SameSite=Strict is not sent after a redirect if another program or site opened the link, such as a
    scanner of QR codes. From a page of our own it is.
    """
    target = html.escape(path if path.startswith("/") and not path.startswith("//") else "/", quote=True)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Digitscope</title>'
        f'<link rel="icon" href="/static/icon.svg"><meta http-equiv="refresh" content="0; url={target}"></head>'
        f'<body><a href="{target}">Digitscope</a></body></html>'
    )


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status, {"retry-after": "2"} if status == 429 else None)
