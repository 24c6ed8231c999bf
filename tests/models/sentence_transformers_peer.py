"""sentence-transformers as a process of its own, run by a Python that has it: `measure_embedder.py` starts it.

One line of JSON in, one out: `{"texts": [...], "batch": 32, "file": PATH}` is answered with the seconds that it took;
the vectors are in the file.
"""

import json
import sys
import time

import numpy as np
import torch
from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
model = SentenceTransformer(folder, device="cpu")
print("ready", flush=True)
for line in sys.stdin:
    wanted = json.loads(line)
    began = time.perf_counter()
    vectors = model.encode(
        wanted["texts"], batch_size=wanted["batch"], normalize_embeddings=True, show_progress_bar=False
    )
    seconds = time.perf_counter() - began
    np.save(wanted["file"], vectors)
    print(seconds, flush=True)
