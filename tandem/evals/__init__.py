"""Measuring: questions from files, load on model servers, metrics, and what is compared with what.

Reads and measures only; nothing that serves people depends on it.
May be imported by `tandem.cli` alone.
"""
