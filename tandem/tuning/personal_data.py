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
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


def find_personal_data(text: str) -> tuple[str, ...]:
    """What kinds there are, each once; never the data itself."""
    return tuple(dict.fromkeys(_find(text)))


def _find(text: str) -> Iterator[str]:
    if any(not _NOBODY.search(found.group()) for found in _MAIL.finditer(text)):
        yield "a mail address"
    if any(iban.is_valid(found.group()) for found in _IBAN.finditer(text)):
        yield "a bank account"
    if any(luhn.is_valid(re.sub(r"\D", "", found.group())) for found in _CARD.finditer(text)):
        yield "a card number"
    if any(ssn.is_valid(found.group()) for found in _SSN.finditer(text)):
        yield "a social security number"
    if any(_is_public(found.group()) for found in _ADDRESS.finditer(text)):
        yield "a network address"
    if any(_holds_telephone_number(text, region) for region in REGIONS):
        yield "a telephone number"


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _holds_telephone_number(text: str, region: str | None) -> bool:
    leniency = phonenumbers.Leniency.STRICT_GROUPING if region else phonenumbers.Leniency.VALID
    return phonenumbers.PhoneNumberMatcher(text, region, leniency).has_next()
