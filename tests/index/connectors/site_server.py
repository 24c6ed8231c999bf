"""A real web server on this machine, whose pages a test writes down."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Served:
    """`parts` are sent one after the other; a status of 304 is given where the ETag is the one that was asked with."""

    parts: Callable[[], Iterator[bytes]]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Site:
    url: str
    pages: dict[str, Served] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)

    def put(self, path: str, text: str | bytes = "", status: int = 200, **headers: str) -> None:
        data = text.encode() if isinstance(text, str) else text
        given = {"Content-Type": "text/html"} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Served(lambda: iter([data]), status, given)

    def page(self, path: str, title: str, text: str, *links: str, head: str = "", **headers: Any) -> None:
        anchors = "".join(f'<a href="{link}">more</a>' for link in links)
        self.put(path, f"<html><head><title>{title}</title>{head}</head><body><p>{text}</p>{anchors}", **headers)

    def sitemap(self, *paths: str, lastmod: str | None = None) -> None:
        dated = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
        entries = "".join(f"<url><loc>{self.url}{path}</loc>{dated}</url>" for path in paths)
        self.put("/sitemap.xml", f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>')


@contextmanager
def serve_site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(self.path)
            served = site.pages.get(self.path) or Served(lambda: iter([b"none"]), 404)
            status = served.status
            if served.headers.get("ETag") and self.headers.get("If-None-Match") == served.headers["ETag"]:
                status = 304
            site.answered.append(status)
            self.close_connection = True
            self.send_response(status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for part in served.parts() if status != 304 else ():
                    self.wfile.write(part)
                    self.wfile.flush()
            except OSError:
                pass  # the client had enough

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
