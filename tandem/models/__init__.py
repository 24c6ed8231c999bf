"""Weights: the llama.cpp engine, the model server around it, the embedder, and the client that others use.

Whatever loads weights is in here, and only the `tandem model` process loads them.
May be imported by every room above `tandem.db`.
"""
