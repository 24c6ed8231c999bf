"""A transport that reaches public addresses alone, so that no site leads a worker into the network it stands in."""

import asyncio
import ipaddress
import socket

import httpx

from tandem.errors import SourceError


class PublicTransport(httpx.AsyncBaseTransport):
    """Looks each host up itself and connects to what it checked: a name with two answers gains nothing."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = await _look_up(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.url = request.url.copy_with(host=address)  # the header Host is set already
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _look_up(host: str, port: int) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(f"{host} is not known") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            known = host if host == address else f"{host}, which is {address},"
            raise SourceError(
                f"{known} is not a public address.",
                remedy="If it is meant, remove the source and add it again with --allow-private.",
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether anybody on the internet could ask it: not this machine, nor its network, nor a cloud's metadata."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast
