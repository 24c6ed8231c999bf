"""LangChain's indexing API as a process of its own, run by a Python that has it: `peers.py` starts it.

PGVectorStore, SQLRecordManager, RecursiveCharacterTextSplitter and sentence-transformers, as their documentation sets
them up. One line of JSON in, one out.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy  # type: ignore[import-not-found]
import torch
from langchain_classic.indexes import SQLRecordManager, index  # type: ignore[import-not-found]
from langchain_community.document_loaders import DirectoryLoader, TextLoader  # type: ignore[import-not-found]
from langchain_huggingface import HuggingFaceEmbeddings  # type: ignore[import-not-found]
from langchain_postgres import PGEngine, PGVectorStore  # type: ignore[import-not-found]
from langchain_text_splitters import RecursiveCharacterTextSplitter  # type: ignore[import-not-found]

TABLE = "passages"
WIDTH = 384


class Peer:
    def __init__(self, model: str, conninfo: dict[str, str], characters: int) -> None:
        query = {name: conninfo[name] for name in ("host", "port") if name in conninfo}
        made = sqlalchemy.URL.create(
            "postgresql+psycopg",
            conninfo.get("user"),
            conninfo.get("password"),
            database=conninfo["dbname"],
            query=query,
        )
        url = made.render_as_string(hide_password=False)
        encoding = {"normalize_embeddings": True}
        embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"}, encode_kwargs=encoding)
        engine = PGEngine.from_connection_string(url)
        engine.init_vectorstore_table(TABLE, WIDTH)
        self._store = PGVectorStore.create_sync(engine, embeddings, TABLE)
        self._records = SQLRecordManager(f"pgvector/{TABLE}", db_url=url)
        self._records.create_schema()
        self._splitter = RecursiveCharacterTextSplitter(chunk_size=characters, chunk_overlap=0)

    def index(self, folder: str) -> dict[str, Any]:
        """Loads, splits and indexes all files; what did not change is skipped, what vanished is deleted."""
        began = time.perf_counter()
        files = DirectoryLoader(folder, glob="**/*.md", loader_cls=TextLoader).load()
        chunks = self._splitter.split_documents(files)
        done = index(chunks, self._records, self._store, cleanup="full", source_id_key="source")
        return {"seconds": time.perf_counter() - began, "files": len(files), "chunks": len(chunks), **done}

    def search(self, queries: list[str], k: int) -> dict[str, Any]:
        """Of each query the files of its best passages, best first, and how long it took."""
        found, milliseconds = [], []
        for query in queries:
            began = time.perf_counter()
            hits = self._store.similarity_search_with_score(query, k=k)
            milliseconds.append((time.perf_counter() - began) * 1000)
            found.append(list(dict.fromkeys(Path(hit.metadata["source"]).stem for hit, _ in hits)))
        return {"found": found, "milliseconds": milliseconds}


def main(model: str, conninfo: str, characters: str, threads: str) -> None:
    logging.disable()
    torch.set_num_threads(int(threads))
    peer = Peer(model, json.loads(conninfo), int(characters))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        done = peer.index(**wanted) if wanted.pop("do") == "index" else peer.search(**wanted)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
