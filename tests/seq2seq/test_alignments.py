"""Word alignments of every model that translates: pairs of words that there are, whatever else is in the batch."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.cases import architectures, case_of
from tests.models.released import released
from tests.models.tiny import perturbed, texts_differ, tiny_config
from tests.seq2seq.test_tasks import LONG, run_command
from tests.seq2seq.texts import IDS, save
from tfx_core.alignment import Alignment, AlignmentRule, word_alignments
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.nn import eager
from tfx_core.text import Tokenizer

HEAD = "conditional-generation"
NAMES = [spec.name for spec in architectures() if HEAD in spec.heads]
SOURCES = ["hello abc", "ab", " a  b\u3000c\n", "", "x </s> ab"]
TARGETS = ["abc ab", "hello abc a", "c b a", "ab", "a é"]
RULES = [AlignmentRule(), *(AlignmentRule(layer=-1, step="written", heads=heads, pick="max") for heads in ((), (1, 0)))]


def made(name: str, folder: Path) -> tuple[Model, Tokenizer]:
    """A random model and the tokenizer of its family's released files."""
    tokenizer = tfx_core.load_tokenizer(released(name, folder))
    if tokenizer.languages:
        tokenizer.tgt_lang = tokenizer.languages[0]
    size = max(len(tokenizer), len(tokenizer.target_vocabulary))
    sizes = {**tiny_config(name), "vocab_size": size, **case_of(name).goes_with("vocab_size", size)}
    model = tfx_core.new_model(name, head=HEAD, seed=1, **sizes).eval()
    return perturbed(model, 2, texts_differ), tokenizer


def check(alignment: Alignment, source: str, target: str) -> None:
    """Every target word has one pair, of words that there are."""
    pairs, (given, written) = alignment.pairs, (len(source.split()), len(target.split()))
    assert alignment == Alignment.of(pairs)
    assert pairs == sorted(pairs)
    assert sorted(j for _, j in pairs) == (list(range(written)) if given else [])
    assert all(0 <= i < given for i, _ in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_words_of_given_pairs_are_aligned_as_in_any_other_batch(name: str, tmp_path: Path) -> None:
    model, tokenizer = made(name, tmp_path)
    told = {"tgt_lang": next(iter(tokenizer.languages), None)}
    align = partial(word_alignments, model, tokenizer, **told)
    for rule in RULES:
        together = align(SOURCES, TARGETS, rule=rule)
        for source, target, found in zip(SOURCES, TARGETS, together, strict=True):
            check(found, source, target)
            assert align([source], [target], rule=rule) == [found]
        assert align(SOURCES[::-1], TARGETS[::-1], rule=rule) == together[::-1]
        assert align(SOURCES, TARGETS, rule=rule, batch_tokens=12) == together
    assert len({*together}) > 2
    model.train()
    assert align(SOURCES, TARGETS, rule=RULES[-1]) == together
    assert model.training


@pytest.mark.parametrize("name", NAMES)
def test_words_of_generated_texts_are_aligned_and_the_texts_are_the_same(name: str, tmp_path: Path) -> None:
    model, tokenizer = made(name, tmp_path)
    write = tfx_core.pipeline("text2text-generation", model=model, tokenizer=tokenizer, max_new_tokens=8, num_beams=2)
    for options in ({}, {"num_return_sequences": 2}, {"do_sample": True, "num_beams": 1, "seed": 3}):
        plain, together = write(SOURCES, **options), write(SOURCES, return_alignments=True, **options)
        for source, bare, found in zip(SOURCES, plain, together, strict=True):
            texts = found if isinstance(found, list) else [found]
            assert [{"generated_text": each["generated_text"]} for each in texts] == (
                bare if isinstance(bare, list) else [bare]
            )
            for each in texts:
                check(each["alignment"], source, each["generated_text"])
            assert write([source], return_alignments=True, **options)[0] == found
        assert write(SOURCES, return_alignments=True, batch_tokens=16, **options) == together


# a model that attends to what it reads


@pytest.fixture(scope="module", params=["bart", "t5"])
def matching(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Tokenizer]:
    """One whose cross-attention finds the very token that the decoder reads, and does nothing else."""
    folder = save(tmp_path_factory.mktemp(request.param) / "model", request.param)
    model = tfx_core.load_model(folder)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("embeddings.token.weight"):
                # of no mean and one length, in each half, which norms and heads leave as they are
                signs = torch.randn(len(parameter), 2, 1, parameter.shape[1] // 4, generator=generator).sign()
                parameter.copy_(torch.cat((signs, -signs), dim=2).flatten(1))
            elif "norm" not in name or name.endswith("bias"):
                parameter.zero_()
            else:
                parameter.fill_(1.0)
        for name, module in model.named_modules():
            if name.endswith("cross_attention.sublayer.projections"):
                same = 4 * torch.eye(*module.queries.weight.shape)
                module.queries.weight.copy_(same)
                module.keys_values.weight.copy_(torch.cat((same, same)))  # no value is of length 0
    return model, tfx_core.load_tokenizer(folder)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("abc de f", "f abc de", "0-1 1-2 2-0"),
        (" abc  de\nf ", "\nf abc\tde", "0-1 1-2 2-0"),
        ("ab c", "b aa aa c", "0-0 0-1 0-2 1-3"),
        ("naïve 日本 x", "x 本日 ïna", "0-2 1-1 2-0"),
        ("ab", "", ""),
        ("", "ab", ""),
        ("a </s> b", "b a", "0-1 2-0"),
    ],
)
def test_words_go_with_the_words_that_they_attend_to(
    source: str, target: str, expected: str, matching: tuple[Model, Tokenizer]
) -> None:
    rule = AlignmentRule(step="read")
    assert word_alignments(*matching, [source, "fed"], [target, "f ed"], rule=rule) == [expected, "0-0 0-1"]
    prefix = "b a: f "  # in which are the same
    assert word_alignments(*matching, [source], [target], prefix=prefix, rule=rule) == [expected]


def test_a_target_that_fills_all_positions_is_aligned(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "bart")
    (found,) = writer("translation", folder)(["a b"], max_new_tokens=39)
    assert len(found["translation_text"]) == 39
    check(found["alignment"], "a b", found["translation_text"])


# what a task gives


def writer(task: str, folder: str, **options: Any) -> Any:
    """A task that writes some letters and blanks alone, so that tokenizing its texts gives the ids that it wrote."""
    spoken = {number for token, number in IDS.items() if token in "abcdeĠ"}
    made = tfx_core.pipeline(task, model=folder, max_new_tokens=6, num_beams=2, return_alignments=True, **options)
    unspoken = [number for number in range(made.model.config.vocab_size) if number not in spoken]
    made.options = made.options.replaced(suppress_tokens=unspoken)
    return made


@pytest.fixture(scope="module", params=["bart", "t5"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp(request.param) / "model", request.param)


@pytest.mark.parametrize("more", [{}, {"alignment_layer": -1}, {"alignment_heads": [1]}], ids=str)
def test_a_task_aligns_what_it_wrote_as_anybody_would_align_it(more: dict[str, Any], saved: str) -> None:
    write = writer("translation", saved, prefix="x y: ", num_return_sequences=2, **more)
    rule = AlignmentRule(layer=more.get("alignment_layer"), heads=tuple(more.get("alignment_heads", ())))
    for source in ("ab cd e", "dog"):
        for each in write(source):
            text = each["translation_text"]
            (expected,) = word_alignments(write.model, write.tokenizer, [source], [text], prefix="x y: ", rule=rule)
            assert each["alignment"] == expected
            check(expected, source, text)


def test_words_of_a_text_that_was_split_are_counted_in_the_whole(saved: str) -> None:
    write = writer("summarization", saved, no_repeat_ngram_size=1, prefix="s ", max_source_length=35)
    parts = ["Ann lives here. Bob sings there!", "Who are you?\tA cat.", "Another dog sings in New York."]
    expected, before, behind = [], 0, 0
    for source, found in zip(parts, write(parts), strict=True):
        expected += [(before + i, behind + j) for i, j in found["alignment"].pairs]
        before, behind = before + len(source.split()), behind + len(found["summary_text"].split())
    (found,) = write("\n " + "  \n".join(parts), long_input="split")
    assert len(expected) > len(parts)
    assert found["alignment"] == Alignment.of(expected)
    (cut,) = write(LONG, long_input="truncate")
    check(cut["alignment"], LONG, cut["summary_text"])


def test_the_command_prints_alignments_behind_texts(saved: str) -> None:
    arguments = ("translation", "-m", saved, "--max-new-tokens", "6", "--alignments", "--alignment-layer", "-1")
    expected = tfx_core.pipeline("translation", model=saved, max_new_tokens=6)(
        ["a dog", "b"], return_alignments=True, alignment_layer=-1
    )
    found = run_command(*arguments, "--json", "a dog", "b")
    assert [json.loads(line) for line in found.stdout.splitlines()] == expected
    lines = run_command(*arguments, "a dog", "b").stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == [each["alignment"] for each in expected]
    assert run_command(*arguments[:6], "--header", "a").stdout.startswith("translation_text\talignment\n")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--alignment-layer", "3"], "--alignment-layer 3: must be from -3 to 2"),
        (["--alignment-heads", "9"], "--alignment-heads 9: must be from 0 to "),
    ],
)
def test_a_layer_or_a_head_that_there_is_not_is_told_before_anything_is_written(
    more: list[str], said: str, saved: str
) -> None:
    result = run_command("translation", "-m", saved, "--alignments", *more, "a")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    ("sources", "targets", "said"),
    [
        (["a", "b"], ["a"], "must be two lists of as many texts"),
        ("a", "a", "must be two lists of as many texts"),
        (["a", "x" * 60], ["a", "b"], r"sources\[1\]: 61 tokens; the model reads at least one and at most 40"),
        (["a"], ["x" * 60], r"targets\[0\]: 61 tokens; the model reads at least one and at most 40"),
        (["a", 3], ["a", "b"], r"sources\[1\] must be a string, not int"),
        (["a"], ["\ud800"], r"targets\[0\] is not valid Unicode"),
    ],
)
def test_what_cannot_be_aligned_is_named(sources: Any, targets: Any, said: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "bart")
    with pytest.raises(InputError, match=said):
        word_alignments(tfx_core.load_model(folder), tfx_core.load_tokenizer(folder), sources, targets)


def test_a_kernel_that_shows_no_weights_is_refused(tmp_path: Path) -> None:
    def silent(*of_call: Any, observer: Any, **how: Any) -> torch.Tensor:
        return eager(*of_call, **how)

    write = tfx_core.pipeline("translation", model=save(tmp_path / "model", "bart"), max_new_tokens=2)
    write.model.attention = silent
    assert write("a")
    with pytest.raises(InputError, match="load the model with attention='eager'"):
        write("a", return_alignments=True)
