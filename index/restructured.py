"""reStructuredText -> HTML with docutils. Sphinx's directives and roles, which docutils does not know, keep their text.

Replaces docutils' look-up of both for the whole process, as Sphinx does, so it is used in one of its own.
"""

import html
import re
from typing import Any

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives, roles

SETTINGS = {
    # Nothing outside the document is read, and no HTML of its own is passed through.
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "line_length_limit": 1_000_000_000,
    # Whatever is wrong with it, its text is wanted.
    "report_level": 5,
    "halt_level": 5,
    "syntax_highlight": "none",
    "math_output": "latex",
    "embed_stylesheet": False,
    "input_encoding": "unicode",
}
NAVIGATION = frozenset(
    {"toctree", "index", "highlight", "include", "literalinclude", "contents", "tabularcolumns", "currentmodule", "raw"}
)
CODE = frozenset({"code-block", "sourcecode", "prompt", "parsed-literal", "doctest", "testcode"})
_TAG = re.compile(r"<[^<>]*>")
_TARGET = re.compile(r"\s*<[^<>]*>$")
_find_directive, _find_role = directives.directive, roles.role


def convert_restructured(text: str) -> tuple[str | None, str]:
    """Returns the title, if it has one over all, and a page of HTML."""
    directives.directive, roles.role = _directive, _role
    parts = publish_parts(text, writer="html5", settings_overrides=SETTINGS)
    return html.unescape(_TAG.sub("", parts["title"])) or None, parts["html_body"]


class _AnyOptions(dict[str, Any]):
    """Takes every option and does nothing with it."""

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, _name: str) -> Any:
        return lambda value: value


class _Unknown(Directive):  # type: ignore[misc]  # docutils has no types
    """Its argument in bold, then its content, read as text."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _AnyOptions()

    def run(self) -> list[nodes.Node]:
        name = self.name.lower()
        if name in NAVIGATION:
            return []
        if name in CODE:
            code = "\n".join(self.content)
            classes = ["code", *self.arguments[:1]]
            return [nodes.literal_block(code, code, classes=classes)]
        found: list[nodes.Node] = []
        if self.arguments:
            label = " ".join(self.arguments[0].split())
            found.append(nodes.paragraph("", "", nodes.strong(label, label)))
        body = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, body)
        return [*found, *body.children]


def _directive(name: str, language: Any, document: nodes.document) -> Any:
    if name.lower() in NAVIGATION | CODE:
        return _Unknown, []
    known, messages = _find_directive(name, language, document)
    return (known, messages) if known else (_Unknown, [])


def _role(name: str, language: Any, line: int, reporter: Any) -> Any:
    known, messages = _find_role(name, language, line, reporter)
    return (known, messages) if known else (_unknown_role, [])


def _unknown_role(_name: str, _raw: str, text: str, *_: Any, **__: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    said = _TARGET.sub("", nodes.unescape(text)).lstrip("~!")
    return [nodes.literal(said, said)], []
