"""Who may do what when the lab can be reached from other machines: the keys of the teacher and of the pupils."""

import hmac
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from digitscope.lab.addresses import is_address, lan_addresses
from digitscope.lab.routes import Right

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits of the pupils' code, without those that are mistaken for others: i, l, o, 0, 1."""
CODE_LENGTH = 8
"""31^8, or 40 bits. The rate of attempts is limited, so this is enough; docs/security.md has the figures."""
UNSPECIFIED = ("0.0.0.0", "::", "")
"""Hosts that mean all addresses of this machine."""


@dataclass(frozen=True)
class Keys:
    """What a visitor shows to have a right. The pupils' code is short enough to be typed."""

    teacher: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    """128 bits."""
    code: str = field(default_factory=lambda: "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)), repr=False)

    def right(self, key: str) -> Right:
        """The right that a key gives. The time that this takes does not depend on how much of the key is right."""
        is_teacher = hmac.compare_digest(key.encode(), self.teacher.encode())
        is_pupil = hmac.compare_digest(normalize_code(key).encode(), self.code.encode())
        return Right.TEACH if is_teacher else Right.DRAW if is_pupil else Right.VISIT

    @property
    def shown_code(self) -> str:
        """The code as it is written on the wall: in two halves."""
        return f"{self.code[: CODE_LENGTH // 2]}-{self.code[CODE_LENGTH // 2 :]}"


@dataclass(frozen=True)
class Access:
    """How others reach a lab that does not only listen on 127.0.0.1."""

    keys: Keys
    addresses: tuple[str, ...]
    """What is typed into a browser, such as 192.168.1.23:7840; the most likely one first."""

    @classmethod
    def of(cls, host: str, port: int) -> "Access":
        """The access to a lab that listens at this host and port, with new keys."""
        hosts = [host]
        if host in UNSPECIFIED:
            hosts = [name for name in lan_addresses() if host == "::" or ":" not in name]
        return cls(Keys(), tuple(f"{in_url(name)}:{port}" for name in hosts or ["127.0.0.1"]))

    @property
    def links(self) -> list[str]:
        """For each address, the link that phones open to join."""
        return [f"http://{address}/?key={self.keys.code}" for address in self.addresses]


def normalize_code(text: str) -> str:
    """A code as typed: capital letters, spaces and hyphens do not matter."""
    return "".join(text.split()).replace("-", "").lower()[:64]


def in_url(host: str) -> str:
    """The host as it is written in front of a port."""
    return f"[{host}]" if ":" in host else host


def is_own_host(name: str | None, hosts: Iterable[str], *, addresses: bool) -> bool:
    """Whether a request's host is one of the lab's. `addresses`: any IP address is, too.

    A page of another site can make its own name point to this machine (DNS rebinding), but never an address.
    """
    return name is not None and (name in hosts or (addresses and is_address(name)))


def own_names() -> set[str]:
    """The names under which this machine is known in its networks. No name is looked up."""
    name = socket.gethostname().lower()
    return {name, f"{name}.local", name.partition(".")[0], f"{name.partition('.')[0]}.local"}
