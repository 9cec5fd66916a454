"""Under which addresses other machines reach this one."""

import ipaddress
import socket

_DISTANT = ("192.0.2.1", "10.255.255.254", "172.31.255.254", "192.168.255.254")
_DISTANT_V6 = ("2001:db8::1", "fd00:ffff::1")
"""Addresses in networks of their own. The system chooses, for each, the interface through which it would reach it."""


def lan_addresses() -> list[str]:
    """The addresses of this machine in its networks, IPv4 first, the one of the default route at the beginning.

    No packet is sent and no name is looked up: a UDP socket is connected, which only asks the routing table.
    """
    found = [_source(socket.AF_INET, target) for target in _DISTANT]
    found += [_source(socket.AF_INET6, target) for target in _DISTANT_V6]
    return list(dict.fromkeys(address for address in found if address is not None))


def _source(family: socket.AddressFamily, target: str) -> str | None:
    """The address from which this machine would send to the target."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            address = str(probe.getsockname()[0])
    except OSError:  # no route, or no such protocol
        return None
    parsed = ipaddress.ip_address(address)
    return None if parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local else address


def visitor_key(host: str) -> str:
    """What rates are counted by: an IPv4 address, or the network of an IPv6 address, which gives each machine 2^64.

    Other names are kept as they are.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def is_address(host: str) -> bool:
    """Whether the host is written as an IP address, which no DNS server can point elsewhere."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
