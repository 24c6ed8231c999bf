"""A web site is read politely, believed no further than it deserves, and never longer than the limits."""

import asyncio
import gzip
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.connectors import walk, web, web_client
from index.connectors.connector import Listing, SourceUnavailable
from index.connectors.web import Website
from index.documents import DocumentError
from index.jobs import SCHEDULE, DocumentCounts
from index.sources import add_source
from tandem.errors import SourceError
from tests.index.conftest import Room
from tests.index.connectors.site_server import Served, Site, serve_site


@pytest.fixture
def site() -> Iterator[Site]:
    web._rules.clear()  # a port may have been another test's
    with serve_site() as site:
        yield site


@pytest.fixture
def connect(tmp_path: Path, site: Site) -> Callable[..., Website]:
    def connect(path: str = "/", pages: int | None = None, *, allow_private: bool = True) -> Website:
        return Website(site.url + path, allow_private=allow_private, pages=pages, home=tmp_path / "home")

    return connect


def paths(listing: Listing) -> set[str]:
    return {document.path for document in listing.documents if not document.fault}


def faults(listing: Listing) -> dict[str, str]:
    return {document.path: document.fault for document in listing.documents if document.fault}


async def test_pages_of_the_sitemap_are_indexed_and_followed(room: Room, site: Site) -> None:
    site.page("/leave", "Leave", "Everybody has thirty days of vacation.", ETag='"1"')
    site.page("/travel", "Travel", "Take the train.", Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT")
    site.page("/secret", "Secret", "Not in the sitemap.")
    site.sitemap("/leave", "/travel")
    source = await add_source(room.database, site.url, name="site", options={"allow_private": True}, added_by="test")
    assert (source.kind, source.location) == ("web", site.url + "/")
    assert (await room.look(source)).documents == DocumentCounts(added=2)
    assert site.asked.count("/leave") == 1, "what the listing read is not asked for again"
    hit = (await room.search("vacation")).hits[0]
    assert (hit.title, hit.uri) == ("Leave", f"{site.url}/leave")
    assert await room.fetch("SELECT changed_at::date::text AS day FROM documents WHERE path = '/travel'") == [
        {"day": "2015-10-21"}
    ]
    site.page("/leave", "Leave", "Everybody has forty days of vacation.", ETag='"2"')
    site.pages.pop("/travel")
    progress = await room.look(source, by=SCHEDULE)
    assert progress.documents == DocumentCounts(changed=1, removed=1)
    assert "forty" in (await room.search("vacation")).hits[0].text
    site.answered.clear()
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(unchanged=1)
    assert 304 in site.answered


async def test_without_a_sitemap_links_are_followed_on_the_host_below_the_path(
    site: Site, connect: Callable[..., Website]
) -> None:
    site.page(
        "/docs/",
        "Home",
        "text",
        "a",
        "/docs/b#part",
        "/other",
        "https://example.org/docs/c",
        "mailto:x@y.z",
        "photo.jpg",
    )
    site.page("/docs/a", "A", "text", "/docs/", "//", "?page=2", "http://[")
    site.page("/docs/b", "B", "text")
    site.page("/docs/a?page=2", "A2", "text")
    site.page("/other", "Other", "text")
    site.put("/docs/photo.jpg", b"\xff\xd8", Content_Type="image/jpeg")
    listing = await connect("/docs/").list(None)
    assert paths(listing) == {"/docs/", "/docs/a", "/docs/b", "/docs/a?page=2"}
    assert "/other" not in site.asked


async def test_what_says_that_it_is_not_to_be_found_is_not(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private\n", Content_Type="text/plain")
    site.page("/", "Home", "text", "/private/a", "/draft", "/hidden", "/copy", "/moved")
    site.page("/private/a", "A", "text")
    site.page("/draft", "Draft", "text", head='<meta name="robots" content="NoIndex, follow">')
    site.page("/hidden", "Hidden", "text", X_Robots_Tag="noindex")
    site.page("/copy", "Copy", "text", head='<link rel="canonical" href="/true">')
    site.page("/true", "True", "text", "/private/a")
    site.put("/moved", status=301, Location="/new")
    site.page("/new", "New", "text")
    listing = await connect().list(None)
    assert paths(listing) == {"/", "/true", "/new"}
    assert "/private/a" not in site.asked
    assert list(listing.notes) == ["Pages that robots.txt keeps to itself: 1."]


async def test_a_canonical_page_that_leads_nowhere_else_hides_nothing(
    site: Site, connect: Callable[..., Website]
) -> None:
    site.page("/a", "A", "text", head=f'<link rel="canonical" href="{site.url}/a/">')
    site.put("/a/", status=301, Location="/a")
    site.page("/b", "B", "text", head='<link rel="canonical" href="/gone">')
    site.page("/c", "C", "text c", head='<link rel="canonical" href="/d">')
    site.page("/d", "D", "text d", head='<link rel="canonical" href="/c">')
    site.sitemap("/a", "/b", "/c", "/d")
    found = paths(await connect().list(None))
    assert {"/a", "/b"} < found
    assert len(found) == 3, "of two that name each other one stays"


async def test_a_site_that_allows_nothing_is_refused(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", "User-agent: tandem\nDisallow: /\n", Content_Type="text/plain")
    site.page("/", "Home", "text")
    with pytest.raises(SourceError, match="allows none"):
        await connect().list(None)
    assert "/" not in site.asked


async def test_robots_that_do_not_answer_allow_nothing(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", status=503)
    with pytest.raises(SourceUnavailable, match="503"):
        await connect().list(None)
    assert site.asked == ["/robots.txt"]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_robots_that_are_refused_forbid_nothing(site: Site, connect: Callable[..., Website], status: int) -> None:
    site.put("/robots.txt", status=status)
    site.page("/", "Home", "text")
    assert paths(await connect().list(None)) == {"/"}


async def test_the_pause_that_a_site_wants_is_kept(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 0.2\n", Content_Type="text/plain")
    for name in "abcd":
        site.page(f"/{name}", name, f"text {name}")
    site.sitemap(*(f"/{name}" for name in "abcd"))
    begun = time.monotonic()
    assert len(paths(await connect().list(None))) == 4
    assert time.monotonic() - begun > 0.2 * 4


async def test_trouble_of_a_moment_removes_nothing(room: Room, site: Site) -> None:
    names = [*(f"/{number}" for number in range(7)), "/11"]
    for name in names:
        site.page(name, f"Page {name}", f"This is page number {name}.")
    site.sitemap(*names)
    source = await add_source(room.database, site.url, name="site", options={"allow_private": True}, added_by="test")
    await room.look(source)
    site.put("/1", status=503)
    site.put("/2", status=404)
    site.put("/3", status=410)
    site.put("/4", status=401)
    site.put("/5", status=403)
    site.put("/6", "")
    told = ("/1: It answers 503.", "/4: It answers 401.", "/5: It answers 403.", "/6: The page is empty.")
    progress = await room.look(source, by=SCHEDULE)
    assert progress.documents == DocumentCounts(removed=2, unchanged=5, failed=1)
    assert progress.failures == told
    assert set(await room.texts()) == {"/0", "/1", "/11", "/4", "/5"}
    site.put("/11", status=404)
    progress = await room.look(source, by="ann")
    assert progress.documents == DocumentCounts(removed=1, unchanged=4, failed=1)
    assert progress.failures == told
    assert set(await room.texts()) == {"/0", "/1", "/4", "/5"}


async def test_a_page_that_refuses_for_ever_keeps_no_other_that_is_gone(
    site: Site, connect: Callable[..., Website]
) -> None:
    site.page("/", "Home", "text", "/login", "/a", "/empty.jpg")
    site.page("/a", "A", "text a")
    site.put("/login", status=403)
    site.put("/empty.jpg", b"", Content_Type="image/jpeg")
    first = await connect().list(None)
    site.pages.pop("/a")
    second = await connect().list(first.cursor)
    assert (paths(first), paths(second)) == ({"/", "/a"}, {"/"})
    assert (first.unseen, second.unseen) == (["/login"], ["/login"])
    assert list(second.notes) == ["/login: It answers 403."]
    with pytest.raises(SourceUnavailable, match="403"):
        await connect().read("/login", None)


async def test_a_site_that_stops_answering_is_away(
    site: Site, connect: Callable[..., Website], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MAX_SILENT", 3)
    names = [f"/{number}" for number in range(20)]
    for name in names:
        site.put(name, status=502)
    site.sitemap(*names)
    with pytest.raises(SourceUnavailable, match="stopped answering"):
        await connect().list(None)
    assert len(site.asked) < 12


async def test_endless_redirects_and_pages_end(
    site: Site, connect: Callable[..., Website], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_client, "REQUEST_S", 0.6)
    monkeypatch.setattr(web_client, "MAX_BYTES", 2**20)

    def drip() -> Iterator[bytes]:
        for _ in range(100):
            yield b"<p>slow "
            time.sleep(0.05)

    site.page("/fine", "Fine", "text")
    site.put("/round", status=302, Location="/about")
    site.put("/about", status=302, Location="/round")
    site.put("/away", status=302, Location="http://example.org/")
    site.put("/odd", status=302, Location="http://[")
    site.pages["/huge"] = Served(lambda: itertools.repeat(b"x" * 2**16), headers={"Content-Type": "text/plain"})
    site.put("/bomb", gzip.compress(b"x" * 2**22), Content_Encoding="gzip", Content_Type="text/plain")
    site.pages["/slow"] = Served(drip, headers={"Content-Type": "text/html"})
    site.sitemap("/fine", "/round", "/away", "/odd", "/huge", "/bomb", "/slow")
    listing = await connect().list(None)
    assert paths(listing) == {"/fine"}
    found = faults(listing)
    assert found["/round"] == "It redirects more than 5 times."
    assert "no address" in found["/odd"]
    assert "at most" in found["/huge"]
    assert "at most" in found["/bomb"]
    assert list(listing.unseen) == ["/slow"]
    assert any("/slow: It took more than" in note for note in listing.notes)


async def test_a_site_without_end_is_read_to_its_limit(site: Site, connect: Callable[..., Website]) -> None:
    for number in range(30):
        site.page(f"/{number}", f"Page {number}", f"text {number}", f"/{number + 1}", f"/{number + 100}")
    site.page("/", "Home", "text", "/0")
    listing = await connect(pages=10).list(None)
    assert len(site.asked) == 12
    assert any("more than 10 pages" in note for note in listing.notes)
    assert listing.unseen_under == [""]


async def test_the_limit_keeps_the_pages_that_are_known(site: Site, connect: Callable[..., Website]) -> None:
    names = [f"/{number}" for number in range(9)]
    for name in names:
        site.page(name, name, f"text {name}")
    site.sitemap(*names)
    first = await connect(pages=4).list(None)
    site.sitemap(*reversed(names))
    again = await connect(pages=4).list(first.cursor)
    assert paths(again) == paths(first)
    assert len(paths(first)) == 4


async def test_a_page_that_differs_at_every_request_is_compared_by_its_text(
    site: Site, connect: Callable[..., Website]
) -> None:
    count = itertools.count()

    def noisy() -> Iterator[bytes]:
        number = next(count)
        yield f"<html><head><title>T</title><meta name=csrf content={number}></head>".encode()
        yield f"<script>x={number}</script>".encode()
        yield b"<body><p>The same text.</p>"

    def clock() -> Iterator[bytes]:
        yield f"<html><body><p>It is {next(count)} o'clock.</p>".encode()

    site.pages["/noisy"] = Served(noisy, headers={"Content-Type": "text/html"})
    site.pages["/clock"] = Served(clock, headers={"Content-Type": "text/html"})
    site.sitemap("/noisy", "/clock")
    listings = [await connect().list(None)]
    for _ in range(3):
        listings.append(await connect().list(listings[-1].cursor))
    stamps = [{document.path: document.stamp for document in listing.documents} for listing in listings]
    assert len({found["/noisy"] for found in stamps}) == 1
    assert len({found["/clock"] for found in stamps}) == 4
    assert listings[-1].notes == ["/clock has another text at every look."]
    assert listings[0].notes == []


async def test_the_sitemaps_date_is_believed_when_it_is_old_enough(
    site: Site, connect: Callable[..., Website], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/a", "A", "text")
    site.sitemap("/a", lastmod="2020-01-01")
    first = await connect().list(None)
    site.asked.clear()
    again = await connect().list(first.cursor)
    assert site.asked == ["/robots.txt", "/sitemap.xml"]
    assert [document.stamp for document in again.documents] == [document.stamp for document in first.documents]
    site.sitemap("/a", lastmod="2020-02-01")
    third = await connect().list(again.cursor)
    assert "/a" in site.asked
    site.asked.clear()
    monkeypatch.setattr(walk, "TRUST_S", 0.0)
    await connect().list(third.cursor)
    assert "/a" in site.asked


async def test_sitemaps_may_be_nested_packed_and_broken(site: Site, connect: Callable[..., Website]) -> None:
    for name in "abc":
        site.page(f"/{name}", name, f"text {name}")
    index = "".join(
        f"<sitemap><loc>{site.url}/{name}</loc></sitemap>" for name in ("1.xml.gz", "2.xml", "3.xml", "index.xml")
    )
    site.put(
        "/robots.txt", f"Sitemap: {site.url}/index.xml\nSitemap: http://example.org/x.xml", Content_Type="text/plain"
    )
    site.put("/index.xml", f"<sitemapindex>{index}</sitemapindex>")
    site.put("/1.xml.gz", gzip.compress(f"<urlset><url><loc>{site.url}/a</loc></url></urlset>".encode()))
    site.put("/2.xml", f'<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>{site.url}/b</loc></url></urlset>')
    site.put("/3.xml", "<urlset><url><loc>")
    listing = await connect().list(None)
    assert paths(listing) == {"/a"}
    assert [note.split()[2].rpartition("/")[2] for note in listing.notes] == ["x.xml", "2.xml", "3.xml"]
    assert "on another host" in listing.notes[0]


def name_sitemaps(site: Site, **sitemaps: list[str]) -> None:
    """An index, named in robots.txt, of these sitemaps."""
    index = "".join(f"<sitemap><loc>{site.url}/{name}.xml</loc></sitemap>" for name in sitemaps)
    site.put("/robots.txt", f"Sitemap: {site.url}/index.xml", Content_Type="text/plain")
    site.put("/index.xml", f"<sitemapindex>{index}</sitemapindex>")
    for name, names in sitemaps.items():
        entries = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in names)
        site.put(f"/{name}.xml", f"<urlset>{entries}</urlset>")


@pytest.mark.parametrize(("status", "said"), [(403, "answers 403"), (404, "answers 404"), (200, "no XML")])
async def test_pages_of_a_sitemap_that_cannot_be_read_stay(room: Room, site: Site, status: int, said: str) -> None:
    names = [f"/{number}" for number in range(4)]
    for name in names:
        site.page(name, f"Page {name}", f"This is page number {name}.")
    name_sitemaps(site, posts=names[:2], pages=names[2:])
    source = await add_source(room.database, site.url, name="site", options={"allow_private": True}, added_by="test")
    assert (await room.look(source)).documents == DocumentCounts(added=4)
    whole = site.pages["/pages.xml"]
    site.put("/pages.xml", "<urlset><url><loc>", status=status)
    site.pages.pop("/1")
    site.page("/3", "Page 3", "This is another text.")
    for by in (SCHEDULE, "ann"):
        progress = await room.look(source, by=by)
        assert progress.documents.removed == (by == SCHEDULE), "one page is gone, and says so itself"
        [note] = progress.failures
        assert f"{site.url}/pages.xml was passed over" in note
        assert said in note
        assert set(await room.texts()) == {"/0", "/2", "/3"}
    assert "another" in (await room.texts())["/3"][0]
    site.pages["/pages.xml"] = whole
    site.pages.pop("/2")
    assert (await room.look(source, by="ann")).documents == DocumentCounts(unchanged=2, removed=1)


async def test_a_sitemap_that_was_only_guessed_is_missed_where_it_was_one(
    site: Site, connect: Callable[..., Website]
) -> None:
    site.page("/", "Home", "text")
    missing = await connect().list(None)
    assert (list(missing.notes), missing.is_difference) == ([], False)
    site.put("/sitemap.xml", status=403)
    refused = await connect().list(None)
    assert (list(refused.notes), refused.is_difference) == (
        [f"The sitemap {site.url}/sitemap.xml was passed over. It answers 403."],
        False,
    )
    site.page("/sitemap.xml", "App", "Whatever is asked for, this is the page.")
    assert not (await connect().list(None)).is_difference
    site.put("/sitemap.xml", f"<urlset><url><loc>{site.url}/</loc>")
    assert (await connect().list(None)).is_difference


async def test_a_sitemap_that_robots_forbid_is_named(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", f"User-agent: *\nDisallow: /x\nSitemap: {site.url}/x.xml\n", Content_Type="text/plain")
    site.page("/", "Home", "text")
    listing = await connect().list(None)
    assert ["robots.txt keeps it" in note for note in listing.notes] == [True]
    assert "/x.xml" not in site.asked


async def test_private_addresses_are_refused_unless_the_operator_said_so(
    site: Site, connect: Callable[..., Website]
) -> None:
    with pytest.raises(SourceError, match="not a public address"):
        await connect(allow_private=False).list(None)
    with pytest.raises(DocumentError, match="not a public address"):
        await connect(allow_private=False).read("/", None)
    assert site.asked == []


async def test_a_page_is_asked_for_again_where_nobody_kept_it(site: Site, connect: Callable[..., Website]) -> None:
    site.page("/a", "A", "text")
    site.sitemap("/a")
    [listed] = (await connect().list(None)).documents
    first = await connect().read("/a", listed.stamp)
    again = await connect().read("/a", listed.stamp)
    assert (first.data, first.stamp, first.name) == (again.data, again.stamp, again.name)
    site.put("/a", status=404)
    with pytest.raises(DocumentError, match="404"):
        await connect().read("/a", listed.stamp)


async def test_a_page_that_is_read_alone_is_asked_for_as_politely(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /secret\nCrawl-delay: 0.2\n", Content_Type="text/plain")
    for name in ("/a", "/b", "/c"):
        site.page(name, "A", "text")
    site.page("/secret", "Secret", "text")
    begun = time.monotonic()
    await asyncio.gather(*(connect().read(name, None) for name in ("/a", "/b", "/c")))
    assert time.monotonic() - begun > 0.2 * 2, "also where several are read at once"
    with pytest.raises(DocumentError, match=r"robots\.txt"):
        await connect().read("/secret", None)
    assert "/secret" not in site.asked


async def test_a_page_that_leads_to_another_is_not_read_as_that(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/a", status=302, Location="/login")
    site.page("/login", "Log in", "Your password, please.")
    with pytest.raises(DocumentError, match="leads to /login"):
        await connect().read("/a", None)


async def test_a_page_is_not_read_alone_while_robots_do_not_answer(site: Site, connect: Callable[..., Website]) -> None:
    site.put("/robots.txt", status=503)
    site.page("/a", "A", "text")
    with pytest.raises(SourceUnavailable, match="503"):
        await connect().read("/a", None)
    assert "/a" not in site.asked
