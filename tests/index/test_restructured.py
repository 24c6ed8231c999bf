import subprocess
import sys

from index.extraction import extract_document


def convert(text: str) -> str:
    return extract_document(text.encode(), "a.rst").text


def test_sphinx_directives_and_roles_keep_their_text() -> None:
    text = convert(
        "Deploying\n=========\n\nSee :ref:`the other page <other>` and :py:func:`~tandem.ask`.\n\n"
        ".. versionadded:: 2.0\n\n   Blue and green.\n\n"
        ".. toctree::\n   :maxdepth: 2\n\n   one\n   two\n\n"
        ".. py:function:: ask(question)\n   :noindex:\n\n   Asks it.\n"
    )
    assert text.startswith("# Deploying")
    for kept in ("See the other page and tandem.ask.", "2.0", "Blue and green.", "ask(question)", "Asks it."):
        assert kept in text
    for dropped in ("toctree", "maxdepth", "noindex", ":ref:", "one"):
        assert dropped not in text


def test_directives_that_hold_tables_and_code_give_both() -> None:
    text = convert(
        ".. list-table:: Ports\n   :header-rows: 1\n\n   * - Service\n     - Port\n   * - web\n     - 80\n\n"
        '.. csv-table::\n   :header: "Key", "Value"\n\n   "x", "1"\n\n'
        ".. code-block:: python\n   :linenos:\n\n   def f():\n       return 1\n\n"
        ".. warning::\n\n   It is hot.\n"
    )
    rows = ["".join(line.split()) for line in text.splitlines()]
    assert {"|Service|Port|", "|web|80|", "|Key|Value|", "|x|1|"} <= set(rows)
    assert "```\ndef f():\n    return 1\n```" in text
    assert "It is hot." in text


def test_nothing_outside_the_document_is_read() -> None:
    text = convert(
        "Here.\n\n.. include:: /etc/passwd\n\n.. literalinclude:: /etc/passwd\n\n"
        ".. csv-table::\n   :file: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n"
    )
    assert text.strip() == "Here."


def test_docutils_is_left_alone_in_the_workers_process() -> None:
    code = "import sys, index.extraction; sys.exit('docutils' in sys.modules or 'kreuzberg' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
