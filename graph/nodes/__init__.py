"""The steps of an answer, one module each: plain async functions whose return type names the next step."""
