"""Addresses of git repositories: which are taken, what they are called, and where the forge shows a file of one."""

import re
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from tandem.errors import SourceError

_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})
_SCP = re.compile(r"(?:[\w.][\w.-]*@)?(?P<host>[\w.][\w.-]*):(?P<path>[^:\s][^\s]*)")
_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//|\.lock$|/$|\.$))[^\x00-\x20\x7f~^:?*\[\\]+")
_FORGES = frozenset({"github.com", "gitlab.com", "codeberg.org", "bitbucket.org"})


def resolve_repository(location: str) -> str:
    """Returns the address in the form that git is given. Raises SourceError for one that git must not be given."""
    if "::" in location or location.startswith("-") or not location.isprintable():
        raise SourceError(
            "That is no address of a git repository.", remedy="Give an https:// or ssh address, or a path."
        )
    url = _split(location)
    if "://" in location:
        if url is None or url.scheme not in _SCHEMES or not (url.hostname or url.scheme == "file"):
            raise SourceError(
                f"{location.split('://')[0]}:// is not an address that git is given.",
                remedy=f"Take one of {', '.join(sorted(_SCHEMES))}, or a path.",
            )
        if url.password or (url.username and url.scheme in ("https", "http")):
            raise SourceError(
                "The address holds a password or token, which would be stored and shown.",
                remedy="Leave it out, and let git's credential helper of the worker's user know it.",
            )
        return location.rstrip("/")
    if _SCP.fullmatch(location) and not Path(location).exists():
        return location
    try:
        folder = Path(location).expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise SourceError(f"There is no repository {location}.", remedy="Check the path.") from error
    if not any((place / "HEAD").is_file() for place in (folder, folder / ".git")) and not (folder / ".git").is_file():
        raise SourceError(f"{location} is not a git repository.", remedy="Name the folder that holds `.git`.")
    return str(folder)


def check_branch(branch: str) -> str:
    """Raises SourceError for what git would not take as a branch's name."""
    if not _BRANCH.fullmatch(branch):
        raise SourceError(f"{branch!r} is no branch's name.", remedy="Give it as `git branch` shows it.")
    return branch


def is_repository(location: str) -> bool:
    """Whether the address can only mean a git repository."""
    url = _split(location)
    if "://" not in location:
        return bool(_SCP.fullmatch(location)) and not Path(location).exists()
    if url is None:
        return False
    path = url.path.strip("/")
    at_forge = (url.hostname or "").lower() in _FORGES and path.count("/") == 1
    return url.scheme in ("ssh", "git") or path.endswith(".git") or at_forge


def name_repository(location: str) -> str:
    return re.split(r"[/:]", location.rstrip("/"))[-1].removesuffix(".git")


def is_same_repository(location: str, other: str) -> bool:
    """Whether two addresses lead to one repository, by whichever protocol."""
    known, asked = _identify(location), _identify(other)
    return known is not None and asked is not None and (known[0], known[1].lower()) == (asked[0], asked[1].lower())


def link_file(location: str, branch: str, path: str) -> str:
    """The file at the forge, where the address says which; else the repository with the file behind a `#`."""
    if location.startswith("/"):
        return Path(location).as_uri() + "/" + quote(path)
    known = _identify(location)
    if known is None:
        return f"{location}#{quote(path)}"
    host, project = known
    page = f"https://{host}/{project}"
    branch, path = quote(branch), quote(path)
    if "gitlab" in host:
        return f"{page}/-/blob/{branch}/{path}"
    if "github" in host:
        return f"{page}/blob/{branch}/{path}"
    if host == "codeberg.org" or "gitea" in host or "forgejo" in host:
        return f"{page}/src/branch/{branch}/{path}"
    if host == "bitbucket.org":
        return f"{page}/src/{branch}/{path}"
    return f"{page}#{path}"


def _identify(location: str) -> tuple[str, str] | None:
    """The host and the project on it, whatever the protocol; None where there is no host."""
    found, url = _SCP.fullmatch(location), _split(location)
    if found and "://" not in location:
        host, project = found["host"], found["path"]
    elif url is not None and url.hostname:
        host, project = url.hostname, url.path
    else:
        return None
    return host.lower(), project.strip("/").removesuffix(".git")


def _split(location: str) -> SplitResult | None:
    try:
        return urlsplit(location)
    except ValueError:
        return None
