"""GPT-2 continuing texts, beside transformers and CTranslate2.

`nox -s bench -- generation` makes both environments and runs it; `--peers PYTHON` uses existing ones.
"""

import argparse

from race import Race, run

GPT2 = Race(
    title="GPT-2, 124M random weights, fp32: new tokens per second, 64 after a prompt of 32",
    model_type="gpt2",
    head="causal-lm",
    config={},
    length=32,
    new_tokens=64,
    settings={"greedy, batch 1": (1, 1), "greedy, batch 8": (8, 1), "beam 4, batch 1": (1, 4)},
)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="by default as many as there are cores")
    arguments = parser.parse_args()
    run(GPT2, arguments.peers, rounds=arguments.rounds, threads=arguments.threads)


if __name__ == "__main__":
    main()
