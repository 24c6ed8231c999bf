"""Measuring: questions, collections and histories from files, load on model servers, retrieval, and what is compared.

Reads and measures only; nothing that serves people depends on it.
May be imported by `tandem.cli` alone.
"""
