"""The translation example reads real catalogues as gettext does, lets no near-duplicate across its split, and runs."""

import gettext
import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from examples.translate_catalogues.catalogues import CatalogueError, cleaned, files, pairs, read_mo, read_po
from examples.translate_catalogues.near_duplicates import (
    NEAR,
    TranslationMemory,
    grams,
    simplified,
    split,
    together,
)
from examples.translate_catalogues.pieces import (
    END,
    UNKNOWN,
    pieces,
    saved,
    saved_marian,
    sentencepiece_model,
    trained,
)
from tfx_core.text.sentencepiece_model import Algorithm, read_sentencepiece

EXAMPLE = Path(__file__).parents[2] / "examples" / "translate_catalogues"

HEADER = "Content-Type: text/plain; charset=UTF-8\n"
ENTRIES = {
    "": HEADER,
    "Open": "Öffnen",
    "menu\x04Open": "Aufmachen",
    "%d file\0%d files": "%d Datei\0%d Dateien",
    "Untranslated": "",
}
PO = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

# a remark
#: here.c:3
#, c-format
msgid "%d file\n"
msgid_plural "%d files\n"
msgstr[0] "%d Datei\n"
msgstr[1] "%d Dateien\n"

msgctxt "menu"
msgid "Say \"hi\"\t\303\244"
msgstr ""
"Sag "
"\"hallo\""
#, fuzzy
#| msgid "Old"
msgid "New"
msgstr "Alt"

msgid "No blank line"
msgstr "Keine Leerzeile"
msgid "before the next"
msgstr "vor der nächsten"

msgid "Untranslated"
msgstr ""

#~ msgid "Obsolete"
#~ msgstr "Veraltet"
"""


def mo(entries: dict[str, str], order: str = "<", charset: str = "utf-8") -> bytes:
    """A compiled catalogue, laid out as the manual says."""
    texts = [(source.encode(charset), target.encode(charset)) for source, target in sorted(entries.items())]
    place, tables, strings = 28 + 16 * len(texts), [], b""
    for side in (0, 1):
        for pair in texts:
            tables.append(struct.pack(order + "2I", len(pair[side]), place + len(strings)))
            strings += pair[side] + b"\0"
    head = struct.pack(order + "7I", 0x950412DE, 0, len(texts), 28, 28 + 8 * len(texts), 0, 0)
    return head + b"".join(tables) + strings


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_compiled_catalogue_is_read_without_contexts_and_with_the_first_plural(order: str) -> None:
    content = mo(ENTRIES, order)
    assert gettext.GNUTranslations(io.BytesIO(content)).gettext("Open") == "Öffnen"  # Python takes it for one
    assert list(read_mo(content, "x.mo")) == [("%d file", "%d Datei"), ("Open", "Öffnen"), ("Open", "Aufmachen")]


def test_a_catalogue_is_decoded_as_its_header_says() -> None:
    content = mo({"": "Content-Type: text/plain; charset=ISO-8859-1\n", "Open": "Öffnen"}, charset="latin-1")
    assert list(read_mo(content, "x.mo")) == [("Open", "Öffnen")]
    text = PO.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert ("before the next", "vor der nächsten") in list(read_po(text, "x.po"))


def test_a_text_catalogue_is_read_without_fuzzy_obsolete_and_untranslated_entries() -> None:
    assert list(read_po(PO.encode(), "x.po")) == [
        ("%d file\n", "%d Datei\n"),
        ('Say "hi"\t\xc3\xa4', 'Sag "hallo"'),
        ("No blank line", "Keine Leerzeile"),
        ("before the next", "vor der nächsten"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.mo", b"", "x.mo: begins with nothing"),
        ("x.mo", b"PK\x03\x04 more", "x.mo: begins with 504b0304, not as a .mo file does"),
        ("x.mo", mo(ENTRIES)[:18], "x.mo: ends in the middle of its tables, at byte 18"),
        ("x.mo", mo(ENTRIES)[:-20], r"x.mo: a string ends at byte \d+, the file at \d+"),
        ("x.mo", mo({**ENTRIES, "": HEADER.replace("UTF-8", "UTF-9")}), "the character set 'UTF-9', which is not"),
        ("x.mo", mo({"": HEADER, "a": "ä"}, charset="latin-1"), "x.mo: not UTF-8, as its header says"),
        ("x.po", b'msgid "a"\nmsgstr b\n', "x.po:2: 'msgstr b' is neither a keyword"),
        ("x.po", b'msgid "a\n', "x.po:1: 'msgid \"a' is neither a keyword"),
        ("x.po", b'"a"\n', "x.po:1: '\"a\"' is neither"),
        ("x.txt", b"", "x.txt: must be a .mo or .po file"),
    ],
)
def test_a_broken_file_is_named_with_the_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CatalogueError, match=said):
        pairs([tmp_path / name])


def test_folders_are_searched_and_one_without_catalogues_is_an_error(tmp_path: Path) -> None:
    below = tmp_path / "de" / "LC_MESSAGES"
    below.mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (below / "a.mo").write_bytes(mo({"": HEADER, "_Open": "Ö_ffnen", "100 %": "100 %"}))
    (below / "b.po").write_text(
        'msgid "Open"\nmsgstr "Öffnen"\n\nmsgid "Close"\nmsgstr "Schließen"\n', encoding="utf-8"
    )
    assert files([tmp_path, below / "a.mo"]) == [below / "a.mo", below / "b.po"]
    assert pairs([tmp_path]) == [("Open", "Öffnen"), ("Close", "Schließen")]  # each once; no letter, no string
    for absent in (tmp_path / "empty", tmp_path / "none.mo"):
        with pytest.raises(CatalogueError, match=absent.name):
            pairs([absent])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (("_Save As…", "Speichern _unter…"), ("Save As…", "Speichern unter…")),
        (("E_xit", "Be_enden"), ("Exit", "Beenden")),
        (("~Close & Return", "~Schließen & zurück"), ("Close & Return", "Schließen & zurück")),
        (("&File", "&Datei"), ("File", "Datei")),
        (("N_ame:", "N_ame:"), ("Name:", "Name:")),
        (("Open", "開く(_O)"), ("Open", "開く")),
        (("The file my_name is", "Die Datei my_name ist"), ("The file my_name is", "Die Datei my_name ist")),
        (("Set %FILE_NAME", "%FILE_NAME setzen"), ("Set %FILE_NAME", "%FILE_NAME setzen")),
        (("a &amp; b", "a &amp; b"), ("a &amp; b", "a &amp; b")),
        (("<b>Bold</b>\n text", " <b>Fett</b>  Text"), ("<b>Bold</b> text", "<b>Fett</b> Text")),
    ],
)
def test_marks_of_accelerators_go_and_names_and_markup_stay(given: tuple[str, str], wanted: tuple[str, str]) -> None:
    assert cleaned(*given) == wanted


# -- splitting ---------------------------------------------------------------------------------------------------------

NOUNS = [f"{first}{second}" for first in ("bal", "cor", "dim", "fen", "gul") for second in ("ado", "eki", "ilu", "ora")]
VERBS = ["Zoxuve", "Wyqira", "Hjatle", "Kmopny"]
PAIRS = [
    (text, text.upper())
    for verb in VERBS
    for noun in NOUNS
    for text in (f"{verb} {noun}", f"{verb.lower()} {noun}…", f"{verb} {noun} 1", f"{verb} {noun} 22!")
]


def test_what_differs_in_case_punctuation_and_numbers_is_the_same_string() -> None:
    assert simplified("_Open 12 Files…") == simplified("open 7 files") == "open 0 files"


def test_no_near_duplicate_crosses_the_split() -> None:
    training, watched, measured = split(PAIRS, held_out=8)
    assert (len(watched), len(measured)) == (4, 8)
    known = [grams(source) for source, _ in training]
    for apart, others in ((measured, known + [grams(source) for source, _ in watched]), (watched, known)):
        for source, _ in apart:
            mine = grams(source)
            assert all(len(mine & other) < NEAR * len(mine | other) for other in others)
    assert split(PAIRS, held_out=8) == (training, watched, measured)


def test_too_few_strings_to_hold_any_out_are_an_error() -> None:
    with pytest.raises(ValueError, match="too few to hold out 750 of them"):
        split(PAIRS, held_out=500)


def test_a_split_takes_whatever_stands_for_a_source() -> None:
    several = [(source, {"deu": target, "fra": target.lower()}) for source, target in PAIRS]
    for ours, theirs in zip(split(several, held_out=8), split(PAIRS, held_out=8), strict=True):
        assert [source for source, _ in ours] == [source for source, _ in theirs]


def test_the_memory_gives_the_target_of_the_most_similar_source() -> None:
    memory = TranslationMemory([("Open the file", "a"), ("Open the window", "b"), ("Close", "c")])
    found = [memory.nearest(text)[0] for text in ("open a file!", "The windows", "Closed", "xyz")]
    assert found == ["a", "b", "c", "xyz"]


def test_the_memory_says_how_alike_the_sources_are() -> None:
    memory = TranslationMemory([("abc", "x"), ("Close", "y")])
    assert memory.nearest("ABC!") == ("x", 1.0)
    assert memory.nearest("abd") == ("x", 1 / 5)  # " ab" of " ab", "abc", "bc ", "abd" and "bd "
    assert memory.nearest("xyz") == ("xyz", 0.0)


def test_the_memory_is_read_back_with_its_likeness(tmp_path: Path) -> None:
    TranslationMemory([("Open", "Öffnen\u2028"), ("Close", "Schließen")]).write(tmp_path / "memory.jsonl", 0.55)
    memory, likeness = TranslationMemory.read(tmp_path / "memory.jsonl")
    assert likeness == 0.55
    assert [memory.nearest(text)[0] for text in ("open", "close")] == ["Öffnen\u2028", "Schließen"]


def test_the_memory_answers_from_a_likeness_on_and_the_model_elsewhere() -> None:
    remembered = [("memory 1", 0.5), ("memory 2", 0.49), ("memory 3", 1.0)]
    answers = ["model 1", "model 2", "model 3"]
    assert together(remembered, answers, 0.5) == ["memory 1", "model 2", "memory 3"]


# -- the vocabulary ----------------------------------------------------------------------------------------------------


def test_the_vocabulary_is_read_back_and_spells_texts_as_they_are(tmp_path: Path) -> None:
    texts = ["Open the file…", "Die Datei öffnen (12 von 345)", "<b>Fett</b> %1 & mehr"] * 3
    backend = trained(texts, 120)
    tokenizer = saved(backend, tmp_path, 64)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer.model_max_length == 64
    ids = tokenizer(texts)["input_ids"]
    assert ids == [each.ids for each in backend.encode_batch(texts)]
    assert all(row[-1] == 1 for row in ids)
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == texts


SIDES = (["Open the file…", "(12 of 345)"] * 3, ["Die Datei öffnen…", "Ouvrir le fichier", "(12 von 345)"] * 3)


def test_byte_pairs_are_written_as_a_sentencepiece_model() -> None:
    written = pieces(trained(SIDES[0], 80, (END, UNKNOWN)))
    read = read_sentencepiece(sentencepiece_model(written), "source.spm")
    assert [piece.text for piece in read.pieces] == written
    assert (read.algorithm, read.unk_id) == (Algorithm.BPE, written.index(UNKNOWN))


def test_a_marian_folder_cuts_each_side_with_its_own_pieces(tmp_path: Path) -> None:
    source, target = (trained(texts, 80, (END, UNKNOWN)) for texts in SIDES)
    tokenizer = saved_marian(source, target, ["deu", "fra"], tmp_path, 64)
    assert list(tokenizer.languages) == ["deu", "fra"]
    batch = tokenizer(SIDES[0], text_target=SIDES[1][: len(SIDES[0])], tgt_lang="fra")
    french = tokenizer.convert_tokens_to_ids(">>fra<<")
    assert batch["input_ids"] == [[french, *source.encode(text).ids, 0] for text in SIDES[0]]
    labels = tokenizer(text_target=SIDES[1])["input_ids"]
    assert tokenizer.batch_decode(labels, skip_special_tokens=True) == SIDES[1]
    assert max(map(max, labels)) < french == len(tokenizer) - 2


# -- running it --------------------------------------------------------------------------------------------------------

MEASURED = """
class Score:
    def __init__(self, score):
        self.score = score
def corpus_bleu(answers, references):
    assert len(answers) == len(references[0])
    return Score(100.0 if answers == references[0] else 50.0)
corpus_chrf = corpus_bleu
"""
"""In the place of sacrebleu."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with catalogues of two languages, and something in the place of sacrebleu."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "sacrebleu.py").write_text(MEASURED)
    (folder / "german.mo").write_bytes(mo({"": HEADER, **dict(PAIRS)}))
    (folder / "french.mo").write_bytes(mo({"": HEADER, **{source: source[::-1] for source, _ in PAIRS}}))
    return folder


def run(data: Path, script: str, *arguments: object) -> str:
    return python(data, str(EXAMPLE / script), *map(str, arguments))


def python(data: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(data), str(EXAMPLE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, encoding="utf-8", env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SMALL = ("--steps", 12, "--held-out", 8, "--layers", 1, "--width", 32)


CHOICE = """
from near_duplicates import TranslationMemory
from train import chosen_likeness
memory = TranslationMemory([("abcdef", "A"), ("uvwxyz", "Z")])  # the watched ones are 0.5 and 0.33 alike
watched = [("abcdeg", "A"), ("uvwxab", "m")]
print([chosen_likeness(memory, answers, watched) for answers in (["m", "m"], ["A", "m"], ["m", "n"])])
"""


def test_the_likeness_is_the_one_that_is_best_for_the_watched_strings(data: Path) -> None:
    assert python(data, "-c", CHOICE) == "[0.5, 0.6, 0.6]\n"


def test_a_t5_is_trained_measured_and_translates_with_its_memory(data: Path, tmp_path: Path) -> None:
    said = run(data, "train.py", tmp_path / "t5", data / "german.mo", *SMALL)
    assert "8 to measure; no near-duplicates between them" in said
    assert "100%  epoch" in said
    for name in ("the source, copied", "translation memory", "the model", "the model and the memory"):
        assert f"{name:24}  BLEU  50.0  chrF  50.0" in said
    assert "the memory answers from a likeness of 0.60 on" in said
    memory, _ = TranslationMemory.read(tmp_path / "t5" / "memory.jsonl")
    assert (tmp_path / "t5" / "memory.jsonl").read_text(encoding="utf-8").startswith('{"likeness": 0.6}\n')
    known = next(source for source, target in PAIRS if memory.nearest(source) == (target, 1.0))
    answers = run(data, "translate.py", tmp_path / "t5", "Wyqira", known).splitlines()
    assert len(answers) == 2
    assert answers[1] == known.upper()


def test_a_marian_is_trained_and_measured_in_both_languages(data: Path, tmp_path: Path) -> None:
    languages = [f"deu={data / 'german.mo'}", f"fra={data / 'french.mo'}"]
    said = run(data, "two_directions.py", tmp_path / "marian", *languages, *SMALL)
    for language in ("deu", "fra"):
        assert f"{language}: the model".ljust(24) + "  BLEU  50.0  chrF  50.0" in said
        assert f"--tgt-lang {language}" in said
    config = json.loads((tmp_path / "marian" / "config.json").read_text(encoding="utf-8"))
    vocabulary = json.loads((tmp_path / "marian" / "vocab.json").read_text(encoding="utf-8"))
    assert config["pad_token_id"] == config["decoder_start_token_id"] == vocabulary["<pad>"] == config["vocab_size"] - 1
