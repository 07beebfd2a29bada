"""Classes and files may be called anything: the pages show their names as text, the tables keep them as they are."""

import html
import re

import pandas as pd
import pytest

from tests import make
from tests.test_pipeline import make_repository, run

CLASSES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b",
    "two\nlines",
    "`code`",
    "{{7*7}}",
    "</script><b>",
    "=cmd()|' /C calc'!A0",
    "$x_1$ \\frac{",
    "'it' & \"that\" _x_ *y* [z](javascript:alert(1))",
    "_hidden",
    "-->\u2028]]>%s %(a)d \x1b[31m",
]
FILES = ["<img src=x onerror=alert(2)>", "a|b", "`x` $", "{{7*7}}", "\"'&", "new\nline"]


@pytest.mark.slow
def test_names_of_any_letters_go_through_the_whole_pipeline(tmp_path):
    make_repository(tmp_path)
    files = {
        f"set/train/c{place:02}/{FILES[number % 6]}{number}.png": make.encode(
            make.pixels(10, 12, 3, seed=place * 100 + number) // 2 + 8 * place
        )
        for place in range(len(CLASSES))
        for number in range(12)
    }
    files["set/new/=cmd()<script>alert(3)<script>.png"] = make.picture(1, 10, 12, 3)
    (tmp_path / "set.zip").write_bytes(make.zip_of(files))
    names = {f"c{place:02}": name for place, name in enumerate(CLASSES)}
    title = "My <script>alert(4)</script> `set` | *x*"
    make.edit(tmp_path / "datasets.yaml", {"tiny.classes": names, "tiny.title": title, "tiny.license": "<b>|"})
    run(tmp_path, "dvc", "repro")
    page, card = ((tmp_path / name).read_text() for name in ("metrics/report.html", "models/README.md"))
    assert page.count("<script>") == page.count("</script>") == 1
    assert not re.search(r"<img (?!src=\"data:)|<b>(?!\d)", page)
    text = html.unescape(page)
    assert [name for name in [*CLASSES, title] if name not in text] == []
    assert "<" not in card
    assert r"a\|b, two lines, \`code\`" in card
    table = pd.read_csv(tmp_path / "metrics/per_class.csv", keep_default_na=False)
    assert table["class"].tolist() == CLASSES
    answers = pd.read_csv(tmp_path / "data/submission.csv")
    assert answers["path"].tolist() == ["set/new/=cmd()<script>alert(3)<script>.png"]
