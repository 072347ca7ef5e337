"""Markdown sections carry the path of headings above them, and nothing that only looks like a heading."""

from tfx_retrieval.markdown import markdown_sections


def paths(text: str) -> list[tuple[tuple[str, ...], str]]:
    return list(markdown_sections(text))


def test_sections_have_the_path_of_headings() -> None:
    text = "intro\n# Guide\nwelcome\n## Install ##\nrun it\n### Linux\nso\n## Use\ngo"
    assert paths(text) == [
        ((), "intro"),
        (("Guide",), "# Guide\nwelcome"),
        (("Guide", "Install"), "## Install ##\nrun it"),
        (("Guide", "Install", "Linux"), "### Linux\nso"),
        (("Guide", "Use"), "## Use\ngo"),
    ]


def test_a_heading_without_body_is_only_part_of_the_path() -> None:
    assert paths("# Guide\n\n## Install\nrun") == [(("Guide", "Install"), "## Install\nrun")]


def test_underlined_headings() -> None:
    assert paths("Guide\n=====\nwelcome\n\nInstall\n---\nrun") == [
        (("Guide",), "Guide\n=====\nwelcome\n"),
        (("Guide", "Install"), "Install\n---\nrun"),
    ]


def test_what_only_looks_like_a_heading() -> None:
    for text in (
        "```\n# comment\n```\ntext",
        "~~~~ sh\n# one\n~~~\n# two\n~~~~",
        "#hashtag",
        "    # code",
        "text\n\n---\n\nmore",
        "- item\n---\nx",
        "two\nlines\n---\nx",
        "a | b\n--- | ---\n1 | 2",
    ):
        assert [path for path, _ in paths(text)] == [()], text


def test_front_matter_is_left_out() -> None:
    assert paths("---\ntitle: x\n---\n# Guide\ntext") == [(("Guide",), "# Guide\ntext")]
    assert paths("---\nnever closed") == [((), "---\nnever closed")]


def test_every_line_of_a_text_with_bodies_is_kept() -> None:
    text = "pre\n# A\n1\n\nB\n--\n2\n```\n# x\n"
    assert "\n".join(part for _, part in paths(text)) == text
