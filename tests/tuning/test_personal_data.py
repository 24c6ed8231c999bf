"""Personal data is told by its form, and other numbers are not taken for it."""

import pytest

from tandem.tuning.personal_data import find_personal_data


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Mail kim.lee+hr@acme.co.uk for it.", "a mail address"),
        ("Pay to DE89 3704 0044 0532 0130 00 please.", "a bank account"),
        ("Card 4111 1111 1111 1111, valid till May.", "a card number"),
        ("Card 4111 1111 1111 1111 05/27 is mine.", "a card number"),
        ("Card 4111-1111-1111-1111 123 is mine.", "a card number"),
        ("Card 4111111111111111 123, 05/27.", "a card number"),
        ("Card 12/29 3782 822463 10005 1234.", "a card number"),
        ("Pay to de89370400440532013000 or in cash.", "a bank account"),
        ("The intruder came from 2a00:1450:4001:81b::200e.", "a network address"),
        ("Open [2A00:1450:4001:081B:0000:0000:0000:200E]:443 there.", "a network address"),
        ("My number is 536-90-4399.", "a social security number"),
        ("The intruder came from 93.184.216.34 last night.", "a network address"),
        ("Call +44 20 7946 0958 after ten.", "a telephone number"),
        ("Ring (212) 736-5000 for the desk.", "a telephone number"),
    ],
)
def test_what_points_at_a_person_is_named(text: str, kind: str) -> None:
    assert find_personal_data(text) == (kind,)


@pytest.mark.parametrize("text", ["Pay BE68 5390 0754 7034 EUR 12.", "Pay to nl91 abna 0417 1643 00."])
def test_an_account_is_found_beside_other_words_and_in_small_letters(text: str) -> None:
    assert "a bank account" in find_personal_data(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write to security@house.example or to somebody@example.org.",
        "Order 4111 1111 1111 1112 was shipped.",
        "Room 3.14 is free from 10:00 to 12:30 on 2026-05-03.",
        "The printer listens on 192.168.1.20.",
        "212 trees, 1,953 pears, 46 crowns and 89.5 percent.",
        "DE89 3704 0044 0532 0130 02 is a part number.",
        "Budgets: 2019 2020 2021 2022 2023 2024, in thousands 1411 1111 1111 1111 1111.",
        "Servers fe80::1, fd12::7, ::1 and 2001:db8::5 at 10:00:12, dead::beef, std::a::b.",
        "be68 boxes of 12 were packed for 16 customers of the north",
        "brk flt c3, dpt 0702, 4 late",
    ],
)
def test_other_numbers_and_addresses_of_nobody_are_left_alone(text: str) -> None:
    assert find_personal_data(text) == ()
