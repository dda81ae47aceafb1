"""Which hosts the server may call: those of hooks, to which notifications go, and those that $import fetches from.

Enters: a setting of allowed hosts, an endpoint. Leaves: whether it may be called, as far as that is known before its
name is resolved; whether an address is public."""

from __future__ import annotations

import ipaddress
from functools import cache
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
UNENCRYPTED = "A hook is called by https; the operator can allow its host with ECLUSE_HOOK_HOSTS."
PRIVATE = "The hook has a private or local address; the operator can allow it with ECLUSE_HOOK_HOSTS."


@cache
def allowed_hosts(setting: str) -> frozenset[str]:
    """HOST or HOST:PORT that the operator allows, whatever their scheme and address. setting: by commas"""
    return frozenset(host.strip().lower() for host in setting.split(",")) - {""}


def is_allowed(host: str, port: int, hosts: frozenset[str]) -> bool:
    """Whether the operator allows this host. host: in small letters"""
    return bool({host, f"{host}:{port}"} & hosts)


def never_called(endpoint: str, hosts: frozenset[str]) -> str:
    """Why this hook can never be called, "" when that depends on what its name resolves to.

    endpoint: an http or https address with a host"""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_allowed(host, parts.port or PORTS[parts.scheme], hosts):
        return ""
    if parts.scheme != "https":
        return UNENCRYPTED
    return PRIVATE if _is_local(host) else ""


def _is_local(host: str) -> bool:
    """Whether a host is known to be private without resolving it.

    Spec: https://www.rfc-editor.org/rfc/rfc6761#section-6.3"""
    try:
        return not is_public(host)
    except ValueError:
        return host.rstrip(".").rpartition(".")[2] == "localhost"


def is_public(host: str) -> bool:
    """Whether an address is one of the public network. Raises: ValueError when it is a name"""
    address = ipaddress.ip_address(host.partition("%")[0])
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_global) and not inner.is_multicast
