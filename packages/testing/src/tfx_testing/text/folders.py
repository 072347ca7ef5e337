"""Whatever wrote a folder, and however it is read: the tokenizer is its family's."""

import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models
from tokenizers.models import Model

import tfx_core
from tfx_core.model import load_architecture
from tfx_core.plugins import registry
from tfx_core.text import Tokenizer
from tfx_testing.checks import each
from tfx_testing.released import columns, released, saved
from tfx_testing.text.base import TEXTS, FileChecks
from tfx_testing.vocabularies import write

OF_THE_MODEL = ("model_input_names", "padding_side", "pad_token_type_id", "question_first")
"""What a model asks of its tokenizer, whatever class a folder names."""

OURS = "this library"
ROLES = ("bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token")
ANY_KIND = (
    models.BPE({"[UNK]": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")], unk_token="[UNK]"),
    models.Unigram([("[UNK]", 0.0), ("a", -1.0), ("b", -2.0), ("ab", -1.5)], unk_id=0),
    models.WordLevel({"[UNK]": 0, "ab": 1}, unk_token="[UNK]"),
    models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"),
)


def writers(cls: type[FileChecks]) -> Sequence[str]:
    """Who wrote folders of these files."""
    return [*cls.written] or [OURS]


def single_file(cls: type[FileChecks]) -> Sequence[str]:
    """The file that has all of a tokenizer, where there can be one."""
    return ["tokenizer.json"] if cls.case.tokenizer_json else []


class FolderChecks(FileChecks):
    """Folders of a tokenizer."""

    @each(writer=writers)
    def test_a_folder_of_any_version_is_its_family_s(self, writer: str, tmp_path: Path) -> None:
        """A folder that was saved is read as the released files are, without a warning, whoever wrote its settings.

        Where it is not: the recipe sets something that ``tokenizer.json`` does not keep, a key of
        ``tokenizer_config.json`` is read in another way than the recipe's default, or the class that its facts write
        there is not among the ``tokenizer_classes`` of the architecture's spec.
        """
        original = tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))
        folder = saved(original, tmp_path / "folder", self.case)
        settings = self.written.get(writer, {})
        if settings:
            (folder / "special_tokens_map.json").unlink()
            write(folder, {"tokenizer_config.json": settings})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tokenizer = tfx_core.load_tokenizer(folder)
        agree_on_the_model(tokenizer, original, f"the folder that {writer} wrote")
        stated = settings.get("extra_special_tokens", ())
        assert {*tokenizer.all_special_tokens} == {*original.all_special_tokens, *stated}
        assert len(tokenizer) == len(original)
        for text in TEXTS:
            assert columns(tokenizer, text) == columns(original, text), f"the text {text!r} is read in another way"

    def test_a_tokenizer_is_pickled(self, tmp_path: Path) -> None:
        """A tokenizer goes to another process, by pickle, and reads texts there as here.

        Where it does not: a part in Python is a lambda, or a function within another; write it at the top of a module.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path))
        again = pickle.loads(pickle.dumps(tokenizer))
        assert columns(again, *TEXTS) == columns(tokenizer, *TEXTS)

    @each(file=single_file)
    def test_a_class_of_another_family_changes_nothing_that_the_model_takes(self, file: str, tmp_path: Path) -> None:
        """A folder that names another family's class is read by what the model needs, with a warning.

        Where it is not: another plugin claims a class of this family in its ``tokenizer_classes``, or this
        architecture's spec leaves one of its own out.
        """
        original = tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))
        folder = saved(original, tmp_path / "folder", self.case)
        assert (folder / file).exists(), f"{file} was not saved: its case needs ArchitectureCase(tokenizer_json=False)"
        model_type = self.case.model_type
        classes = {spec.name: {*spec.tokenizer_classes} for spec in registry.architectures()}
        for other in ("BertJapaneseTokenizer", *sorted(set().union(*classes.values()) - classes[model_type])):
            write(folder, {"tokenizer_config.json": {"tokenizer_class": other}})
            said = f"class '{other.removesuffix('Fast')}' is none of model_type '{model_type}'"
            with pytest.warns(UserWarning, match=said):
                tokenizer = tfx_core.load_tokenizer(folder)
            agree_on_the_model(tokenizer, original, f"a folder with the class {other}")

    @pytest.mark.parametrize("model", ANY_KIND, ids=lambda model: type(model).__name__)
    def test_a_tokenizer_json_of_any_model_is_saved_without_files_of_another(
        self, model: Model, tmp_path: Path
    ) -> None:
        """A ``tokenizer.json`` of any kind is read, and beside it no file of another kind is written.

        Where it is not: the recipe's ``legacy_files`` writes them without asking what the tokenizer is made of.
        """
        named: dict[str, object] = {"config.json": {"model_type": self.case.model_type}}
        folder = write(tmp_path / "folder", named)
        Backend(model).save(str(folder / "tokenizer.json"))
        tokenizer = tfx_core.load_tokenizer(folder)
        written = {Path(path).name for path in tokenizer.save_pretrained(tmp_path / "saved")}
        again = tfx_core.load_tokenizer(write(tmp_path / "saved", named))
        assert columns(again, "ab") == columns(tokenizer, "ab")
        kind = type(model).__name__
        theirs = {"BPE": {"vocab.json", "merges.txt"}, "WordPiece": {"vocab.txt"}, "WordLevel": {"vocab.txt"}}
        others = ({"vocab.json", "merges.txt", "vocab.txt"} & written) - theirs.get(kind, set())
        assert not others, f"beside the tokenizer.json of a {kind} these were written: {sorted(others)}"

    @pytest.mark.parametrize("token", ["<new>", "$$$", "$A", "a:b"])
    def test_a_token_that_a_folder_declares_and_the_vocabulary_lacks_is_added(self, token: str, tmp_path: Path) -> None:
        """A special token that ``tokenizer_config.json`` names gets an id of its own, and stands where its role
        puts it.

        Where it does not: the recipe looks a token up in the vocabulary before the declared ones are added, or writes
        it into a template without quoting.
        """
        size = len(tfx_core.load_tokenizer(released(self.case, tmp_path)))
        recipe = load_architecture(self.case.model_type).text
        options = {"add_bos_token": True} if recipe is not None and "add_bos_token" in recipe.options else {}
        for role in ROLES:
            tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path, **{role: token}, **options))
            found = getattr(tokenizer, role), getattr(tokenizer, f"{role}_id")
            assert found == (token, size), f"{role}={token!r} of {size} tokens is {found}"
            assert tokenizer(f"hello {token}", add_special_tokens=False).input_ids[-1] == size, f"{role}: not in a text"
            if options and role == "bos_token":
                assert tokenizer("hello").input_ids[0] == size, "a text does not begin with it"
            again = tfx_core.load_tokenizer(saved(tokenizer, tmp_path / role, self.case))
            for text in TEXTS:
                assert columns(again, text) == columns(tokenizer, text), (
                    f"{role}: after a save {text!r} reads otherwise"
                )

    def test_long_runs_of_a_sign_are_read_once(self, tmp_path: Path) -> None:
        """Time grows with the length of a text, also of one that is a single sign 50,000 times.

        Where it does not, this check takes minutes: a regular expression goes back to each sign of the run, or a loop
        copies the text for each.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path))
        for run in (".", "a.", "!.", "\xa0", " ", "▁", "'", "e\u0301"):
            ids = tokenizer(f"a{run * 50_000}b", truncation=True, max_length=9).input_ids
            assert ids, f"nothing was read of a run of {run!r}"


def agree_on_the_model(tokenizer: Tokenizer, original: Tokenizer, what: str) -> None:
    """Fail unless two tokenizers give a model the same columns, padded on the same side."""
    for fact in OF_THE_MODEL:
        found, expected = getattr(tokenizer, fact), getattr(original, fact)
        assert found == expected, f"{fact} of {what} is {found!r}; of the released files it is {expected!r}"
