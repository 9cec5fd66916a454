"""Each promise of docs/security.md with the attack that it is meant for."""

import json
import re
import socket
import string
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from starlette.testclient import TestClient

from digitscope.lab import app, safety
from digitscope.lab.access import CODE_LENGTH, LETTERS, Access, Keys, normalize_code
from digitscope.lab.addresses import is_loopback, lan_addresses, visitor_key
from digitscope.lab.app import MAX_STREAMS, PAGES, ROUTES, application
from digitscope.lab.rates import Rate
from digitscope.lab.routes import Right, Route, Upload
from digitscope.lab.safety import ATTEMPTS, RATES
from digitscope.lab.state import Lab

ADDRESS = "192.168.1.5"
OWN = {"sec-fetch-site": "same-origin", "origin": f"http://{ADDRESS}", "content-type": "application/json"}


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def visit(tmp_path: Path, keys: Keys) -> Iterator[Callable[..., TestClient]]:
    """A browser that visits a lab which other machines can reach; with a key, it has shown that."""
    lab = Lab(tmp_path / "lab", "convnet")
    lab.access = Access(keys, (f"{ADDRESS}:80",))
    served = application(lab, ["teacher.local"])

    def browser(key: str | None = None, address: str = "10.0.0.9") -> TestClient:
        client = TestClient(served, base_url=f"http://{ADDRESS}", client=(address, 4711), follow_redirects=False)
        if key is not None:
            assert client.get("/", params={"key": key}).status_code == 200
        return client

    yield browser
    lab.close()


def body_of(route: Route) -> bytes:
    """A body that the route may accept or not; whoever lacks the right must not get so far."""
    return b"{}" if route.request is not Upload else b""


def ask(client: TestClient, route: Route, **headers: str) -> int:
    if route.method == "GET":
        return client.get(route.path, headers=headers).status_code
    kind = "application/octet-stream" if route.request is Upload else "application/json"
    sent = {**OWN, "content-type": kind, **headers}
    return client.post(route.path, content=body_of(route), headers=sent).status_code


# Keys


def test_keys_are_long_and_never_the_same() -> None:
    found = [Keys() for _ in range(100)]
    assert len({keys.teacher for keys in found}) == len({keys.code for keys in found}) == 100
    assert all(len(keys.teacher) >= 22 for keys in found)  # 128 bits in base64
    assert all(len(keys.code) == CODE_LENGTH and set(keys.code) <= set(LETTERS) for keys in found)
    assert set(string.ascii_lowercase + string.digits) - set(LETTERS) == set("ilo01")
    assert len(LETTERS) ** CODE_LENGTH > 2**39
    assert "teacher" not in repr(found[0])
    assert found[0].code not in repr(found[0])


def test_a_code_is_taken_as_people_type_it(keys: Keys) -> None:
    for typed in (keys.code, keys.shown_code, keys.code.upper(), f" {keys.code[:3]} {keys.code[3:]} "):
        assert keys.right(typed) is Right.DRAW
    for other in ("", keys.code[:-1], keys.code + "a", keys.teacher[:-1], keys.teacher.swapcase(), "é", "\0"):
        assert keys.right(other) is Right.VISIT
    assert keys.right(keys.teacher) is Right.TEACH
    assert len(normalize_code("a" * 10_000)) <= 64


# Rights


def test_every_route_says_who_may_call_it() -> None:
    drawing = {route.path for route in ROUTES if route.right is Right.DRAW}
    assert drawing == {"/api/class/join", "/api/class/phone", "/api/class/send", "/api/notes/search"}
    assert {route.path for route in ROUTES if route.right is Right.VISIT} == set()
    assert {page.path for page in PAGES if page.right < Right.TEACH} == {
        "/phone",
        "/join",
        "/join/again",
        "/notes",
        "/notes/{name}",
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_one_calls_a_route_without_a_key(route: Route, visit: Callable[..., TestClient], keys: Keys) -> None:
    stranger = visit()
    assert ask(stranger, route) == 403
    assert ask(stranger, route, cookie="digitscope-80=guess") == 403
    assert ask(stranger, route, cookie=f"digitscope-81={keys.teacher}") == 403
    assert ask(stranger, route, authorization=f"Bearer {keys.teacher}") == 403


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_pupil_calls_only_what_pupils_may(route: Route, visit: Callable[..., TestClient], keys: Keys) -> None:
    pupil = visit(keys.code)
    if route.right is Right.TEACH:
        assert ask(pupil, route) == 403
        assert ask(pupil, route, cookie=f"digitscope-80={keys.code}; digitscope-80=x") == 403
    else:
        assert ask(pupil, route) != 403


def test_pages_and_streams_by_right(
    visit: Callable[..., TestClient], keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_STREAMS", 0)  # a stream would not end
    stranger, pupil, teacher = visit(), visit(keys.code), visit(keys.teacher)
    for page in PAGES:
        path = page.path.replace("{", "").replace("}", "")
        if page.right is Right.TEACH:
            assert (stranger.get(path).status_code, stranger.get(path).headers["location"]) == (303, "/join")
            assert (pupil.get(path).status_code, pupil.get(path).headers["location"]) == (303, "/phone")
        assert teacher.get(path).status_code != 303
    assert stranger.get("/phone").headers["location"] == "/join"
    for path in ("/api/events", "/openapi.json"):
        assert stranger.get(path).status_code == pupil.get(path).status_code == 403
    assert teacher.get("/openapi.json").status_code == 200
    assert stranger.get("/static/shell.css").status_code == 200


def test_a_key_leaves_the_address(visit: Callable[..., TestClient], keys: Keys) -> None:
    for key, path, target in (
        (keys.teacher, "/class", "/class"),
        (keys.code, "/", "/phone"),
        (keys.shown_code, "/class", "/phone"),
        (keys.teacher, "//evil.example/x", "/"),
        (keys.teacher, '/"><script>alert(1)</script>', "/&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
    ):
        answer = visit().get(f"http://{ADDRESS}{path}", params={"key": key})
        assert answer.status_code == 200
        assert f'content="0; url={target}"' in answer.text
        assert key not in answer.text
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(r"digitscope-80=[\w-]+; Path=/; HttpOnly; SameSite=Strict", cookie)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_a_link_of_a_pupil_does_not_take_the_teachers_right(visit: Callable[..., TestClient], keys: Keys) -> None:
    teacher = visit(keys.teacher)
    assert "set-cookie" not in teacher.get("/", params={"key": keys.code}).headers
    assert teacher.get("/api/models").status_code == 200
    pupil = visit(keys.code)
    assert pupil.get("/", params={"key": keys.teacher}).status_code == 200
    assert pupil.get("/api/models").status_code == 200


def test_a_key_counts_only_in_the_address_of_a_page(visit: Callable[..., TestClient], keys: Keys) -> None:
    stranger = visit()
    assert stranger.get("/api/models", params={"key": keys.teacher}).status_code == 403
    assert stranger.post("/api/class/join", params={"key": keys.teacher}, headers=OWN).status_code == 403
    many = "&".join(f"a{k}=1" for k in range(100))
    assert stranger.get(f"/?{many}&key={keys.teacher}").status_code == 303


def test_codes_cannot_be_tried_one_after_the_other(visit: Callable[..., TestClient], keys: Keys) -> None:
    attacker = visit(address="10.0.0.66")
    answers = [attacker.get("/", params={"key": f"guess{k}"}).status_code for k in range(ATTEMPTS[1] + 10)]
    assert answers[: ATTEMPTS[1]] == [303] * ATTEMPTS[1]
    assert set(answers[ATTEMPTS[1] + 1 :]) == {429}
    assert attacker.get("/", params={"key": keys.code}).status_code == 429  # nor is a right one told apart
    assert visit(keys.code, address="10.0.0.67").get("/phone").status_code == 200  # others join


def test_right_codes_do_not_count_as_attempts(visit: Callable[..., TestClient], keys: Keys) -> None:
    """A class whose phones share one address."""
    for _ in range(40):
        assert visit(keys.code).get("/phone").status_code == 200


# Other sites


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.1.5.evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1@evil.example"]
)
def test_dns_rebinding(host: str, client: TestClient, visit: Callable[..., TestClient], keys: Keys) -> None:
    """A page of evil.example whose name now points to this machine: for the browser all is of one origin."""
    headers = {"host": host, "sec-fetch-site": "same-origin", "origin": f"http://{host}"}
    assert client.get("/api/models", headers=headers).status_code == 403
    assert client.post("/api/class/clear", headers=headers).status_code == 403
    assert visit(keys.teacher).get("/api/models", headers=headers).status_code == 403


def test_hosts_by_which_the_lab_is_reached(visit: Callable[..., TestClient], client: TestClient, keys: Keys) -> None:
    teacher = visit(keys.teacher)
    for host in ("teacher.local", "127.0.0.1:7840", "[fe80::1]:7840", "10.1.2.3"):
        assert teacher.get("/api/models", headers={"host": host}).status_code == 200
    assert client.get("/api/models", headers={"host": "10.1.2.3"}).status_code == 403  # without --host only its own


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{ADDRESS}:8000"},
        {"origin": f"http://{ADDRESS}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine
    ],
)
def test_another_site_changes_nothing(headers: dict[str, str], visit: Callable[..., TestClient], keys: Keys) -> None:
    teacher = visit(keys.teacher)
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = teacher.post("/api/class/clear", headers={**headers, "content-type": content_type}, content=b"{}")
        assert answer.status_code == 403
    assert teacher.get("/api/class/wall", headers={**headers, "sec-fetch-mode": "cors"}).status_code == 403
    assert teacher.get("/static/engine.js", headers={**headers, "sec-fetch-mode": "no-cors"}).status_code == 403
    assert teacher.get("/class", headers={**headers, "sec-fetch-mode": "navigate"}).status_code == 200  # a link


def test_bodies_that_a_form_of_another_site_can_send(client: TestClient) -> None:
    """Forms can send three types without asking first, and JSON is none of them."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = client.post("/api/class/freeze", content=b'{"frozen": true}', headers={"content-type": content_type})
        assert answer.status_code == 415


def test_every_answer_keeps_foreign_scripts_and_frames_out(client: TestClient) -> None:
    for path in ("/", "/class", "/api/models", "/static/engine.js", "/no/such/page", "/api/class/qr"):
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["worker-src"] == policy["form-action"] == "'self'"
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert not {"script-src", "style-src", "script-src-elem"} & policy.keys()
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("access-control-")]
    answer = client.options("/api/models", headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert client.get("/api/models").headers["cache-control"] == "no-store"


# Files


def string_fields(route: Route) -> list[str]:
    kind = route.request
    if kind is None or not is_dataclass(kind):
        return []
    hints = get_type_hints(kind)
    return [
        field.name for field in fields(kind) if str in (hints[field.name], *getattr(hints[field.name], "__args__", ()))
    ]


OUTSIDE = (
    "../../secret",
    "..\\..\\secret",
    "/etc/passwd",
    "C:\\secret",
    "secret\0",
    "%2e%2e/secret",
    "file:///etc/passwd",
)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_text_of_a_request_is_a_path_to_a_file(route: Route, client: TestClient, lab: Lab, tmp_path: Path) -> None:
    secret = "this must stay here"
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "secret.safetensors").write_text(secret)
    before = sorted(tmp_path.rglob("*"))
    for name in string_fields(route):
        for path in (*OUTSIDE, str(tmp_path / "secret"), str(tmp_path / "secret.safetensors")):
            if route.method == "GET":
                answer = client.get(route.path, params={name: path})
            else:
                answer = client.post(route.path, json={name: path})
            assert answer.status_code < 500
            assert secret not in answer.text
    outside = [path for path in tmp_path.rglob("*") if lab.folder not in (path, *path.parents)]
    assert sorted(outside) == [path for path in before if lab.folder not in (path, *path.parents)]


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"]
)
def test_static_files_are_those_of_one_folder(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404


# Amounts


def test_rates() -> None:
    now = 0.0
    rate = Rate(2.0, 3, visitors=5, clock=lambda: now)
    assert [rate.allows("a") for _ in range(4)] == [True, True, True, False]
    assert rate.allows("b")
    now = 0.5
    assert [rate.allows("a") for _ in range(2)] == [True, False]
    now = 100.0
    assert [rate.allows("a") for _ in range(4)] == [True, True, True, False]
    assert [rate.allows("c", cost=0) for _ in range(9)] == [True] * 9
    for k in range(1000):
        rate.allows(str(k))
    assert len(rate) == 5


def test_a_visitor_who_asks_too_often_waits(visit: Callable[..., TestClient], keys: Keys, monkeypatch: Any) -> None:
    monkeypatch.setattr(safety, "RATES", dict.fromkeys(Right, (0.0, 5)))
    pupil, other = visit(keys.code), visit(keys.code, address="10.0.0.10")
    answers = [pupil.get("/phone").status_code for _ in range(10)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert "retry-after" in pupil.get("/phone").headers
    assert other.get("/phone").status_code == 200


def test_a_class_behind_one_address_is_not_too_much() -> None:
    """Thirty phones load 20 files each, ask every three seconds and send a drawing every two."""
    per_second, burst = RATES[Right.DRAW]
    assert burst >= 30 * 20 * 2
    assert per_second >= 30 * (1 / 3 + 1 / 2) * 2


def test_visitors_of_an_ipv6_network_are_one() -> None:
    assert visitor_key("2001:db8:1:2::1") == visitor_key("2001:db8:1:2:ffff::9") != visitor_key("2001:db8:1:3::1")
    assert visitor_key("::ffff:10.0.0.1") == visitor_key("10.0.0.1") == "10.0.0.1"
    assert visitor_key("fe80::1%eth0") == visitor_key("fe80::2")
    assert len(visitor_key("x" * 1000)) == 64


def test_bodies_are_bounded(client: TestClient) -> None:
    route = next(route for route in ROUTES if route.path == "/api/class/send")

    answer = client.post(route.path, content=b" " * (route.largest + 1), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    nested = b'{"phone": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    for body in (nested, b"[" * 100_000, b"\xff\xfe", b"1e999", b"9" * 5000, b"NaN"):
        answer = client.post(route.path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, body[:20]
    assert json.loads(answer.text)["error"]
    assert all(route.largest <= 1 << 17 for route in ROUTES if route.right < Right.TEACH and route.method == "POST")


def test_streams_are_bounded(client: TestClient, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_STREAMS == 64
    monkeypatch.setattr(app, "MAX_STREAMS", 0)
    answer = client.get("/api/events")
    assert answer.status_code == 503
    assert "limit" in answer.json()["error"]


# Addresses


def test_addresses_of_this_machine_without_a_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("A name was looked up, or something was sent.")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    found = lan_addresses()
    assert len(found) == len(set(found))
    assert not [address for address in found if is_loopback(address)]


def test_a_machine_without_a_network_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("digitscope.lab.addresses.socket.socket", unreachable)
    assert lan_addresses() == []
    assert Access.of("0.0.0.0", 7840).addresses == ("127.0.0.1:7840",)
    assert Access.of("::1", 7840).links[0].startswith("http://[::1]:7840/?key=")


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("teacher.local", False),
    ],
)
def test_only_loopback_needs_no_key(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone
