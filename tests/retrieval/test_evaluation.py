"""Questions with known answers, the measures of trec_eval over them, and runs in its format."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.retrieval.test_commands import FACTS, run
from tfx_core.embedding.passage_index import Passage
from tfx_core.errors import InputError
from tfx_retrieval.evaluation import MEASURES, Question, judged_by, measure, read_judgements, read_questions, write_run
from tfx_retrieval.evaluation import run as run_of
from tfx_retrieval.hits import Hit


def hits(*names: str, scores: Sequence[float] | None = None) -> list[Hit]:
    values = scores or [1.0] * len(names)
    return [
        Hit(rank, score, rank, Passage("", "", name))
        for rank, (name, score) in enumerate(zip(names, values, strict=True), 1)
    ]


def written(folder: Path, *lines: object) -> Path:
    path = folder / "lines"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_measures_are_those_of_trec_eval_by_rank() -> None:
    judgements = {"1": {"a": 1, "b": 1, "z": 0}, "2": {"c": 2}, "3": {"z": 0}}
    found = measure({"1": hits("z", "a", "y", "b"), "2": hits("c"), "3": hits("a"), "4": []}, judgements)
    # of question 1: a at rank 2 and b at rank 4; question 2 is perfect; 3 and 4 have nothing relevant
    ideal = 1 + 1 / 1.584963
    assert found["nDCG@10"] == pytest.approx(((1 / 1.584963 + 1 / 2.321928) / ideal + 1) / 2, rel=1e-5)
    assert found["MRR"] == pytest.approx((1 / 2 + 1) / 2)
    assert (found["recall@5"], found["success@1"], found["success@5"]) == (1, 0.5, 1)
    assert list(found) == list(MEASURES)


def test_a_question_that_finds_nothing_counts() -> None:
    assert measure({"1": hits("a"), "2": []}, {"1": {"a": 1}, "2": {"a": 1}})["MRR"] == 0.5


def test_without_anything_relevant_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="nothing is relevant to any question"):
        measure({"1": hits("a")}, {"1": {"a": 0}, "9": {"a": 1}})
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    with pytest.raises(InputError, match=r"pip install 'tfx-retrieval\[evaluation\]'"):
        measure({"1": hits("a")}, {"1": {"a": 1}})


def test_questions_of_json_and_of_tabs(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "Who?", "topics": ["a", "b"]}, "", "q7\tWhat for?\r", {
        "id": 3, "question": "Why?", "ids": ["c"], "evidence": ["…"],
    })  # fmt: skip
    assert read_questions(path) == [
        Question("1", "Who?", frozenset("ab")),
        Question("q7", "What for?"),
        Question("3", "Why?", ids=frozenset("c")),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("What?", "line 2 is neither an object of JSON nor an id, a tab and a question"),
        ("\tWhat?", "line 2 is neither"),
        ("{", "line 2"),
        ({"question": " "}, "line 2: 'question' is ' ', no text"),
        ({"question": "a", "topics": "b"}, "line 2: 'topics' is 'b', no list of strings"),
        ({"question": "a", "ids": [1]}, "line 2: 'ids' is"),
        ({"question": "a", "id": [1]}, "line 2: 'id' is"),
        ({"question": "a", "id": "one"}, "2 questions have the id 'one'"),
    ],
)
def test_lines_that_are_no_questions(tmp_path: Path, line: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_questions(written(tmp_path, {"question": "a", "id": "one"}, line))


def test_files_without_questions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no question in it"):
        read_questions(written(tmp_path, ""))
    (tmp_path / "lines").write_bytes(b"\xff")
    with pytest.raises(InputError, match="lines: cannot be read: 'utf-8'"):
        read_questions(tmp_path / "lines")


def test_qrels(tmp_path: Path) -> None:
    path = written(tmp_path, "q1 0 a 1", "q1\t0\tb\t0", "q2 Q0 a 2")
    assert read_judgements(path) == {"q1": {"a": 1, "b": 0}, "q2": {"a": 2}}
    for line in ("q1 0 a", "q1 0 a yes", "q1 0 a 1 1", "q1 0 a 1.5"):
        with pytest.raises(InputError, match="line 1 is not question, iteration, passage and a whole number"):
            read_judgements(written(tmp_path, line))


def test_topics_and_ids_say_what_is_right() -> None:
    passages = enumerate([Passage("", "a", "a 1"), Passage("", "a"), Passage("", "b", "x%"), Passage("", "c", "c")])
    questions = [Question("1", "?", frozenset("a")), Question("2", "?", frozenset("b"), frozenset("c"))]
    assert judged_by(questions, passages) == {"1": {"a%201": 1, "row-1": 1}, "2": {"x%25": 1, "c": 1}}


def test_a_run_keeps_the_order_where_scores_are_equal(tmp_path: Path) -> None:
    write_run({"q 1": hits("a b", "", "c", scores=[1.5, 1.5, 0.5]), "2": []}, tmp_path / "run")
    lines = [line.split() for line in (tmp_path / "run").read_text().splitlines()]
    assert [line[:4] for line in lines] == [
        ["q%201", "Q0", "a%20b", "1"], ["q%201", "Q0", "row-2", "2"], ["q%201", "Q0", "c", "3"],
    ]  # fmt: skip
    scores = [float(line[4]) for line in lines]
    assert scores[0] == 1.5 > scores[1] > scores[2] == 0.5
    assert {line[5] for line in lines} == {"tfx"}


def test_any_search_is_run() -> None:
    class Fixed:
        def search(self, questions, k=5, *, where=None):
            return [hits(question) for question in questions]

    assert run_of(Fixed(), [Question("1", "a"), Question("2", "b")]) == {"1": hits("a"), "2": hits("b")}


@pytest.fixture
def lexical(tmp_path: Path, tiny_bert: Path) -> Path:
    """An index of the facts, with their words."""
    facts = tmp_path / "facts.jsonl"
    facts.write_text("\n".join(map(json.dumps, FACTS)))
    build = ("index", "build", "--model", tiny_bert, "--source", facts, "--output", tmp_path / "index", "--lexical")
    assert run(*build).output.endswith("built, 3 passages\n")
    assert run(*build).output.endswith("up to date, 3 passages\n")
    return tmp_path / "index"


def test_words_find_without_a_model(lexical: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.embedding.load_encoder", None)
    found = run("index", "search", lexical, "Who SAILS?", "zebra", "--lexical-only", "--json")
    first, second = (json.loads(line)["hits"] for line in found.output.splitlines())
    assert [(hit["rank"], hit["id"]) for hit in first] == [(1, "boat")]
    assert second == []


def test_vectors_and_words_find_together(lexical: Path) -> None:
    found = run("index", "search", lexical, "the sea", "--hybrid", "--json", "-k", 3)
    found_ids = [hit["id"] for hit in json.loads(found.output)["hits"]]
    assert sorted(found_ids) == ["boat", "bread", "cat"]
    varied = run("index", "search", lexical, "the sea", "--hybrid", "--diverse", 0.3, "--json", "-k", 3)
    hits = json.loads(varied.output)["hits"]
    assert (hits[0]["id"], sorted(hit["id"] for hit in hits)) == (found_ids[0], sorted(found_ids))


def test_searches_that_an_index_does_not_have(lexical: Path, tmp_path: Path, tiny_bert: Path) -> None:
    both = run("index", "search", lexical, "the sea", "--hybrid", "--lexical-only")
    assert (both.exit_code, "contradict each other" in both.output) == (2, True)
    build = ("index", "build", "-m", tiny_bert, "-s", tmp_path / "facts.jsonl", "-o", tmp_path / "index")
    assert run(*build).output.endswith("built, 3 passages\n")
    for way in ("--hybrid", "--lexical-only"):
        refused = run("index", "search", lexical, "the sea", way)
        assert (refused.exit_code, "build it with lexical=True (--lexical)" in refused.output) == (1, True)


def test_every_way_is_measured(lexical: Path, tmp_path: Path) -> None:
    questions = written(tmp_path, {"question": "boat", "topics": ["travel"]}, {"question": "x", "topics": ["gone"]})
    table = run("index", "evaluate", lexical, "--questions", questions)
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["nDCG@10", "vectors", "words", "hybrid"]
    assert "1 questions; 1 without a right passage in the index are left out" in table.stderr
    measured = json.loads(run("index", "evaluate", lexical, "--questions", questions, "--json").stdout)
    assert (measured["questions"], measured["left_out"]) == (1, 1)
    assert measured["measures"]["words"]["MRR"] == 1


def test_runs_and_qrels(lexical: Path, tmp_path: Path) -> None:
    questions = written(tmp_path, "q1\tthe boat")
    qrels = tmp_path / "qrels"
    qrels.write_text("q1 0 boat 1\n")
    evaluate = ("index", "evaluate", lexical, "-q", questions, "--qrels", qrels, "--run-out", tmp_path / "run")
    refused = run(*evaluate)
    assert (refused.exit_code, "--run-out takes one search" in refused.output) == (2, True)
    assert run(*evaluate, "--lexical-only", "--json").exit_code == 0
    assert (tmp_path / "run").read_text().splitlines()[0].split()[:4] == ["q1", "Q0", "boat", "1"]


def test_words_are_narrowed(lexical: Path, tmp_path: Path, tiny_bert: Path) -> None:
    from tfx_core.embedding import load_encoder
    from tfx_retrieval import build_index

    passages = [Passage("the cat", metadata={"year": year}) for year in (2000, 2001, 2002)]
    index = build_index(passages, load_encoder(tiny_bert), tmp_path / "narrowed", lexical=True)
    for search in (index.by_words, index.hybrid()):
        assert [hit.row for hit in search.search(["cat"], where={"year": {"above": 2000}})[0]] == [1, 2]
    with pytest.raises(InputError, match="field 'colour'"):
        index.by_words.search(["cat"], where={"colour": "red"})


def test_an_index_in_milvus(tmp_path: Path, tiny_bert: Path) -> None:
    facts = tmp_path / "facts.jsonl"
    facts.write_text("\n".join(map(json.dumps, FACTS)))
    options = ("--index", "milvus", "--index-option", f"uri={tmp_path / 'facts.db'}", "--index-option", "collection=a")
    build = ("index", "build", "-m", tiny_bert, "-s", facts, "-o", tmp_path / "index", *options)
    assert run(*build).output.endswith("built, 3 passages\n")
    assert run(*build).output.endswith("up to date, 3 passages\n")
    found = run("index", "search", tmp_path / "index", "travel: a boat sails on the sea", "--json", "-k", 9)
    hits = json.loads(found.output)["hits"]
    assert (hits[0]["id"], len(hits)) == ("boat", 3)
    refused = run(*build, "--lexical")
    assert (refused.exit_code, "milvus keeps them itself" in refused.output) == (1, True)
    refused = run(*build, "--index-option", "token=secret")
    assert (refused.exit_code, "set MILVUS_TOKEN" in refused.output) == (1, True)
    questions = written(tmp_path, {"question": "boat", "topics": ["travel"]})
    refused = run("index", "evaluate", tmp_path / "index", "-q", questions)
    assert (refused.exit_code, "say what is right in a qrels file" in refused.output) == (1, True)


def test_words_follow_the_changes_of_an_index(tmp_path: Path, tiny_bert: Path) -> None:
    from tfx_core.embedding import load_encoder
    from tfx_retrieval import build_index

    encoder = load_encoder(tiny_bert)
    index = build_index([Passage(f"the cat {n}", id=str(n)) for n in range(3)], encoder, tmp_path / "a", lexical=True)
    index.add([Passage("a boat and a cat", id="3"), Passage("bread", id="4")])
    index.delete(["1"])
    found = [[hit.passage.id for hit in hits] for hits in index.by_words.search(["cat", "bread boat"], 9)]
    assert (sorted(found[0]), sorted(found[1])) == (["0", "2", "3"], ["3", "4"])
    index.compact()
    anew = build_index([*index.passages(range(4))], encoder, tmp_path / "b", lexical=True)
    for one, other in zip(
        index.by_words.search(["cat boat"], 9)[0], anew.by_words.search(["cat boat"], 9)[0], strict=True
    ):
        assert one == other
