"""Kinds of index at 200,000 vectors of 384 numbers, beside the flat one and beside FAISS with files of its own.

`nox -s bench -- indexes` runs it; `--count N` takes fewer vectors, `--only` picks kinds. Nothing is needed of peers:
FAISS is where tfx-retrieval is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Column, Contestant, Results, measure, print_limit, print_rows, print_table

CONTESTANTS = Path(__file__).parent / "contestants"
FLAT = "flat"
KINDS = (FLAT, "hnsw", "ivf-flat", "ivf-disk", "ivf-pq", "sq8")
OF_FAISS = ("hnsw", "ivf-flat", "ivf-pq", "sq8")
"""Those that FAISS makes alike by itself."""


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="not needed here")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--count", type=int, default=200_000, help="vectors")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="kinds beside flat; by default all")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if kind == FLAT or kind in arguments.only]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # in a process of its own: the system counts what this one holds as held by the contestants
        subprocess.run(
            [sys.executable, str(CONTESTANTS / "indexing_vectors.py"), name, str(arguments.count)], check=True
        )

        def contestants(work: str) -> list[Contestant]:
            entries = [("tfx", kind) for kind in kinds] + [("faiss", kind) for kind in kinds if kind in OF_FAISS]
            return [_contestant(work, library, kind, folder, arguments.threads) for library, kind in entries]

        built = measure(contestants("build"), rounds=1, warm_up=False)
        searched = measure(contestants("search"), rounds=arguments.rounds)
        sizes = {each: _size(folder / each.replace(" ", "-")) for each in built.rounds}
    _print(built, searched, sizes, f"{arguments.count:,} vectors, {arguments.threads} threads")


def _contestant(work: str, library: str, kind: str, folder: Path, threads: int) -> Contestant:
    name = kind if library == "tfx" else f"{kind} {library}"
    script = str(CONTESTANTS / f"indexing_with_{library}.py")
    command = (sys.executable, script, work, kind, str(folder), str(folder / name.replace(" ", "-")), str(threads))
    return Contestant(name, command)


def _print(built: Results, searched: Results, sizes: dict[str, float], what: str) -> None:
    print_table(f"Building, {what}: time, most memory", built, [Column("build", "s"), Column("peak", "MB")], ours=FLAT)
    columns = [Column("open", "ms"), Column("held", "MB"), Column("one by one", "/s"), Column("together", "/s")]
    title = f"Searching, {what}, 1000 queries: opening, memory after all of them, queries alone and in one call"
    print_table(title, searched, columns, ours=FLAT)
    print("\nWhat is found of the exact top ten, how often the wanted one is in the top twenty, size of the files\n")
    rows = [("", "recall@10", "top 20", "MB", "of flat")]
    for name, size in sizes.items():
        recall, hits = (searched.median(name, figure) for figure in ("recall", "hits"))
        rows.append((name, f"{recall:.4f}", f"{hits:.3f}", f"{size:.1f}", f"1/{sizes[FLAT] / size:.1f}"))
    print_rows(rows)
    print()
    for name in (each for each in ("hnsw", "ivf-flat", "ivf-disk") if each in sizes):
        print_limit(f"{name}: share of the top ten that is missed", 1 - searched.median(name, "recall"), 0.05, _share)
    if "ivf-pq" in sizes:
        print_limit("ivf-pq: size of flat's", sizes["ivf-pq"] / sizes[FLAT], 1 / 16, lambda value: f"1/{1 / value:.1f}")
        missed = searched.median(FLAT, "hits") - searched.median("ivf-pq", "hits")
        print_limit("ivf-pq: top 20 lost", missed, 0.02, _share)


def _share(value: float) -> str:
    return f"{value:.1%}"


def _size(place: Path) -> float:
    """MB of a file, or of the files of a folder."""
    files = place.iterdir() if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files) / 1e6


if __name__ == "__main__":
    main()
