"""The memory of a server on this machine, found by the port it listens at."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

MIB = 1 << 20


@dataclass(frozen=True)
class Memory:
    """MiB of a process and its children: resident, and with shared pages split among those who share them, where the
    system tells."""

    rss_mb: float
    pss_mb: float | None


def measure_memory(url: str) -> Memory | None:
    """Of whoever listens at the URL; None if that is on another machine or another user's process."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_local(parts.hostname or ""):
        return None
    try:
        return _measure_listener(port)
    except psutil.Error:
        return None


def _measure_listener(port: int) -> Memory | None:
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if not listens or connection.pid is None:
            continue
        process = psutil.Process(connection.pid)
        full = [part.memory_full_info() for part in (process, *process.children(recursive=True))]
        pss = sum(part.pss for part in full) / MIB if all(hasattr(part, "pss") for part in full) else None
        return Memory(sum(part.rss for part in full) / MIB, pss)
    return None


def _is_local(host: str) -> bool:
    try:
        addresses = {str(entry[4][0]).split("%")[0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    own = {address.address.split("%")[0] for card in psutil.net_if_addrs().values() for address in card}
    return any(ipaddress.ip_address(address).is_loopback or address in own for address in addresses)
