"""Tuning: examples become a LoRA adapter in GGUF, which goes into service only through the gate.

What trains (`base`, `training`, `adapter_file`, `trainer`) imports torch, transformers and peft and runs as a process
of its own in the tuning environment; the rest runs where Tandem serves. May be imported by `tandem.cli` alone.
"""
