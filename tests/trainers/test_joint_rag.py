"""Question encoder and generator learn together in the reference's trainer."""

from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

import tfx_core
from tests.retrieval.conftest import save_tiny_bert
from tfx_retrieval import Passage, build_index
from tfx_retrieval.rag.refreshing import RefreshedIndex
from tfx_retrieval.rag.training import JointTraining
from tfx_retrieval.rag.vectors import TextVectors

PASSAGES = [Passage("the cat sat on the mat", "cat"), Passage("bread is baked in the oven", "bread")]
EXAMPLES = [{"question": "the cat sat", "answer": "mat"}, {"question": "bread is baked", "answer": "oven"}]


def test_both_learn_and_the_index_follows(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    encoder = tfx_core.load_encoder(save_tiny_bert(tmp_path / "encoder", seed=0))
    build_index(PASSAGES, encoder, tmp_path / "index")
    generator = tfx_core.new_model(
        "t5", head="conditional-generation", seed=0, vocab_size=len(encoder.tokenizer), d_model=32, d_kv=16, d_ff=32,
        num_layers=1, num_heads=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=3,
    )  # fmt: skip
    index = RefreshedIndex(tmp_path / "index", encoder)
    training = JointTraining(generator, encoder.tokenizer, TextVectors(encoder), index, n_docs=2, refresh_every=4)
    before = [each.detach().clone() for each in training.encoder.parameters()]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=10, learning_rate=3e-3, per_device_train_batch_size=2,
        logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(training, arguments, train_dataset=EXAMPLES, data_collator=training.collate)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0]
    assert index.refreshes == 2
    after = training.encoder.parameters()
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
