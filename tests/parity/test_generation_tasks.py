"""Tasks that generate text give the reference's results: the same folder, a tiny random model, in both."""

import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import tfx_core
from tests.core.text.folders import write
from tfx_testing.vocabularies import pieces

SENTENCES = [
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "Angela Merkel visited Paris in 2017 and met Emmanuel Macron at the Élysée.",
    "Dr. O'Neill-Smith didn't say why; he left New York (NY) at 5:30 p.m.",
    "Die Straßenbahn fährt über die Brücke, naïve café-Besitzer staunen.",
    "東京は日本の首都です。 Tokyo is the capital of Japan.",
    "Wow!!! 😀 That's #1 … isn't it? e-mail: someone@example.org",
    "A",
]
PREFIXES = {"summarization": "summarize: ", "translation_en_to_de": "translate English to German: "}


def byte_level(special: list[str], **settings: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def perturbed(model: Any) -> Any:
    """Random enough for texts that differ, do not repeat themselves and end now and then."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def gpt2(folder: Path) -> None:
    backend = byte_level(["<|endoftext|>"])
    transformers.GPT2TokenizerFast(tokenizer_object=backend, model_max_length=96).save_pretrained(folder)
    config = transformers.GPT2Config(
        vocab_size=backend.get_vocab_size(), n_positions=96, n_embd=32, n_layer=2, n_head=4,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    perturbed(transformers.GPT2LMHeadModel(config)).save_pretrained(folder)


def bart(folder: Path) -> None:
    backend = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    transformers.BartTokenizerFast(tokenizer_object=backend, model_max_length=80).save_pretrained(folder)
    config = transformers.BartConfig(
        vocab_size=backend.get_vocab_size(), max_position_embeddings=80, d_model=32, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
        decoder_ffn_dim=48, forced_eos_token_id=2, prefix=" ",
    )  # fmt: skip
    perturbed(transformers.BartForConditionalGeneration(config)).save_pretrained(folder)


def t5(folder: Path) -> None:
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator([*SENTENCES, *PREFIXES.values()] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    transformers.T5TokenizerFast(tokenizer_object=backend, extra_ids=0, model_max_length=64).save_pretrained(folder)
    settings = {
        "summarization": {"max_length": 30, "min_length": 8, "num_beams": 3, "no_repeat_ngram_size": 3,
                          "length_penalty": 2.0, "early_stopping": True, "prefix": PREFIXES["summarization"]},
        "translation_en_to_de": {"max_length": 25, "num_beams": 2, "prefix": PREFIXES["translation_en_to_de"]},
    }  # fmt: skip
    config = transformers.T5Config(
        vocab_size=backend.get_vocab_size(), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        decoder_start_token_id=0, task_specific_params=settings,
    )  # fmt: skip
    perturbed(transformers.T5ForConditionalGeneration(config)).save_pretrained(folder)


def pegasus(folder: Path) -> None:
    write(folder, pieces(("<pad>", "</s>", "<unk>")))
    tokenizer = transformers.PegasusTokenizerFast(str(folder / "spiece.model"), model_max_length=80)
    tokenizer.save_pretrained(folder)
    config = transformers.PegasusConfig(
        vocab_size=len(tokenizer), max_position_embeddings=80, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48,
        scale_embedding=True,
    )  # fmt: skip
    perturbed(transformers.PegasusForConditionalGeneration(config)).save_pretrained(folder)


MAKERS = {"gpt2": gpt2, "bart": bart, "pegasus": pegasus, "t5": t5}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = {}
    for name, make in MAKERS.items():
        folder = tmp_path_factory.mktemp(name)
        make(folder)
        made[name] = str(folder)
    return made


@functools.cache
def reference(task: str, folder: str) -> Any:
    return transformers.pipeline(task, model=folder, tokenizer=folder, device="cpu")


def theirs(task: str, folder: str, texts: list[str], **options: Any) -> Any:
    """One by one, each as the reference gives a single text: a list of dicts."""
    return [reference(task, folder)(text, **options) for text in texts]


def ours(task: str, folder: str, texts: list[str], **options: Any) -> Any:
    # small batches, so that texts of different length share them and results must not depend on that
    results = tfx_core.pipeline(task, model=folder, batch_tokens=600)(texts, **options)
    return [result if isinstance(result, list) else [result] for result in results]


@pytest.mark.parametrize(
    "options",
    [
        {"do_sample": False},
        {"num_beams": 3, "do_sample": False},
        {"num_beams": 3, "do_sample": False, "num_return_sequences": 2, "length_penalty": 0.5},
        {"do_sample": False, "repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
        {"do_sample": False, "return_full_text": False, "prefix": "Japan. "},
        {"do_sample": False, "min_new_tokens": 5, "num_beams": 2, "early_stopping": True},
    ],
    ids=str,
)
def test_text_generation(options: dict[str, Any], folders: dict[str, str]) -> None:
    given = {"max_new_tokens": 12, **options}
    # the reference takes blanks away before punctuation, also from what was not generated
    expected = theirs("text-generation", folders["gpt2"], SENTENCES, **given, clean_up_tokenization_spaces=False)
    found = ours("text-generation", folders["gpt2"], SENTENCES, **given)
    assert found == expected
    assert len({each[0]["generated_text"] for each in found}) > 1  # which tokens are merged differs from run to run


@pytest.mark.parametrize("options", [{}, {"num_beams": 1}, {"num_beams": 2, "num_return_sequences": 2}], ids=str)
@pytest.mark.parametrize("name", ["bart", "pegasus", "t5"])
@pytest.mark.parametrize("task", ["summarization", "text2text-generation"])
def test_texts_from_texts(task: str, name: str, options: dict[str, Any], folders: dict[str, str]) -> None:
    # The reference's pipelines set max_new_tokens=256, which there goes over a max_length that the caller or the
    # checkpoint's settings for the task ask for; ours goes by these.
    if (task, name) == ("summarization", "t5"):
        expected = theirs(task, folders[name], SENTENCES, max_new_tokens=29, **options)
        found = ours(task, folders[name], SENTENCES, **options)
    else:
        expected = theirs(task, folders[name], SENTENCES, max_new_tokens=19, **options)
        found = ours(task, folders[name], SENTENCES, max_length=20, **options)
    assert found == expected
    assert len({json.dumps(each) for each in found}) > 1  # which tokens are merged differs from run to run


def test_translation_by_languages(folders: dict[str, str]) -> None:
    # a name with languages in it is how the reference chooses them, and by default the first that it finds
    expected = theirs("translation_en_to_de", folders["t5"], SENTENCES, max_new_tokens=24)
    assert ours("translation", folders["t5"], SENTENCES, src_lang="en", tgt_lang="de") == expected
    assert ours("translation", folders["t5"], SENTENCES, tgt_lang="de") == expected
    assert ours("translation", folders["t5"], SENTENCES) == expected  # the model's only pair


def test_translation_by_a_model_without_named_languages(folders: dict[str, str]) -> None:
    expected = theirs("translation", folders["bart"], SENTENCES, max_new_tokens=15)
    assert ours("translation", folders["bart"], SENTENCES, max_new_tokens=15) == expected


def test_cut_inputs(folders: dict[str, str]) -> None:
    long = [" ".join(SENTENCES), SENTENCES[0]]
    expected = theirs("summarization", folders["bart"], long, max_new_tokens=14, truncation=True)
    assert ours("summarization", folders["bart"], long, max_length=15, long_input="truncate") == expected


@pytest.mark.parametrize("window", [None, 20])
def test_perplexity_is_what_the_references_loss_says(window: int | None, folders: dict[str, str]) -> None:
    text = " ".join(SENTENCES[:2])
    result = tfx_core.pipeline("perplexity", model=folders["gpt2"])(text, window=window, stride=window and 1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["gpt2"])
    model = transformers.AutoModelForCausalLM.from_pretrained(folders["gpt2"])
    ids = torch.tensor([[0, *tokenizer(text)["input_ids"]]])
    losses = []
    with torch.no_grad():
        for place in range(1, ids.shape[1]):
            seen = ids[:, max(0, place - (window or 96)) : place]
            losses.append(-model(seen).logits[0, -1].log_softmax(-1)[ids[0, place]].item())
    assert result["tokens"] == len(losses)
    assert result["bytes"] == len(text.encode())
    assert result["perplexity"] == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
    assert result["bits_per_byte"] == pytest.approx(sum(losses) / math.log(2) / len(text.encode()), rel=1e-4)
