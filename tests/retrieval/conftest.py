"""What several tests of tfx-retrieval share."""

import json
from pathlib import Path

import pytest

import tfx_core

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", "the", "a", "in", "is", "on"),
    *("cat", "sat", "mat", "boat", "sails", "sea", "bread", "baked", "oven"),
)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder of a BERT with random weights: a few words, mean pooling, vectors of length 1."""
    return save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"), seed=0)


@pytest.fixture(scope="session")
def other_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one of the same shape."""
    return save_tiny_bert(tmp_path_factory.mktemp("other-bert"), seed=1)


def save_tiny_bert(folder: Path, seed: int) -> Path:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    model = tfx_core.new_model(
        "bert",
        seed=seed,
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    model.save_pretrained(folder)
    steps = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    modules = [{"type": f"sentence_transformers.models.{name}", "path": path} for name, path in steps]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return folder
