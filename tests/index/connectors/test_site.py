import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.connectors.page import parse_page
from index.connectors.public_hosts import is_public
from index.connectors.site import Scope, resolve_site
from index.connectors.sitemap import MAX_ENTRIES, parse_sitemap
from index.documents import DocumentError
from tandem.errors import SourceError


@pytest.mark.parametrize(
    ("location", "site"),
    [
        ("https://Docs.Acme.dev", "https://docs.acme.dev/"),
        ("http://b\u00fccher.example:8080/a b?x#y", "http://xn--bcher-kva.example:8080/a%20b"),
        ("https://[::1]:80/x/", "https://[::1]:80/x/"),
    ],
)
def test_an_address_is_kept_in_one_form(location: str, site: str) -> None:
    assert resolve_site(location) == site


@pytest.mark.parametrize(
    "location",
    ["ftp://a.b/", "https://", "https://a:b@c.d/", "https://a.b:x/", "http://[::1", "javascript:x", "https://a\n.b"],
)
def test_what_is_no_web_address_is_refused(location: str) -> None:
    with pytest.raises(SourceError):
        resolve_site(location)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.b/docs/x?y=1#z", "/docs/x?y=1"),
        ("http://a.b/docs", "/docs"),
        ("https://a.b/docs/\u00fc", "/docs/%C3%BC"),
        ("https://a.b/docs2", None),
        ("https://a.b:444/docs/", None),
        ("https://x.b/docs/", None),
        ("ftp://a.b/docs/", None),
        ("https://a.b/docs/\nx", None),
        ("https://a.b/docs/" + "x" * 2000, None),
        ("https://[", None),
    ],
)
def test_a_source_ends_where_its_path_does(url: str, path: str | None) -> None:
    assert Scope("https://a.b/docs").find_path(url) == path


def test_a_link_stays_on_the_host() -> None:
    home = Scope("https://a.b/")
    path = home.find_path("https://a.b//evil.example/x")
    assert path is not None
    assert home.link(path).startswith("https://a.b/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_what_anybody_can_reach_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("broken", ["<a " * 200_000, "<![x]><!" * 20_000, "</" * 200_000, "&#" * 200_000])
def test_what_never_closes_costs_a_page_nothing_but_what_follows(broken: str) -> None:
    page = f"<a href=x>x</a><![if odd]><a href=y>y</a><a href={'z' * 2_000}>z</a>{broken}".encode()
    assert parse_page(page, "https://a.b/").links == ("https://a.b/x", "https://a.b/y")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_page(data: bytes) -> None:
    parse_page(data, "https://a.b/")


def test_a_sitemap_is_its_entries_whatever_else_it_holds() -> None:
    page = "<url><loc> https://a.b/x </loc><lastmod>2026-01-02</lastmod><i:image><i:loc>https://a.b/y</i:loc></i:image></url>"
    data = (
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:i="urn:i">{page}<url/><odd>z</odd></urlset>'
    )
    sitemap = parse_sitemap(data.encode())
    assert [(entry.url, entry.lastmod) for entry in sitemap.entries] == [("https://a.b/x", "2026-01-02")]
    assert not sitemap.is_index
    index = (
        b"<sitemapindex>" + b"<sitemap><loc>https://a.b/1.xml</loc></sitemap>" * (MAX_ENTRIES + 1) + b"</sitemapindex>"
    )
    sitemap = parse_sitemap(index)
    assert (sitemap.is_index, len(sitemap.entries)) == (True, MAX_ENTRIES)


def test_a_sitemap_without_end_costs_no_memory() -> None:
    wide = b"<urlset>" + b"<a/>" * 200_000 + b"</urlset>"
    tracemalloc.start()
    try:
        assert parse_sitemap(wide).entries == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(wide)
    with pytest.raises(DocumentError, match="no sitemap"):
        parse_sitemap(b"<urlset>" + b"<a>" * 100_000)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_sitemap_or_refused(data: bytes) -> None:
    for given_bytes in (data, b"\x1f\x8b" + data):
        with pytest.raises(DocumentError):
            parse_sitemap(given_bytes)
