from pathlib import Path

import pytest

from darkroom.config.source_text import page, source_of
from tests import make

COMMIT = "0123456789abcdef0123456789abcdef01234567"
KAGGLE, HUB = "https://www.kaggle.com", "https://huggingface.co"

PAGES = [
    (f"{KAGGLE}/datasets/owner/name", ("kaggle", "owner/name")),
    (f"{KAGGLE}/datasets/owner/name/", ("kaggle", "owner/name")),
    (f"{KAGGLE}/datasets/owner/name/data?select=train", ("kaggle", "owner/name")),
    (f"{KAGGLE}/datasets/owner/name/versions/3", ("kaggle", "owner/name/3")),
    (f"{KAGGLE}/datasets/owner/name?datasetVersionNumber=4#x", ("kaggle", "owner/name/4")),
    (f"{KAGGLE}/api/v1/datasets/download/owner/name", ("kaggle", "owner/name")),
    (f"{KAGGLE}/owner/name", ("kaggle", "owner/name")),
    ("http://kaggle.com/datasets/owner/name", ("kaggle", "owner/name")),
    (f"{KAGGLE}/competitions/dog-breed", ("competition", "dog-breed")),
    (f"{KAGGLE}/competitions/dog-breed/data?x=1", ("competition", "dog-breed")),
    (f"{KAGGLE}/c/dog-breed/overview", ("competition", "dog-breed")),
    (f"{HUB}/datasets/owner/name", ("huggingface", "owner/name")),
    (f"{HUB}/datasets/owner/name/viewer/default/train?row=1", ("huggingface", "owner/name")),
    (f"{HUB}/datasets/owner/name/tree/{COMMIT}/data", ("huggingface", f"owner/name@{COMMIT}")),
    (f"{HUB}/datasets/owner/name/tree/refs%2Fconvert%2Fparquet", ("huggingface", "owner/name@refs/convert/parquet")),
    ("https://hf.co/datasets/owner/name", ("huggingface", "owner/name")),
]
NO_PAGES = [
    "https://example.com/datasets/owner/name",
    KAGGLE,
    f"{KAGGLE}/code/owner/name",
    f"{KAGGLE}/code/owner",
    f"{KAGGLE}/datasets",
    f"{KAGGLE}/datasets/owner",
    f"{KAGGLE}/competitions",
    f"{HUB}/owner/name",
    f"{HUB}/datasets/mnist",
    f"{HUB}/datasets/owner/name/resolve/main/train.zip",
    "datasets/owner/name",
    "https://www.kaggle.com.example.com/datasets/owner/name",
]


@pytest.mark.parametrize(("address", "known"), PAGES)
def test_the_page_of_a_data_set_or_competition_is_known(address, known):
    assert page(address) == known
    assert source_of(address) == known


@pytest.mark.parametrize("address", NO_PAGES)
def test_no_other_address_is_taken_for_one(address):
    assert page(address) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("kaggle:owner/name", ("kaggle", "owner/name")),
        (" kaggle: owner/name/3\n", ("kaggle", "owner/name/3")),
        ("Kaggle:owner/name", ("kaggle", "owner/name")),
        ("competition:dog-breed", ("competition", "dog-breed")),
        ("huggingface:owner/name", ("huggingface", "owner/name")),
        (f"huggingface:owner/name@{COMMIT}", ("huggingface", f"owner/name@{COMMIT}")),
        ("hf://datasets/owner/name@main", ("huggingface", "owner/name@main")),
        ("www.kaggle.com/c/dog-breed", ("competition", "dog-breed")),
        ("huggingface.co/datasets/owner/name", ("huggingface", "owner/name")),
        (f"kaggle:{KAGGLE}/c/dog-breed", ("competition", "dog-breed")),  # the address says which it is
        ("https://me:secret@example.com/a.zip?x=1", ("url", "https://me:secret@example.com/a.zip?x=1")),
        ("https://huggingface.co/datasets/o/n/resolve/main/a.zip", ("url", f"{HUB}/datasets/o/n/resolve/main/a.zip")),
    ],
)
def test_a_text_is_a_key_and_its_value(text, known):
    assert source_of(text) == known


@pytest.fixture
def caller(tmp_path, monkeypatch):
    """The caller's folder, which is also the home folder, but not the working folder."""
    folder = tmp_path / "caller"
    (folder / "owner" / "name").mkdir(parents=True)
    (folder / "kaggle:owner").mkdir()
    for name in ("a.zip", "b c.tar.gz", "with:colon.zip"):
        (folder / name).touch()
    (folder / "link.zip").symlink_to("b c.tar.gz")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.zip", "a.zip"),
        ("~/a.zip", "a.zip"),
        ("owner/name", "owner/name"),
        ("owner/../a.zip", "a.zip"),
        ("b c.tar.gz", "b c.tar.gz"),
        ("with:colon.zip", "with:colon.zip"),
        ("link.zip", "link.zip"),
        (".", ""),
        ("~", ""),
        ("owner/..", ""),
        ("kaggle:owner/", "kaggle:owner"),
    ],
)
def test_what_lies_in_the_callers_folder_is_a_path_from_the_root(caller, text, path):
    if text.startswith("kaggle:"):
        assert "kaggle: 'owner/' must have the form" in make.refusal(lambda: source_of(text, caller))
        text = f"./{text}"
    assert source_of(text, caller) == ("path", str(caller / path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' names no source: give a file, a folder, https://..., kaggle:owner/name, competition:slug or hugging"),
        ("\0", "names no source"),
        ("kagle:owner/name", "kagle: is no source: did you mean kaggle:?"),
        ("Competitions:dog", "Competitions: is no source: did you mean competition:?"),
        ("hugging-face:owner/name", "did you mean huggingface:?"),
        ("torrent:owner/name", "torrent: is no source: give a file, a folder"),
        ("url:https://a.org/a.zip", "give the url alone: https://a.org/a.zip"),
        ("path: a.zip", "give the path alone: a.zip"),
        (
            "other/set",
            "if other/set is a data set of Kaggle, write kaggle:other/set; if of Hugging Face, huggingface:ot",
        ),
        ("other/set.zip", "there is no file or folder /"),
        ("missing.zip", "/caller/missing.zip: give a file, a folder"),
        ("s3://bucket/a.zip", "'s3://bucket/a.zip' cannot be brought, for it is neither http nor https: download it"),
        ("ftp://me:secret@a.org/a.zip", "'ftp://...@a.org/a.zip' cannot be brought"),
        ("kaggle:name", "kaggle: 'name' must have the form owner/slug or owner/slug/version"),
        ("kaggle:", "kaggle: '' must have the form owner/slug"),
        ("competition:owner/name", "competition: 'owner/name' must be the last part of the competition's address"),
        ("huggingface:mnist", "huggingface: 'mnist' must have the form owner/name@commit"),
        ("huggingface:../../x@y", "must have the form owner/name@commit"),
        ("huggingface:owner/name@a..b", "must have the form owner/name@commit"),
        ("https://example.com", "url: 'https://example.com' must begin with http:// or https:// and name a file"),
        ("http://[/a.zip", "'http://[/a.zip' is no address (Invalid IPv6 URL)"),
        ("https://a.org/%00.zip", "url: 'https://a.org/%00.zip' holds a control character"),
        (
            f"{HUB}/datasets/o/n/blob/main/a.zip",
            f"is the page of a file: write '{HUB}/datasets/o/n/resolve/main/a.zip'",
        ),
        ("x" * 5000, ": give a file, a folder, https://"),
    ],
    ids=lambda text: text[:40],
)
def test_anything_else_is_one_sentence(caller, text, says):
    sentence = make.refusal(lambda: source_of(text, caller))
    assert says in sentence
    assert make.is_one_line(sentence)
    assert "secret" not in sentence


def test_a_home_that_is_not_known_is_told(caller, monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    assert "'~x/a.zip' is no path here (Could not determine" in make.refusal(lambda: source_of("~x/a.zip", caller))
