"""Licences: which ones may be indexed at all, and the refusal of the others."""

from index.documents import DocumentError
from tandem.errors import SourceError
from tandem.settings import Settings


class LicenceRefused(DocumentError):
    """`licence` is what the document itself states, if anything."""

    def __init__(self, stated: str | None, licence: str | None) -> None:
        named = f"Its licence, {licence}, is" if licence else "It states no licence, and that is"
        super().__init__(f"{named} not on the allowed list (TANDEM_ALLOWED_LICENCES).")
        self.licence = stated


def list_allowed(settings: Settings) -> list[str]:
    """The allowed licences as the database compares them: in lower case. Empty: every licence is allowed."""
    return sorted({licence.strip().lower() for licence in settings.allowed_licences})


def check_source_licence(settings: Settings, licence: str | None) -> None:
    """Refuses a licence that a source is to be given. Raises SourceError."""
    allowed = list_allowed(settings)
    if licence and allowed and licence.strip().lower() not in allowed:
        raise SourceError(
            f"The licence {licence} is not on the allowed list.",
            remedy=f"TANDEM_ALLOWED_LICENCES has {', '.join(settings.allowed_licences)}.",
        )
