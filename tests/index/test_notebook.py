import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import DocumentError
from index.notebook import OUTPUT_LINES, convert_notebook
from tests.index.files import make_notebook

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "text", "text/plain"]), inner),
    max_leaves=8,
)
cells = st.dictionaries(st.sampled_from(["cell_type", "source", "outputs"]), values | st.just("code"))


def test_text_is_text_and_code_is_fenced_with_what_it_printed() -> None:
    notebook = make_notebook(("markdown", "# Churn\n\nHow many leave."), ("code", "df.head()\n"), printed="rows: 42\n")
    assert convert_notebook(notebook.decode()) == (
        "# Churn\n\nHow many leave.\n\n```python\ndf.head()\n```\n\n```\nrows: 42\n```\n\n"
    )


def test_pictures_are_left_out_and_long_outputs_cut() -> None:
    outputs = [
        {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": ["<Figure size 1>"]}},
        {"output_type": "stream", "text": [f"epoch {n}\n" for n in range(10_000)]},
        {"output_type": "error", "ename": "KeyError", "evalue": "'floor'"},
    ]
    text = convert_notebook(json.dumps({"cells": [{"cell_type": "code", "source": "fit()", "outputs": outputs}]}))
    assert "Figure" not in text
    assert text.count("epoch") == OUTPUT_LINES
    assert "KeyError: 'floor'" in text


def test_a_fence_in_the_code_ends_no_fence() -> None:
    text = convert_notebook(make_notebook(("code", 'x = """\n```\n"""')).decode())
    assert text.startswith("````python\n")
    assert text.rstrip().endswith("\n````")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"worksheets": []}', "[" * 1_000_000])
def test_what_is_no_notebook_says_so(text: str) -> None:
    with pytest.raises(DocumentError, match="not a notebook"):
        convert_notebook(text)


@given(st.lists(cells | values, max_size=4), values)
def test_odd_notebooks_break_nothing(odd: list[Any], metadata: Any) -> None:
    assert isinstance(convert_notebook(json.dumps({"cells": odd, "metadata": metadata})), str)
