"""English words set apart as the Moses scripts do, and put together again."""

import pytest
from tokenizers import Regex, decoders, normalizers

from tfx_core.text.recipes import moses

PUNCTUATION = normalizers.Sequence(moses.as_normalizers(moses.punctuation_steps(moses.ENGLISH)))
WORDS = normalizers.Sequence(moses.as_normalizers(moses.word_steps(moses.ENGLISH, hyphens=True)))
NUMBERS = normalizers.Sequence(moses.as_normalizers(moses.NUMBER_STEPS))
HARD = "\u00a0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\rb", "ab"),
        ("a( b )c", "a (b) c"),
        ("a (b) . (c) x", "a (b). (c) x"),
        ("5 % a %", "5% a %"),
        ("a : b ; c", "a: b; c"),
        ("`a`", "'a'"),
        ("``a''", '" a "'),
        ("„a“ ”b”", '"a" "b"'),
        ("a–b — c—d", "a-b - c - d"),
        ("a’b ‘c’ d´e", "a'b 'c' d'e"),
        ("…", "..."),
        (f"«{HARD}a{HARD}» «b»", '"a" "b"'),
        (f"a{HARD}? b{HARD}! c{HARD}; nº{HARD}5", "a? b! c; nº 5"),
        ('"a", "b".', '"a," "b."'),
        (f"5{HARD}000{HARD}000 1{HARD}2{HARD}3", f"5.000.000 1.2{HARD}3"),
        (f"5{HARD}cm 5{HARD}ºC 5{HARD}%", "5 cm 5 ºC 5%"),
        ("  a   b  ", "a b"),
    ],
)
def test_punctuation_gets_one_form(text: str, expected: str) -> None:
    assert PUNCTUATION.normalize_str(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", "Hello , world !"),
        ("(a) [b] {c} $5 a/b #x", "( a ) [ b ] { c } $ 5 a / b # x"),
        ("well-known self-made -a a- a--b", "well @-@ known self @-@ made -a a- a--b"),
        ("1,000.50 a,b 5,a 5, ,5", "1,000.50 a , b 5 , a 5 , , 5"),
        (
            "don't it's 1990's dogs' 'tis the 'a' 5'5 O'Neil",
            "don 't it 's 1990 's dogs ' ' tis the ' a ' 5 ' 5 O 'Neil",
        ),
        ("The end. New one.", "The end . New one ."),
        ("the end. new one", "the end. new one"),
        ("Mr. Smith, U.S. Army, J. Doe, i.e. Foo", "Mr. Smith , U.S. Army , J. Doe , i.e. Foo"),
        ("No. 5 No. Five Art. 1", "No. 5 No . Five Art. 1"),
        ("a... b.. c....d", "a ... b .. c .... d"),
        ('hello.\' "hi."', 'hello . \' " hi . "'),
        ("3.14 is 3.", "3.14 is 3 ."),
        ("中文 한국 a中b", "中 文 한 국 a 中 b"),
        ("नमस्ते café naïve", "नमस्ते café naïve"),
        ("a\x01b\tc\x1cd\u2003e", "ab c d e"),
        ("", ""),
    ],
)
def test_words_are_set_apart(text: str, expected: str) -> None:
    assert WORDS.normalize_str(text).split() == expected.split()


def test_numbers_are_split_at_their_points_and_commas() -> None:
    assert NUMBERS.normalize_str("1,000.5 a,b 3. ,5 1,2,3") == "1 @,@ 000 @.@ 5 a,b 3. ,5 1 @,@ 2 @,@ 3"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Hello , world !", "Hello, world!"),
        ("( a ) [ b ] $ 5 5 %", "(a) [b] $5 5%"),
        ("well @-@ known", "well-known"),
        ("don 't it 's dogs ' toys", "don't it's dogs' toys"),
        ('he said " hi " and " bye "', 'he said "hi" and "bye"'),
        ("the ' a ' of boss ' x ' y", "the 'a' of boss' x 'y"),
        ("\" ' a ' \" `` b ``", "\"'a'\" ``b``"),
        ("中 文 a 中 b", "中文 a 中 b"),
        ("1 @,@ 000 @.@ 5 .", "1,000.5."),
        ("", ""),
    ],
)
def test_words_are_put_together_again(words: str, expected: str) -> None:
    steps = [*moses.text_steps(), *moses.NUMBER_TEXT_STEPS]
    joined = decoders.Sequence([decoders.Replace(Regex(pattern), content) for pattern, content in steps])
    assert joined.decode([words]) == expected


ELISIONS = moses.Language(frozenset({"M"}), apostrophe="with what precedes", quotation="before stops", thousands=",")
APART = moses.Language()
HANGUL = moses.Language(hangul=True)


def steps_of(steps: list[moses.Step]) -> normalizers.Normalizer:
    return normalizers.Sequence(moses.as_normalizers(steps))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (ELISIONS, f'"a", "b". "c"... x 5{HARD}000', '"a", "b". "c"... x 5,000'),
        (ELISIONS, '"a," "b." "c..." "d."', '"a", "b". "c"... "d."'),
        (ELISIONS, '"a."<x>', '"a."<x>'),
        (ELISIONS, '."."a ."..."a', '".."a ".."..a'),
        (APART, f'"a," "b." 5{HARD}000', '"a," "b." 5.000'),
    ],
)
def test_quotation_marks_and_numbers_differ_by_language(language: moses.Language, text: str, expected: str) -> None:
    assert steps_of(moses.punctuation_steps(language)).normalize_str(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (ELISIONS, "l'eau qu'il 'a' 5's M. X Mr. X", "l' eau qu' il ' a ' 5 ' s M. X Mr . X"),
        (APART, "n'er 'a' 5's M. X", "n ' er ' a ' 5 ' s M . X"),
        (APART, "well-known 한국", "well-known 한 국"),
        (HANGUL, "한국. 中文", "한국 . 中 文"),
    ],
)
def test_apostrophes_abbreviations_and_letters_differ_by_language(
    language: moses.Language, text: str, expected: str
) -> None:
    assert steps_of(moses.word_steps(language)).normalize_str(text).split() == expected.split()


def test_text_from_anywhere_is_made_plain_first() -> None:
    plain = steps_of(moses.corpus_steps(APART)).normalize_str
    assert plain("你好，世界。  「５％」（a：b）") == '你好,世界. "5%" (a:b)'
    assert plain("a\nb\tc\r\nd\x85e") == "a b c d e"  # lines are of one text, words stay apart
    assert plain("a\u200db\x00c\ue000d\xade") == "abcde"


def test_a_word_is_no_regular_expression() -> None:
    language = moses.Language(frozenset({"a|b", "c+"}), frozenset({"n(o"}))
    words = steps_of(moses.word_steps(language)).normalize_str
    assert words("a. X").split() == ["a", ".", "X"]
