"""The tokenizer of an architecture's case: in a folder as its family released it, and in one that we saved."""

from pathlib import Path
from typing import Any

import tfx_core
from tfx_core.model import load_architecture
from tfx_core.text import Tokenizer
from tfx_testing.cases import ArchitectureCase
from tfx_testing.vocabularies import write


def has_tokenizer(case: ArchitectureCase) -> bool:
    """Whether the case has files of a small tokenizer."""
    return bool(case.released())


def reads_legacy_files(case: ArchitectureCase) -> bool:
    """Whether the architecture's recipe reads other files of a tokenizer than ``tokenizer.json``."""
    recipe = load_architecture(case.model_type).text
    return recipe is not None and bool(recipe.files)


def released(case: ArchitectureCase, folder: Path, **config: object) -> Path:
    """A folder with the released files, the model type, and perhaps keys of a ``tokenizer_config.json``."""
    files = dict(case.released())
    if not files:
        raise LookupError(
            f"the case of {case.model_type!r} has no files of a tokenizer: give some small ones, as in "
            'ArchitectureCase(…, released=partial(word_pieces, ["[PAD]", "[UNK]"])) of tfx_testing.vocabularies'
        )
    for name, keys in (("config.json", {"model_type": case.model_type}), ("tokenizer_config.json", config)):
        own = files.get(name, {})
        files[name] = {**own, **keys} if isinstance(own, dict) else keys
    return write(folder, files)


def released_with(role: str, token: str, case: ArchitectureCase, folder: Path) -> Path:
    """The same; a family without a token of this role is given one, as its users do."""
    has = getattr(tfx_core.load_tokenizer(released(case, folder)), role) is not None
    return folder if has else released(case, folder, **{role: token})


def saved(tokenizer: Tokenizer, folder: Path, case: ArchitectureCase) -> Path:
    """A folder that the tokenizer was saved to, with the model type."""
    tokenizer.save_pretrained(folder)
    return write(folder, {"config.json": {"model_type": case.model_type}})


def columns(tokenizer: Tokenizer, *texts: str) -> list[dict[str, Any]]:
    """What a model gets of each text."""
    return [dict(tokenizer(text)) for text in texts]


def model_with_tokenizer(case: ArchitectureCase, head: str, tokenizer: Tokenizer) -> Any:
    """A new tiny model with as many tokens as its tokenizer has."""
    return tfx_core.new_model(case.model_type, head=head, seed=1, **{**case.tiny, "vocab_size": len(tokenizer)}).eval()
