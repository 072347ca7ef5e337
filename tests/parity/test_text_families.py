"""Folders that the reference writes for every architecture are read as the family's, whatever class they name."""

from pathlib import Path

import pytest
import transformers

import tfx_core
from tests.core.text.folders import write
from tests.models.released import NAMES, released
from tfx_testing.text.base import TEXTS
from tfx_testing.text.folders import OF_THE_MODEL


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_the_reference_wrote_is_its_family_s(name: str, general: bool, tmp_path: Path) -> None:
    folder, written = released(name, tmp_path / "released"), tmp_path / "written"
    original = tfx_core.load_tokenizer(folder)
    reference = transformers.AutoTokenizer.from_pretrained(folder)
    reference.save_pretrained(written)
    if general and (written / "tokenizer.json").exists():
        transformers.PreTrainedTokenizerFast(tokenizer_file=str(written / "tokenizer.json")).save_pretrained(written)
    write(written, {"config.json": {"model_type": name}})
    tokenizer = tfx_core.load_tokenizer(written)
    assert [getattr(tokenizer, fact) for fact in OF_THE_MODEL] == [getattr(original, fact) for fact in OF_THE_MODEL]
    assert len(tokenizer) == len(original)
    assert [tokenizer(text).input_ids for text in TEXTS] == [reference(text).input_ids for text in TEXTS]
