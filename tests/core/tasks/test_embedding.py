"""Texts to vectors: pooling of any checkpoint, and folders in the layout of sentence-transformers."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import tfx_core
from tests.core.tasks.conftest import Folder
from tfx_core.embedding import cut_untold
from tfx_core.errors import CheckpointError, InputError, UnknownNameError
from tfx_core.tasks import batching

TEXTS = ["bob lives in paris", "dog", "who sings ? ann smith .", ""]
NORMALIZE = "sentence_transformers.models.Normalize"


def states_of(folder: str, texts: list[str], **options: Any) -> list[Any]:
    found: list[Any] = tfx_core.pipeline("feature-extraction", model=folder)(texts, **options)
    return found


class SentenceFolder:
    """A folder as sentence-transformers writes it, step by step."""

    def __init__(self, root: Path, encoder: str, path: str = "") -> None:
        self.root = root
        self.steps: list[dict[str, Any]] = []
        shutil.copytree(encoder, root / path, dirs_exist_ok=True)
        self.step("sentence_transformers.models.Transformer", path)

    def step(
        self, kind: str, path: str | None = None, config: object = None, **tensors: torch.Tensor
    ) -> "SentenceFolder":
        number = len(self.steps)
        path = f"{number}_{kind.rpartition('.')[2]}" if path is None else path
        self.steps.append({"idx": number, "name": str(number), "path": path, "type": kind})
        if config is not None:
            self.write(f"{path}/config.json", config)
        if tensors:
            save_file(tensors, self.root / path / "model.safetensors")
        self.write("modules.json", self.steps)
        return self

    def pooling(self, **config: object) -> "SentenceFolder":
        return self.step("sentence_transformers.models.Pooling", config=config)

    def write(self, name: str, value: object) -> "SentenceFolder":
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value))
        return self

    def encoder(self, **options: Any) -> tfx_core.TextEncoder:
        return tfx_core.load_encoder(self.root, **options)


def dense(sentence: SentenceFolder, config: Any = None, weight: torch.Tensor | None = None) -> SentenceFolder:
    """One more step, from 8 numbers to 2."""
    sizes = config or {"in_features": 8, "out_features": 2}
    weight = torch.ones(2, 8) if weight is None else weight
    kind = "sentence_transformers.models.Dense"
    return sentence.step(kind, config={**sizes, "bias": False}, **{"linear.weight": weight})


@pytest.fixture
def toy_folder(folder: Folder) -> str:
    return folder("backbone")


@pytest.fixture
def sentence(toy_folder: str, tmp_path: Path) -> SentenceFolder:
    return SentenceFolder(tmp_path / "sentence", toy_folder)


# any checkpoint


def test_a_plain_checkpoint_is_pooled_as_asked_by_default_with_the_mean(toy_folder: str, folder: Folder) -> None:
    states = states_of(toy_folder, TEXTS)
    vectors = tfx_core.load_encoder(toy_folder).encode(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, 8))
    np.testing.assert_allclose(vectors, [each.mean(0) for each in states], rtol=1e-4, atol=1e-6)
    joined = tfx_core.load_encoder(toy_folder, pooling=["cls", "max"])
    expected = [np.concatenate([each[0], each.max(0)]) for each in states]
    np.testing.assert_allclose(joined.encode(TEXTS), expected, rtol=1e-4, atol=1e-6)
    assert joined.dimension == 16
    with pytest.raises(InputError, match="pooling='avg': must be one of cls, max, mean"):
        tfx_core.load_encoder(toy_folder, pooling="avg")  # type: ignore[arg-type]


def test_a_checkpoint_with_a_head_gives_its_encoder(folder: Folder) -> None:
    saved = folder("masked-lm")
    expected = [each.mean(0) for each in states_of(saved, TEXTS)]
    np.testing.assert_allclose(tfx_core.load_encoder(saved).encode(TEXTS), expected, rtol=1e-4, atol=1e-6)


def test_vectors_do_not_depend_on_order_batches_or_chunks(toy_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tfx_core.load_encoder(toy_folder)
    texts = [" ".join(["dog", "bob", "cat"][: 1 + number % 3] * (1 + number % 7)) for number in range(50)]
    vectors = encoder.encode(texts)
    np.testing.assert_allclose(encoder.encode(texts[::-1], batch_tokens=20)[::-1], vectors, rtol=1e-4, atol=1e-6)
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 7)
    done: list[int] = []
    np.testing.assert_allclose(encoder.encode(texts, progress=done.append), vectors, rtol=1e-4, atol=1e-6)
    assert sum(done) == 50


def test_long_texts_are_cut_to_what_the_encoder_takes(toy_folder: str) -> None:
    long = "dog " * 100
    encoder = tfx_core.load_encoder(toy_folder)
    assert encoder.max_length == 32
    np.testing.assert_array_equal(encoder.encode([long]), encoder.encode(["dog " * 30]))
    short = tfx_core.load_encoder(toy_folder, max_length=10)
    np.testing.assert_array_equal(short.encode([long]), encoder.encode(["dog " * 8]))
    assert tfx_core.load_encoder(toy_folder, max_length=1000).max_length == 32


def test_the_first_text_that_is_cut_is_a_warning_and_no_other(
    toy_folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = tfx_core.load_encoder(toy_folder, pooling="mean")
    encoder.encode(["dog " * 30, "bob"])  # as long as it may be
    assert caplog.messages == []
    for _ in range(2):
        encoder.encode(["bob", "dog " * 40, "dog " * 50])
    assert len(caplog.messages) == 1
    assert "tokens, and others like it, are cut to 32: max_length" in caplog.messages[0]


def test_what_is_cut_untold_leaves_the_warning_for_the_next(toy_folder: str, caplog: pytest.LogCaptureFixture) -> None:
    encoder = tfx_core.load_encoder(toy_folder, pooling="mean")
    with cut_untold():
        encoder.encode("dog " * 50)
    assert caplog.messages == []
    encoder.encode("dog " * 40)
    assert len(caplog.messages) == 1


def test_an_option_that_there_is_not_is_no_option_of_a_hub(toy_folder: str) -> None:
    with pytest.raises(TypeError, match="load_encoder takes no 'trucate_dim': did you mean 'truncate_dim'"):
        tfx_core.load_encoder(toy_folder, trucate_dim=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"it takes attention, cache_dir, .*, truncate_dim$"):
        tfx_core.load_encoder(toy_folder, zzz=2)  # type: ignore[call-arg]
    assert tfx_core.load_encoder(toy_folder, revision="main", pooling="mean", device=None).dimension == 8  # type: ignore[arg-type]


def test_vectors_of_any_type_are_compared_and_of_one_length_only(toy_folder: str) -> None:
    encoder = tfx_core.load_encoder(toy_folder, pooling="mean")
    vectors = encoder.encode(TEXTS)
    expected = encoder.similarity(vectors, vectors)
    for others in (vectors.tolist(), vectors.astype(np.float64), torch.from_numpy(vectors).half()):
        torch.testing.assert_close(encoder.similarity(others, vectors).float(), expected, rtol=1e-3, atol=1e-3)
    for wrong in (TEXTS, None, [[1.0], [1.0, 2.0]]):
        with pytest.raises(InputError, match="vectors are needed, as encode gives them"):
            encoder.similarity(wrong, vectors)
    with pytest.raises(InputError, match="vectors of 8 and of 3 numbers cannot be compared"):
        encoder.similarity(vectors, vectors[:, :3])
    with pytest.raises(InputError, match="4 and 2 vectors are no pairs"):
        encoder.similarity_pairwise(vectors, vectors[:2])


def test_a_device_that_is_not_there_is_named(toy_folder: str) -> None:
    with pytest.raises(InputError, match="device='gpu': on this machine it is one of cpu"):
        tfx_core.load_encoder(toy_folder, pooling="mean").encode("bob", device="gpu")


def test_the_mean_that_nobody_asked_for_is_told(toy_folder: str, caplog: pytest.LogCaptureFixture) -> None:
    tfx_core.load_encoder(toy_folder)
    assert caplog.messages == [f"{toy_folder}: has no modules.json, so texts are pooled by the mean; pooling= says how"]
    tfx_core.load_encoder(toy_folder, pooling="mean")
    assert len(caplog.messages) == 1


def test_no_texts_make_no_vectors_of_the_right_length(toy_folder: str) -> None:
    assert tfx_core.load_encoder(toy_folder).encode([]).shape == (0, 8)


def test_bad_texts_are_named(toy_folder: str) -> None:
    encoder = tfx_core.load_encoder(toy_folder)
    for wrong in (None, 3, {"text": "bob"}):
        with pytest.raises(InputError, match="encode takes a text or a list of texts, not"):
            encoder.encode(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"texts\[1\] must be a string, not int"):
        encoder.encode(["bob", 3])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"texts\[0\] is not valid Unicode"):
        encoder.encode(["\ud800"])


def test_lengths_are_one_when_asked_for(toy_folder: str) -> None:
    encoder = tfx_core.load_encoder(toy_folder)
    plain, unit = encoder.encode(TEXTS), encoder.encode(TEXTS, normalize=True)
    np.testing.assert_allclose(unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(encoder.encode(TEXTS, normalize=False), plain)


# sentence-transformers folders


@pytest.mark.parametrize(
    ("config", "modes"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, ("mean",)),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        (
            {f"pooling_mode_{name}": True for name in ("lasttoken", "weightedmean_tokens", "mean_sqrt_len_tokens",
                                                       "mean_tokens", "max_tokens", "cls_token")},
            ("cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"),
        ),
        ({"pooling_mode": "lasttoken"}, ("lasttoken",)),
        ({"pooling_mode": ["mean_sqrt_len_tokens", "cls"]}, ("mean_sqrt_len", "cls")),
        ({"pooling_mode": "max", "pooling_mode_cls_token": True}, ("max",)),
        ({}, ("mean",)),
    ],
)  # fmt: skip
def test_pooling_is_read_in_its_old_and_its_new_form(
    config: dict[str, Any], modes: tuple[str, ...], sentence: SentenceFolder
) -> None:
    encoder = sentence.pooling(word_embedding_dimension=8, **config).encoder()
    assert encoder.pooling == modes
    assert encoder.dimension == 8 * len(modes)


def test_steps_behind_the_pooling_are_run_in_order(sentence: SentenceFolder, toy_folder: str) -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    weight, bias, wide, residual, scale, shift = (
        random(8, 8), random(8), random(5, 8), random(5, 8), random(5), random(5)
    )  # fmt: skip
    sentence.pooling(pooling_mode_cls_token=True)
    sentence.step("sentence_transformers.models.Dropout", config={"dropout": 0.9})
    sentence.step(
        "sentence_transformers.models.Dense",
        config={"in_features": 8, "out_features": 8, "bias": True,
                "activation_function": "torch.nn.modules.activation.Tanh"},
        **{"linear.weight": weight, "linear.bias": bias},
    )  # fmt: skip
    sentence.step(
        "sentence_transformers.base.modules.dense.Dense",
        config={"in_features": 8, "out_features": 5, "bias": False, "use_residual": True,
                "activation_function": "torch.nn.modules.linear.Identity"},
        **{"linear.weight": wide, "residual.weight": residual},
    )  # fmt: skip
    sentence.step(
        "sentence_transformers.models.LayerNorm", config={"dimension": 5}, **{"norm.weight": scale, "norm.bias": shift}
    )
    sentence.step("sentence_transformers.models.Normalize")
    x = torch.tensor(np.stack([each[0] for each in states_of(toy_folder, TEXTS)]))
    x = torch.tanh(F.linear(x, weight, bias))
    x = F.layer_norm(F.linear(x, wide) + F.linear(x, residual), (5,), scale, shift)
    encoder = sentence.encoder()
    assert encoder.dimension == 5
    np.testing.assert_allclose(encoder.encode(TEXTS), F.normalize(x, dim=-1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS, normalize=False), x, rtol=1e-4, atol=1e-5)


def test_weights_of_a_step_may_be_in_a_pickled_file(sentence: SentenceFolder) -> None:
    config = {"in_features": 8, "out_features": 2}
    weight = torch.arange(16.0).view(2, 8)
    sentence.pooling().step("sentence_transformers.models.Dense", "2_Dense", config)
    torch.save({"linear.weight": weight, "linear.bias": torch.zeros(2)}, sentence.root / "2_Dense/pytorch_model.bin")
    mean = np.stack([each.mean(0) for each in states_of(str(sentence.root), TEXTS)])
    # tanh is the activation where none is named
    np.testing.assert_allclose(sentence.encoder().encode(TEXTS), np.tanh(mean @ weight.numpy().T), rtol=1e-4)


@pytest.mark.parametrize("name", ["sentence_bert_config.json", "sentence_xlm-roberta_config.json"])
def test_the_length_and_case_of_texts_are_read(name: str, sentence: SentenceFolder) -> None:
    encoder = sentence.pooling().write(name, {"max_seq_length": 7, "do_lower_case": True}).encoder()
    assert encoder.max_length == 7
    assert encoder.lower_case
    np.testing.assert_array_equal(encoder.encode(["dog " * 50]), encoder.encode(["DOG " * 5]))
    assert sentence.encoder(max_length=9).max_length == 9
    assert sentence.write(name, {"max_seq_length": None}).encoder().max_length == 32


def test_the_encoder_may_be_in_a_subfolder(toy_folder: str, tmp_path: Path) -> None:
    old = SentenceFolder(tmp_path / "old", toy_folder, "0_Transformer").pooling()
    old.write("0_Transformer/sentence_bert_config.json", {"max_seq_length": 12})
    encoder = old.encoder()
    assert encoder.max_length == 12
    expected = tfx_core.load_encoder(toy_folder, max_length=12).encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS), expected)


def test_prompts_are_put_before_texts(sentence: SentenceFolder, toy_folder: str) -> None:
    prompts = {"query": "who ? ", "passage": "the ", "other": ""}
    settings = {"prompts": prompts, "default_prompt_name": "passage"}
    encoder = sentence.pooling().write("config_sentence_transformers.json", settings).encoder()
    plain = tfx_core.load_encoder(toy_folder)
    texts = TEXTS[:3]
    for given, prompt in (
        ({}, "the "),
        ({"prompt_name": "query"}, "who ? "),
        ({"prompt": "good "}, "good "),
        ({"prompt": ""}, ""),
        ({"prompt_name": "other"}, ""),
    ):
        np.testing.assert_array_equal(encoder.encode(texts, **given), plain.encode([prompt + text for text in texts]))
    np.testing.assert_array_equal(encoder.encode_query(texts), encoder.encode(texts, prompt_name="query"))
    np.testing.assert_array_equal(encoder.encode_document(texts), encoder.encode(texts, prompt_name="passage"))
    np.testing.assert_array_equal(plain.encode_query(texts), plain.encode(texts))
    with pytest.raises(InputError, match="prompt_name='quary': the encoder has 'query', 'passage', 'other'"):
        encoder.encode(texts, prompt_name="quary")
    with pytest.raises(InputError, match="prompt_name='query': the encoder has no prompts"):
        plain.encode(texts, prompt_name="query")
    with pytest.raises(InputError, match="give one of them"):
        encoder.encode(texts, prompt="x", prompt_name="query")


def test_a_prompt_can_be_left_out_of_the_pooling(sentence: SentenceFolder, toy_folder: str) -> None:
    encoder = sentence.pooling(pooling_mode="mean", include_prompt=False).encoder()
    states = states_of(toy_folder, ["who ? bob sings"])[0]  # [CLS] who ? bob sing ##s [SEP]
    np.testing.assert_allclose(encoder.encode(["bob sings"], prompt="who ? ")[0], states[3:].mean(0), rtol=1e-5)
    np.testing.assert_allclose(encoder.encode(["who ? bob sings"])[0], states.mean(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda s: s.step("sentence_transformers.models.CNN"), "step 2 is of type 'sentence_transformers.models.CNN'"),
        (lambda s: s.step("evil.Normalize"), "step 2 is of type 'evil.Normalize'; the types understood"),
        (lambda s: s.step("sentence_transformers.models.Pooling"), "a step Pooling cannot follow the pooling"),
        (lambda s: s.write("modules.json", s.steps[1:]), "the steps are Pooling; Transformer and Pooling must come"),
        (lambda s: s.write("modules.json", {}), "modules.json: a list of the encoder's steps is expected"),
        (lambda s: s.write("modules.json", [3]), "step 0 is 3; an object with type and path is expected"),
        (lambda s: (s.root / "modules.json").write_text("["), "modules.json: line 1, column 2"),
        (
            lambda s: s.step("sentence_transformers.models.Normalize", "../outside"),
            "../outside",
        ),
        (
            lambda s: s.write("1_Pooling/config.json", {"pooling_mode": "first"}),
            "pooling_mode='first': must be one or several",
        ),
        (lambda s: s.write("1_Pooling/config.json", {"include_prompt": 3}), "include_prompt=3: must be true or false"),
        (lambda s: (s.root / "1_Pooling/config.json").unlink(), "the file 'config.json' is missing"),
        (lambda s: s.write("sentence_bert_config.json", {"max_seq_length": "x"}), "max_seq_length='x'"),
        (lambda s: s.write("sentence_bert_config.json", {"max_seq_length": True}), "max_seq_length=True"),
        (lambda s: s.write("sentence_bert_config.json", {"max_seq_length": -1}), "max_seq_length=-1"),
        (lambda s: s.write("sentence_bert_config.json", {"transformer_task": "fill-mask"}), "transformer_task"),
        (
            lambda s: s.write("sentence_bert_config.json", {"processing_kwargs": {"text": {"max_length": 8}}}),
            "processing_kwargs={'text': {'max_length': 8}}: must be {} or None",
        ),
        (lambda s: s.write("config_sentence_transformers.json", {"prompts": {"a": 3}}), "prompts="),
        (
            lambda s: s.write("config_sentence_transformers.json", {"default_prompt_name": "a"}),
            "default_prompt_name='a': must be one of the prompts (there are none)",
        ),
        (
            lambda s: s.step(
                "sentence_transformers.models.Normalize", config={"module_input_name": "token_embeddings"}
            ),
            "module_input_name='token_embeddings': must be 'sentence_embedding' or None",
        ),
        (
            lambda s: s.step("sentence_transformers.models.Dense", config={"in_features": 8, "out_features": 0}),
            "out_features=0: must be an integer at least 1",
        ),
        (
            lambda s: s.step(
                "sentence_transformers.models.Dense",
                config={"in_features": 8, "out_features": 2, "activation_function": "os.system"},
            ),
            "activation_function='os.system'",
        ),
        (
            lambda s: s.step(
                "sentence_transformers.models.Dense",
                config={"in_features": 8, "out_features": 2, "bias": False},
                **{"linear.weight": torch.zeros(2, 9), "linear.bias": torch.zeros(2)},
            ),
            "'linear.bias' is unknown; linear.weight has shape (2, 9), expected (2, 8)",
        ),
        # sizes and numbers that do not fit, before anything is built of them
        (lambda s: dense(s, {"in_features": 8, "out_features": 10**9}), "has shape (2, 8), expected (1000000000, 8)"),
        (lambda s: dense(s, {"in_features": 10**30, "out_features": 2}), "has shape (2, 8), expected (2, 1000"),
        (
            lambda s: s.step(
                "sentence_transformers.models.LayerNorm", config={"dimension": 10**12}, **{"norm.weight": torch.ones(1)}
            ),
            "norm.weight has shape (1,), expected (1000000000000,)",
        ),
        (lambda s: dense(s, weight=torch.ones(2, 8, dtype=torch.int32)), "is torch.int32, expected numbers with a"),
        (lambda s: dense(s, weight=torch.full((2, 8), torch.nan)), "linear.weight holds nan or inf"),
        (lambda s: dense(s, weight=torch.full((2, 8), 1e300, dtype=torch.float64)), "linear.weight holds nan or inf"),
        (
            lambda s: dense(s, {"in_features": 9, "out_features": 2}, torch.ones(2, 9)),
            "2_Dense/config.json: takes vectors of 9 numbers, and gets 8",
        ),
        (lambda s: dense(dense(s)), "3_Dense/config.json: takes vectors of 8 numbers, and gets 2"),
        (
            lambda s: s.write("modules.json", s.steps * 9),
            "modules.json: a list of the encoder's steps is expected, not",
        ),
        (
            lambda s: s.write("1_Pooling/config.json", {"pooling_mode": ["mean"] * 10**5}),
            "pooling_mode=['mean', 'mean', 'mean', 'mean', …]: must be one or several",
        ),
        (lambda s: s.write("modules.json", [*s.steps, {"type": "x" * 10**6, "path": ""}]), "step 2 is of type 'xxx"),
        (
            lambda s: s.write("modules.json", [*s.steps, {"type": NORMALIZE, "path": "x" * 300}]),
            "too long for the name of a file",
        ),
    ],
)
def test_what_a_folder_says_wrong_is_named(break_it: Any, said: str, sentence: SentenceFolder) -> None:
    break_it(sentence.pooling())
    with pytest.raises(CheckpointError) as caught:
        sentence.encoder()
    assert said in str(caught.value)
    assert str(sentence.root) in str(caught.value)


def test_an_encoder_of_an_architecture_that_nobody_has_is_told(sentence: SentenceFolder) -> None:
    sentence.pooling().write("config.json", {"model_type": "mpnet", "architectures": ["MPNetModel"]})
    with pytest.raises(UnknownNameError, match=rf"^{sentence.root}/config\.json: model_type='mpnet': no architecture"):
        sentence.encoder()


def test_the_pooling_of_a_folder_is_not_to_be_overruled(sentence: SentenceFolder) -> None:
    with pytest.raises(InputError, match=r"pooling='cls': .*modules\.json says how this encoder pools"):
        sentence.pooling().encoder(pooling="cls")


def test_what_is_saved_is_what_was_loaded(sentence: SentenceFolder, tmp_path: Path) -> None:
    sentence.pooling(pooling_mode=["mean", "max"], include_prompt=False)
    weight, activation = torch.arange(64.0).sin().view(4, 16), "torch.nn.modules.activation.GELU"
    config = {
        "in_features": 16,
        "out_features": 4,
        "activation_function": activation,
        "use_residual": True,
        "bias": False,
    }
    tensors = {"linear.weight": weight, "residual.weight": weight.flip(0)}
    sentence.step("sentence_transformers.models.Dense", config=config, **tensors)
    norm = {"norm.weight": torch.arange(4.0), "norm.bias": torch.ones(4)}
    sentence.step("sentence_transformers.models.LayerNorm", config={"dimension": 4}, **norm)
    sentence.step("sentence_transformers.models.Dropout", config={"dropout": 0.1}).step(NORMALIZE)
    settings = {"prompts": {"query": "bob "}, "default_prompt_name": "query", "similarity_fn_name": "dot"}
    sentence.write("config_sentence_transformers.json", settings)
    sentence.write("sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": True})
    encoder = sentence.encoder()
    for folder in (tmp_path / "new", sentence.root):  # and over itself
        encoder.save_pretrained(folder)
        again = tfx_core.load_encoder(folder)
        np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), rtol=1e-4, atol=1e-5)
        assert (again.max_length, again.lower_case, again.prompts) == (9, True, {"query": "bob "})
        assert (again.default_prompt, again.similarity_fn_name) == ("query", "dot")
    stage = tfx_core.TextEncoder(encoder.model, encoder.tokenizer, stages=[torch.nn.Tanh()])
    with pytest.raises(InputError, match="a step Tanh has no place in a sentence-transformers folder"):
        stage.save_pretrained(tmp_path / "never")
    assert not (tmp_path / "never").exists()
