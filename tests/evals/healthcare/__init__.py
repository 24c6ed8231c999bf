"""The healthcare question: common conditions trained, rare ones in the index alone, documents that change later.

`python -m tests.evals.healthcare make DATA OUT` writes the material from MedQuAD (CC BY 4.0).
"""
