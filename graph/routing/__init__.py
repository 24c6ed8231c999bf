"""The decision: shall the weights answer, or the documents? Read `router.py` first, then `inputs.py`, `policy.py`."""
