"""A document's language is told where its text makes it sure, and left open where it does not."""

import pytest

from index.languages import detect_language

BADGES = {
    "en": "New badges are made every Wednesday. Pick yours up at the front desk and wear it where people can see it.",
    "de": "Neue Ausweise werden jeden Mittwoch gemacht. Bitte holen Sie Ihren am Empfang ab und tragen ihn sichtbar.",
    "fr": "Les nouveaux badges sont fabriqués chaque mercredi. Retirez le vôtre à l'accueil et portez-le bien en vue.",
    "es": "Los carnés nuevos se hacen todos los miércoles. Recoja el suyo en la recepción y llévelo a la vista.",
    "uk": "Нові перепустки роблять щосереди. Заберіть свою на прохідній і носіть її так, щоб її було добре видно.",
    "ja": "新しいバッジは毎週水曜日に作られます。受付で受け取り、見えるところに着けてください。",
}


@pytest.mark.parametrize("language", BADGES)
def test_prose_tells_its_language(language: str) -> None:
    assert detect_language(f"# HERON-3\n\n{BADGES[language]}\n") == language


@pytest.mark.parametrize("text", ["", "HERON FALCON-3", "12 34 56", "def f(x):\n    return [y for y in x]\n"])
def test_what_is_too_short_or_no_language_is_left_open(text: str) -> None:
    assert detect_language(text) is None


def test_the_beginning_of_a_long_text_tells() -> None:
    assert detect_language(BADGES["de"] * 400 + "\ud800") == "de"
