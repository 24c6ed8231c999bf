"""The language of a document, told from its text; None where that is not sure."""

SAMPLE = 20_000
"""Characters that are looked at."""
CONFIDENCE = 0.8
# What the detector tells (whatlang's languages, ISO 639-3), by the two letters that people know (ISO 639-1).
# fmt: off
LANGUAGES = {
    "afr": "af", "aka": "ak", "amh": "am", "ara": "ar", "aze": "az", "bel": "be", "ben": "bn", "bul": "bg",
    "cat": "ca", "ces": "cs", "cmn": "zh", "cym": "cy", "dan": "da", "deu": "de", "ell": "el", "eng": "en",
    "epo": "eo", "est": "et", "fin": "fi", "fra": "fr", "guj": "gu", "heb": "he", "hin": "hi", "hrv": "hr",
    "hun": "hu", "hye": "hy", "ind": "id", "ita": "it", "jav": "jv", "jpn": "ja", "kan": "kn", "kat": "ka",
    "khm": "km", "kor": "ko", "lat": "la", "lav": "lv", "lit": "lt", "mal": "ml", "mar": "mr", "mkd": "mk",
    "mya": "my", "nep": "ne", "nld": "nl", "nob": "no", "ori": "or", "pan": "pa", "pes": "fa", "pol": "pl",
    "por": "pt", "ron": "ro", "rus": "ru", "sin": "si", "slk": "sk", "slv": "sl", "sna": "sn", "spa": "es",
    "srp": "sr", "swe": "sv", "tam": "ta", "tel": "te", "tgl": "tl", "tha": "th", "tuk": "tk", "tur": "tr",
    "ukr": "uk", "urd": "ur", "uzb": "uz", "vie": "vi", "yid": "yi", "zul": "zu",
}
# fmt: on


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that most of the text's beginning is in.

    None for a text of too few words, of no language, such as code, or of several.
    """
    # Loaded with the first document: whoever only searches does without.
    from kreuzberg import ExtractionConfig, LanguageDetectionConfig, extract_bytes_sync

    config = ExtractionConfig(
        use_cache=False,
        disable_ocr=True,  # type: ignore[call-arg]  # its stubs lag behind
        enable_quality_processing=False,
        language_detection=LanguageDetectionConfig(enabled=True, min_confidence=CONFIDENCE, detect_multiple=False),
    )
    sample = text[:SAMPLE].encode(errors="replace")
    found = extract_bytes_sync(sample, "text/plain", config).detected_languages
    return LANGUAGES.get(found[0]) if found else None
