"""Personal data that can be told by its form: addresses, telephone, account and card numbers.

Numbers are checked as their issuers check them (phonenumbers, python-stdnum), so that other numbers are not taken for
them. Names of people are not found: that takes a model, and the ones there are weigh more than ours.
"""

import ipaddress
import re
from collections.abc import Iterator

import phonenumbers
from stdnum import iban, luhn
from stdnum.us import ssn

REGIONS = (None, "US", "GB", "DE", "FR", "IN")
"""Where a telephone number without its country's code may be from, if it is also grouped as it is there."""
_MAIL = re.compile(r"[\w.+-]+@([\w-]+\.)+[A-Za-z]{2,}")
_NOBODY = re.compile(r"@(.+\.)?(example(\.(com|org|net))?|.+\.(example|test|invalid|localhost))$", re.IGNORECASE)
_IBAN = re.compile(r"\b(?=([A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]){11,30}))", re.IGNORECASE)
"""Where one may begin, with more than may belong to it."""
_SHORTEST_IBAN = 15
_DIGITS = re.compile(r"\b\d+(?:[ \u00a0-]\d+)*\b")
_CARD_DIGITS = range(13, 20)
_CARD_GROUPS = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4))
_ISSUED = re.compile(r"2[2-7]|[3-6]")
"""How the numbers of the large issuers of cards begin."""
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_ADDRESS = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE
)
_INTERNET = ipaddress.ip_network("2000::/3")
"""All public addresses of version 6; others look like much else."""


def find_personal_data(text: str) -> tuple[str, ...]:
    """What kinds there are, each once; never the data itself."""
    return tuple(dict.fromkeys(_find(text)))


def _find(text: str) -> Iterator[str]:
    if any(not _NOBODY.search(found.group()) for found in _MAIL.finditer(text)):
        yield "a mail address"
    if any(_begins_with_iban(found[1]) for found in _IBAN.finditer(text)):
        yield "a bank account"
    if any(_holds_card(found.group()) for found in _DIGITS.finditer(text)):
        yield "a card number"
    if any(ssn.is_valid(found.group()) for found in _SSN.finditer(text)):
        yield "a social security number"
    if any(_is_public(found.group()) for found in _ADDRESS.finditer(text)):
        yield "a network address"
    if any(_holds_telephone_number(text, region) for region in REGIONS):
        yield "a telephone number"


def _begins_with_iban(text: str) -> bool:
    """Each country's have one length, so that what follows is not taken for a part of it. Which banks there are is not
    asked: they come and go."""
    letters = re.sub(r"[^A-Za-z0-9]", "", text).upper()
    return any(
        iban.is_valid(letters[:length], check_country=False) for length in range(_SHORTEST_IBAN, len(letters) + 1)
    )


def _holds_card(run: str) -> bool:
    """Whether digits, as they are grouped, are a card's number, or hold one beside a date or a check number."""
    groups = re.findall(r"\d+", run)
    spans = ((at, end) for at in range(len(groups)) for end in range(at + 1, min(at + 5, len(groups)) + 1))
    parts = (groups[at:end] for at, end in spans)
    known = (part for part in parts if len(part) == 1 or tuple(map(len, part)) in _CARD_GROUPS)
    return any(_is_card("".join(digits)) for digits in (*known, groups))


def _is_card(digits: str) -> bool:
    return len(digits) in _CARD_DIGITS and bool(_ISSUED.match(digits)) and luhn.is_valid(digits)


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and (address.version == 4 or address in _INTERNET)


def _holds_telephone_number(text: str, region: str | None) -> bool:
    leniency = phonenumbers.Leniency.STRICT_GROUPING if region else phonenumbers.Leniency.VALID
    return phonenumbers.PhoneNumberMatcher(text, region, leniency).has_next()
