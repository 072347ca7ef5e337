"""The walks through the code are in the order in which it runs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
import torch

import tfx_core

PAGE = Path(__file__).parents[2] / "docs/a-call-step-by-step.md"
STEP = re.compile(r"^\| \d+ \| `([\w/]+\.py): ([\w.]+)` \|", re.MULTILINE)
IDS = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS > 0).long(), "labels": IDS}


def steps(walk: int) -> list[tuple[str, str]]:
    """File and function of each step of the page's first or second walk; a class is no step that is called."""
    found = STEP.findall(PAGE.read_text(encoding="utf-8").split("\n## ")[walk])
    return [(file, name) for file, name in found if name.rpartition(".")[2][0] in "_abcdefghijklmnopqrstuvwxyz"]


def calls(run: Callable[[], object]) -> list[tuple[str, str]]:
    """File and name of every function of ours that is called, in order."""
    made: list[tuple[str, str]] = []
    packages = {str(Path(str(sys.modules[name].__file__)).parents[1]) for name in ("tfx_core", "tfx_decoders")}

    def note(frame: FrameType, event: str, argument: object) -> None:
        folder = next((each for each in packages if frame.f_code.co_filename.startswith(f"{each}/tfx_")), None)
        if event == "call" and folder is not None:
            path = frame.f_code.co_filename.removeprefix(f"{folder}/")
            made.append((path.removeprefix("tfx_core/"), frame.f_code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 20, "n_positions": 32}
    tfx_core.new_model("gpt2", head="causal-lm", seed=0, bos_token_id=1, eos_token_id=2, **sizes).save_pretrained(
        folder
    )
    return folder


@pytest.mark.parametrize("walk", [1, 2])
def test_the_code_runs_in_the_order_of_the_walk(walk: int, folder: Path) -> None:
    def call() -> object:
        return tfx_core.load_model(folder)(**BATCH)

    model = tfx_core.load_model(folder)

    def generate() -> object:
        return model.generate(IDS, attention_mask=BATCH["attention_mask"], max_new_tokens=4, pad_token_id=0)

    expected, made = steps(walk), iter(calls(call if walk == 1 else generate))
    assert len(expected) > 15
    assert [step for step in expected if step not in made] == []  # each is looked for after the one before it
