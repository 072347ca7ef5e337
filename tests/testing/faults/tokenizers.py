"""Recipes of a tokenizer that are wrong in one way each."""

from collections.abc import Callable
from dataclasses import replace

from tokenizers import Tokenizer

from tests.testing.faults import Fault, broken
from tfx_core import ArchitectureSpec, hookimpl
from tfx_core.text import Recipe, Settings, TextFacts
from tfx_core.text.recipes import wordpiece_recipe
from tfx_testing import ArchitectureCase, Checks, TokenizerChecks, toy
from tfx_testing.vocabularies import Files, word_pieces

ROLES = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
FACTS = TextFacts(
    "ToyTokenizer", special_tokens=ROLES, model_input_names=("input_ids", "token_type_ids", "attention_mask")
)
SOUND = wordpiece_recipe(FACTS)


def a_vocabulary(tokenizer: Tokenizer, settings: Settings) -> dict[str, bytes]:
    """Writes one, of whatever kind the tokenizer is."""
    return {"vocab.txt": "\n".join(tokenizer.get_vocab()).encode()}


RECIPES: dict[str, Recipe] = {
    "sound": SOUND,
    "a lambda": replace(SOUND, build=lambda folder, settings: SOUND.build(folder, settings)),
    "a vocabulary": replace(SOUND, legacy_files=a_vocabulary),
}


def files() -> Files:
    """Word pieces."""
    return word_pieces([*ROLES.values()])


def checks_of(recipe: str, claimed: tuple[str, ...] = ("ToyTokenizer",)) -> Callable[[], type[Checks]]:
    """A test class of the toy with this recipe."""
    name = f"READER_WITH_{recipe.replace(' ', '_').upper()}"
    config = type("Config", (toy.ToyConfig,), {"model_type": "toy-reader"})
    globals()[name] = replace(toy.ARCHITECTURE, config=config, text=RECIPES[recipe])

    class Plugin:
        @hookimpl
        def tfx_architectures(self) -> list[ArchitectureSpec]:
            target = f"{__name__}:{name}"
            known = {"heads": tuple(toy.ARCHITECTURE.heads), "capabilities": tuple(toy.ARCHITECTURE.capabilities)}
            return [ArchitectureSpec("toy-reader", target=target, tokenizer_classes=claimed, **known)]

    tiny = {"vocab_size": 120, "hidden_size": 8, "max_position_embeddings": 40}
    return broken(TokenizerChecks, Plugin(), case=ArchitectureCase("toy-reader", tiny, released=files))


FAULTS: dict[str, Fault] = {
    "writes a class that its spec does not name": Fault(
        checks_of("sound", claimed=()), "test_a_folder_of_any_version_is_its_family_s", "class 'ToyTokenizer' is "
    ),
    "has a lambda": Fault(checks_of("a lambda"), "test_a_tokenizer_is_pickled", "[Pp]ickl.*lambda"),
    "writes a vocabulary of any kind": Fault(
        checks_of("a vocabulary"),
        "test_a_tokenizer_json_of_any_model_is_saved_without_files_of_another",
        r"beside the tokenizer.json of a BPE these were written: \['vocab.txt'\]",
    ),
}
