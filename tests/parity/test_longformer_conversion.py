"""A converted checkpoint is the reference's Longformer, and gives there what the source gives."""

from pathlib import Path

import pytest
import torch
import transformers

import tfx_core
from tests.encoders.test_longformer_conversion import LONG, SOURCES, WINDOW, stored
from tfx_encoders.longformer import convert_checkpoint

CLASSES = {
    "masked-lm": ("LongformerForMaskedLM", transformers.AutoModelForMaskedLM),
    "token-classification": ("LongformerForTokenClassification", transformers.AutoModelForTokenClassification),
    "sequence-classification": ("LongformerForSequenceClassification", transformers.AutoModelForSequenceClassification),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("head", CLASSES)
def test_the_reference_reads_a_converted_checkpoint(name: str, head: str, tmp_path: Path) -> None:
    source = stored(name, head, tmp_path / "source")
    convert_checkpoint(source, tmp_path / "long", max_positions=LONG, window=WINDOW)
    cls, auto = CLASSES[head]
    theirs, report = getattr(transformers, cls).from_pretrained(tmp_path / "long", output_loading_info=True)
    assert not any(report.values())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "long")
    assert tokenizer.model_max_length == LONG
    batch = tokenizer("hello abc", return_tensors="pt")
    assert batch["input_ids"].tolist() == [tfx_core.load_tokenizer(source)("hello abc")["input_ids"]]
    with torch.no_grad():
        got = theirs.eval()(**batch).logits
        expected = auto.from_pretrained(source).eval()(**batch).logits
        ours = tfx_core.load_model(tmp_path / "long")(**batch).logits
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    long = torch.randint(5, len(tokenizer), (1, LONG), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got, ours = theirs(long).logits, tfx_core.load_model(tmp_path / "long")(long).logits
    torch.testing.assert_close(ours, got, atol=1e-4, rtol=1e-4)
