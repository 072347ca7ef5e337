"""Tokenizers: what is asked of them, how they are called, chats."""

import pickle
import tempfile
from collections.abc import Callable
from typing import Any

import torch

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.integration.habits.world import TOKENS, World
from tfx_core import Tokenizer

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}]
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{% generation %}{{ message.content }}{% endgeneration %}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def check(truth: object) -> None:
    assert truth


def of(test: Callable[[Tokenizer], object]) -> Callable[[World], None]:
    """A deed that a tokenizer of its own passes."""
    return lambda world: check(test(world.tokenizer()))


def chatting(test: Callable[[Tokenizer], object]) -> Callable[[World], None]:
    def deed(world: World) -> None:
        tokenizer = world.tokenizer()
        tokenizer.chat_template = TEMPLATE
        assert test(tokenizer)

    return deed


def between_languages(test: Callable[[Tokenizer], object]) -> Callable[[World], None]:
    """A deed of a tokenizer that tells languages."""

    def deed(world: World) -> None:
        files = {**case_of("mbart").released(), "config.json": {"model_type": "mbart"}}
        check(test(tfx_core.load_tokenizer(write(world.root / "languages", files))))

    return deed


def from_german(tokenizer: Tokenizer) -> bool:
    tokenizer.src_lang = "de_DE"
    return tokenizer("a").tokens()[-1] == "de_DE"


def setting(name: str, value: object) -> Callable[[World], None]:
    def deed(world: World) -> None:
        tokenizer = world.tokenizer()
        setattr(tokenizer, name, value)
        assert getattr(tokenizer, name) == value

    return deed


def added_tokens(world: World) -> None:
    tokenizer = world.tokenizer()
    before = len(tokenizer)
    assert tokenizer.add_tokens(["<x>", "<y>"]) == 2
    assert len(tokenizer) == before + 2


def additional(world: World) -> None:
    tokenizer = world.tokenizer()
    tokenizer.additional_special_tokens = ["[MASK]"]
    assert tokenizer.additional_special_tokens == ["[MASK]"]


def pad_is_eos(world: World) -> None:
    tokenizer = world.tokenizer("gpt2")
    tokenizer.pad_token = tokenizer.eos_token
    assert tokenizer.pad_token_id == tokenizer.eos_token_id is not None


def without_pad(world: World) -> None:
    tokenizer = world.tokenizer("gpt2")
    tokenizer.pad_token = None
    tokenizer(["a", "bc"], padding=True)


def on_the_left(world: World) -> None:
    tokenizer = world.tokenizer()
    tokenizer.padding_side = "left"
    assert tokenizer(["a", "bc"], padding=True).attention_mask[0][0] == 0


def cut_on_the_left(world: World) -> None:
    tokenizer = world.tokenizer()
    tokenizer.truncation_side = "left"
    assert tokenizer("abc", truncation=True, max_length=3).tokens() == ["[CLS]", "c", "[SEP]"]


def saved(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world.tokenizer().save_pretrained(folder)
        assert tfx_core.load_tokenizer(folder)("ab") == world.tokenizer()("ab")


def assistant_mask(tokenizer: Tokenizer) -> bool:
    batch = tokenizer.apply_chat_template(CHAT, return_dict=True, return_assistant_tokens_mask=True)
    return sum(batch["assistant_masks"]) == len("HiHello there")


def called(**options: Any) -> Callable[[Tokenizer], object]:
    """Calls that give something."""
    return lambda tokenizer: tokenizer(["a", "b c"], **options)


WITH = {
    "padding": {"padding": "max_length", "max_length": 8},
    "truncation": {"truncation": True, "max_length": 3},
    "max_length": {"max_length": 3, "truncation": True},
    "padding_side": {"padding": True, "padding_side": "left"},
    "pad_to_multiple_of": {"padding": True, "pad_to_multiple_of": 8},
    "stride": {"truncation": True, "max_length": 4, "stride": 1, "return_overflowing_tokens": True},
    "return_overflowing_tokens": {"truncation": True, "max_length": 4, "return_overflowing_tokens": True},
    "return_tensors": {"padding": True, "return_tensors": "pt"},
    "verbose": {"verbose": False},
    "add_special_tokens": {"add_special_tokens": False},
}
COLUMNS = {
    "return_offsets_mapping": "offset_mapping",
    "return_special_tokens_mask": "special_tokens_mask",
    "return_token_type_ids": "token_type_ids",
    "return_attention_mask": "attention_mask",
    "return_length": "length",
}

TOKENIZER: dict[str, Callable[[World], object]] = {
    "tok.encode(text)": of(lambda tok: tok.encode("a") == tok("a").input_ids),
    "tok.decode(ids)": of(lambda tok: tok.decode(tok.encode("a b"), skip_special_tokens=True) == "a b"),
    "tok.decode(rows)": lambda world: world.tokenizer().decode([[7], [8]]),  # type: ignore[list-item]  # the mistake
    "tok.decode([10**6])": lambda world: world.tokenizer().decode([10**6]),
    "tok.batch_decode(rows)": of(lambda tok: tok.batch_decode([tok.encode("a")]) == ["[CLS]a[SEP]"]),
    "tok.tokenize(text)": of(lambda tok: tok.tokenize("ab") == ["a", "b"]),
    "tok.convert_tokens_to_ids(tokens)": of(lambda tok: tok.convert_tokens_to_ids(["[PAD]"]) == [0]),
    "tok.convert_ids_to_tokens(ids)": of(lambda tok: tok.convert_ids_to_tokens([0]) == ["[PAD]"]),
    "tok.convert_tokens_to_string(tokens)": of(lambda tok: tok.convert_tokens_to_string(["a", "Ġ", "b"]) == "a b"),
    "tok.get_vocab()": of(lambda tok: tok.get_vocab()["[PAD]"] == 0),
    "vocab": of(lambda tok: tok.vocab == tok.get_vocab()),
    "vocab_size": of(lambda tok: tok.vocab_size == len(tok)),
    "len(tok)": of(len),
    "added_tokens_decoder": of(lambda tok: tok.added_tokens_decoder[0].content == "[PAD]"),
    "tok.get_added_vocab()": of(lambda tok: tok.get_added_vocab()["[PAD]"] == 0),
    "name_or_path": lambda world: check(world.tokenizer().name_or_path == str(world.folder())),
    "is_fast": of(lambda tok: tok.is_fast),
    "backend_tokenizer": of(lambda tok: tok.backend_tokenizer.get_vocab_size() == len(tok)),
    "tok.add_tokens(tokens)": added_tokens,
    "tok.add_special_tokens({…})": of(lambda tok: tok.add_special_tokens({"pad_token": "<pad>"}) == 1),
    "special_tokens_map": of(lambda tok: tok.special_tokens_map == TOKENS),
    "all_special_ids": of(lambda tok: sorted(tok.all_special_ids) == list(range(6))),
    "all_special_tokens": of(lambda tok: set(tok.all_special_tokens) == set(TOKENS.values())),
    "additional_special_tokens": additional,
    "tok.pad_token = tok.eos_token": pad_is_eos,
    "tok.pad_token_id = 0": setting("pad_token_id", 0),
    'tok.padding_side = "left"': on_the_left,
    'tok.padding_side = "middle"': setting("padding_side", "middle"),
    'tok.truncation_side = "left"': cut_on_the_left,
    "tok.model_max_length = 128": setting("model_max_length", 128),
    "max_len_single_sentence": of(lambda tok: tok.max_len_single_sentence == tok.model_max_length - 2),
    "tok.pad(features)": of(
        lambda tok: tok.pad([tok("a"), tok("bc")], padding=True, return_tensors="pt").input_ids.shape == (2, 4)
    ),
    "tok.num_special_tokens_to_add()": of(lambda tok: tok.num_special_tokens_to_add() == 2),
    "tok.build_inputs_with_special_tokens(ids)": of(
        lambda tok: tok.build_inputs_with_special_tokens(tok.encode("ab", add_special_tokens=False)) == tok.encode("ab")
    ),
    "tok.create_token_type_ids_from_sequences(ids)": of(
        lambda tok: tok.create_token_type_ids_from_sequences([9, 9]) == [0] * 4
    ),
    "tok.get_special_tokens_mask(ids)": of(
        lambda tok: tok.get_special_tokens_mask(tok.encode("a"), already_has_special_tokens=True) == [1, 0, 1]
    ),
    "tok.encode_plus(text)": of(lambda tok: tok.encode_plus("a") == tok("a")),
    "tok.batch_encode_plus(texts)": of(lambda tok: tok.batch_encode_plus(["a"]) == tok(["a"])),
    **{
        name: lambda world, name=name: getattr(world.tokenizer(), name)  # type: ignore[misc]
        for name in (
            *("prepare_for_model", "as_target_tokenizer", "prepare_seq2seq_batch", "train_new_from_iterator"),
            *("save_vocabulary", "push_to_hub", "id_to_lang_code", "fairseq_tokens_to_ids", "cur_lang_code"),
            *("prefix_tokens", "suffix_tokens", "set_src_lang_special_tokens", "set_tgt_lang_special_tokens"),
        )
    },
    'tok.src_lang = "en_XX"': between_languages(from_german),
    "lang_code_to_id": between_languages(
        lambda tok: tok.convert_ids_to_tokens(tok.lang_code_to_id["de_DE"]) == "de_DE"
    ),
    "from_pretrained": lambda world: Tokenizer.from_pretrained(world.folder()),
    "tok.save_pretrained(folder)": saved,
    "chat_template": setting("chat_template", TEMPLATE),
    "tok.get_chat_template()": chatting(lambda tok: tok.get_chat_template() == TEMPLATE),
    "tok.apply_chat_template(messages)": chatting(
        lambda tok: tok.apply_chat_template(CHAT, tokenize=False) == "<user>Hi[EOS]<assistant>Hello there[EOS]"
    ),
    "tok.apply_chat_template(…, add_generation_prompt=True)": chatting(
        lambda tok: tok.decode(tok.apply_chat_template(CHAT, add_generation_prompt=True)).endswith("[EOS]<assistant>")
    ),
    "tok.apply_chat_template(…, continue_final_message=True)": chatting(
        lambda tok: tok.apply_chat_template(CHAT, tokenize=False, continue_final_message=True).endswith("there")
    ),
    "tok.apply_chat_template(…, return_assistant_tokens_mask=True)": chatting(assistant_mask),
    "tok.apply_chat_template(…, tools=[function])": chatting(lambda tok: tok.apply_chat_template(CHAT, tools=[check])),
    "pickle.dumps(tok)": of(lambda tok: pickle.loads(pickle.dumps(tok))("a") == tok("a")),
}

CALL: dict[str, Callable[[World], object]] = {
    "tok(text)": of(lambda tok: tok("a").input_ids),
    "tok(texts, text_pairs)": of(lambda tok: len(tok(["a"], ["b"]).input_ids) == 1),
    "text_target=": of(lambda tok: tok(["a"], text_target=["b"]).labels == tok(["b"]).input_ids),
    "src_lang=": between_languages(lambda tok: tok("a", src_lang="de_DE").tokens()[-1] == "de_DE"),
    "tgt_lang=": between_languages(lambda tok: tok(text_target="a", tgt_lang="de_DE").tokens()[-1] == "de_DE"),
    "padding=True": without_pad,
    'return_tensors="tf"': lambda world: world.tokenizer()("a", return_tensors="tf"),  # type: ignore[arg-type]
    "is_split_into_words=": lambda world: check(
        tfx_core.load_tokenizer(world.folder())(["[PAD]"], is_split_into_words=False).input_ids
    ),
    "pad_to_max_length=": of(lambda tok: len(tok("a", pad_to_max_length=True, max_length=9).input_ids) == 9),
    "lang=": lambda world: world.tokenizer()("a", lang="fr"),  # type: ignore[call-arg]
    **{f"{name}=": of(called(**options)) for name, options in WITH.items()},
    **{f"{name}=": of(lambda tok, n=name, c=column: c in tok("a", **{n: True})) for name, column in COLUMNS.items()},
    "enc.input_ids": of(lambda tok: tok("a").input_ids),
    'enc["input_ids"]': of(lambda tok: tok("a")["input_ids"]),
    "enc.data": of(lambda tok: tok("a").data == dict(tok("a"))),
    'enc.convert_to_tensors("pt")': of(lambda tok: tok(["a", "b"]).convert_to_tensors("pt").input_ids.shape == (2, 3)),
    "enc.tokens()": of(lambda tok: tok("a").tokens() == ["[CLS]", "a", "[SEP]"]),
    "enc.word_ids(i)": of(lambda tok: tok(["a"]).word_ids(0) == [None, 0, None]),
    "enc.char_to_token(i)": of(lambda tok: tok("ab").char_to_token(1) == 2),
    "enc.to(device)": of(lambda tok: tok("a", return_tensors="pt").to(torch.device("cpu")).input_ids.is_cpu),
    "pickle.dumps(enc)": of(lambda tok: pickle.loads(pickle.dumps(tok("a"))).tokens() == tok("a").tokens()),
}

DEEDS = {
    **{("tokenizer", theirs): deed for theirs, deed in TOKENIZER.items()},
    **{("tokenizer(…)", theirs): deed for theirs, deed in CALL.items()},
}
