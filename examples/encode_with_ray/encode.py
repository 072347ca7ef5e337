"""Encode a corpus with Ray Data on several workers, and merge what they made into one index.

Every worker is an actor with a model of its own and one thread. It is given the number of a shard, reads that part of
the corpus itself and builds the folder of the shard, as ``tfx-core index build --shards PART/PARTS`` does. A run that
was stopped is run again: finished shards are found up to date, and one that was stopped half-way goes on.
"""

import argparse
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere

import ray  # it reads these settings when it is imported
import torch

from tfx_core import load_encoder
from tfx_retrieval import Collection, build_index, merge_indexes
from tfx_retrieval.embedding import model_identity
from tfx_retrieval.encoder import BudgetedEncoder
from tfx_retrieval.manifest import Manifest
from tfx_retrieval.search import is_current
from tfx_retrieval.shards import Shard
from tfx_retrieval.sources import Survey, survey
from tfx_retrieval.spool import CHUNK


class ShardBuilder:
    """An actor: loads the model once, and builds the shards that it is given."""

    def __init__(self, model: str, sources: Sequence[str], words: int, parts: Path, whole: Survey) -> None:
        torch.set_num_threads(1)
        self.model = model_identity(model)
        self.encoder = BudgetedEncoder(load_encoder(model))
        self.collection = Collection(sources, words=words)
        self.parts = parts
        self.whole = whole

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Build one shard, unless it is there; gives the number of passages that were embedded, and when."""
        begun = time.time()
        shard = Shard.parsed(item["shard"])
        folder = self.parts / f"shard-{shard.part}-of-{shard.of}"
        found = survey(shard.of_passages(self.collection, self.whole.count))
        name = f"{shard} {self.whole.digest}"
        wanted = Manifest(
            "flat", found.count, self.encoder.dimension, found.digest, model=self.model, probed=True, shard=name
        )
        done = is_current(folder, wanted, self.encoder)
        if not done:
            passages = shard.of_passages(self.collection, self.whole.count)
            build_index(passages, self.encoder, folder, model=self.model, shard=name)
        return {"shard": str(shard), "embedded": 0 if done else found.count, "begun": begun, "ended": time.time()}


def encode(options: argparse.Namespace, workers: int, output: Path) -> float:
    """Build the shards and merge them into ``output``; gives the seconds from the begin of the first to the last's end.

    So the seconds that Ray takes to start its workers, which a long run does not notice, are not in it.
    """
    collection = Collection(options.sources, words=options.passage_words)
    whole = survey(collection)
    of = min(options.shards, -(-whole.count // CHUNK))
    parts = output.with_name(f"{output.name}-shards")
    print(f"{whole.count} passages in {of} shards, {workers} workers of one thread", flush=True)
    items = [{"shard": f"{part}/{of}"} for part in range(1, of + 1)]
    builder: Any = ShardBuilder  # of which an actor is made
    builders = ray.data.from_items(items, override_num_blocks=of).map(  # a block is what a worker gets
        builder,
        fn_constructor_args=(options.model, options.sources, options.passage_words, parts, whole),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    begun: list[float] = []
    ended: list[float] = []
    for row in builders.iter_rows():
        begun.append(row["begun"])
        ended.append(row["ended"])
        print(f"shard {row['shard']}: {row['embedded']} embedded, {ended[-1] - begun[-1]:.1f} s", flush=True)
    seconds = max(ended) - min(begun)
    merge_indexes([parts / f"shard-{part}-of-{of}" for part in range(1, of + 1)], output)
    print(f"{output}: {whole.count} passages, encoded in {seconds:.1f} s", flush=True)
    return seconds


def compare(options: argparse.Namespace) -> None:
    """Encode all of it with one worker, then with two; say how much faster two are, and if the files are equal."""
    seconds, files = [], []
    for workers in (1, 2):
        output = options.output.with_name(f"{options.output.name}-by-{workers}")
        for folder in (output, output.with_name(f"{output.name}-shards")):
            shutil.rmtree(folder, ignore_errors=True)
        seconds.append(encode(options, workers, output))
        files.append({path.name: path.read_bytes() for path in output.iterdir()})
    print(f"two workers are {seconds[0] / seconds[1]:.2f} times as fast as one; files equal: {files[0] == files[1]}")


def main() -> None:
    """Read the options, start Ray on this machine and encode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder of the index; the shards are beside it")
    parser.add_argument("--model", required=True, help="folder or hub id of a text encoder")
    parser.add_argument("--source", dest="sources", action="append", help="as of tfx-core index build")
    parser.add_argument("--passage-words", type=int, default=120)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--compare", action="store_true", help="encode with one worker, then with two")
    parser.add_argument("--address", help="of a Ray cluster whose machines share the folders; by default, this machine")
    options = parser.parse_args()
    options.sources = [
        str(Path(each).absolute()) if Path(each).exists() else each for each in options.sources or ["pydoc:topics"]
    ]
    options.output = options.output.absolute()
    local = {} if options.address else {"num_cpus": max(2, options.workers), "include_dashboard": False}
    ray.init(address=options.address, log_to_driver=False, logging_level=logging.WARNING, **local)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    if options.compare:
        compare(options)
    else:
        encode(options, options.workers, options.output)


if __name__ == "__main__":
    main()
