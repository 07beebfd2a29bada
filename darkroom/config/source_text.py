"""Where a data set comes from, as a person types or pastes it: which key of an entry that is, and with what value."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator

from darkroom.base.errors import UserError
from darkroom.base.words import did_you_mean

REMOTE = ("kaggle", "competition", "huggingface")  # may be typed as key:value
ALLOWED = "a file, a folder, https://..., kaggle:owner/name, competition:slug or huggingface:owner/name@commit"
KAGGLES_OTHER_PAGES = ("code", "models", "learn", "discussions", "docs", "benchmarks", "organizations", "settings")
HUGGING_FACE = ("huggingface.co", "www.huggingface.co", "hf.co")


def _kaggle(text: str) -> str:
    _no_page(text)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(/\d+)?", text):
        raise ValueError(f"{text!r} must have the form owner/slug or owner/slug/version")
    return text


def _competition(text: str) -> str:
    _no_page(text)
    if not re.fullmatch(r"[\w-]+", text):
        raise ValueError(f"{text!r} must be the last part of the competition's address: letters, digits and -")
    return text


def _huggingface(text: str) -> str:
    _no_page(text)
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w-][\w./-]*)?", text) or ".." in text:
        raise ValueError(f"{text!r} must have the form owner/name@commit")
    return text


def _address(text: str) -> str:
    if not re.match(r"https?://[^/]+/.", text):
        raise ValueError(f"{text!r} must begin with http:// or https:// and name a file")
    _no_page(text)  # raises ValueError, for instance for http://[/a.zip
    if not unquote(text).isprintable():
        raise ValueError(f"{text!r} holds a control character")
    if urlsplit(text).hostname in HUGGING_FACE and "/blob/" in text:
        raise ValueError(f"{text!r} is the page of a file: write {text.replace('/blob/', '/resolve/', 1)!r}")
    return text


KaggleSet = Annotated[str, AfterValidator(_kaggle)]  # owner/name or owner/name/version
Competition = Annotated[str, AfterValidator(_competition)]  # its slug
HuggingFaceSet = Annotated[str, AfterValidator(_huggingface)]  # owner/name@commit
Address = Annotated[str, AfterValidator(_address)]  # of a file
FORMS = {"kaggle": _kaggle, "competition": _competition, "huggingface": _huggingface, "url": _address}


def _no_page(text: str) -> None:
    if known := page(text):
        raise ValueError(f"{text!r} is a page: write `{known[0]}: {known[1]}` for it")


def page(address: str) -> tuple[str, str] | None:
    """The key and the value of an entry for the page of a data set or of a competition; None for any other address.

    Raises ValueError for an address that cannot be.
    """
    if not re.match("https?://", address, re.IGNORECASE):
        return None
    parts = urlsplit(address)
    folders = [unquote(part) for part in parts.path.split("/") if part]
    if parts.hostname in ("kaggle.com", "www.kaggle.com"):
        return _kaggle_page(folders, parse_qs(parts.query).get("datasetVersionNumber", [""])[0])
    if parts.hostname in HUGGING_FACE and folders[:1] == ["datasets"]:
        return _huggingface_page(parts.path)
    return None


def _kaggle_page(folders: list[str], version: str) -> tuple[str, str] | None:
    if folders[:3] == ["api", "v1", "datasets"] and folders[3:4] == ["download"]:  # as its page writes for curl
        folders = ["datasets", *folders[4:]]
    if len(folders) >= 2 and folders[0] in ("competitions", "c"):
        return "competition", folders[1]
    if len(folders) == 2 and folders[0] not in ("datasets", *KAGGLES_OTHER_PAGES):
        folders = ["datasets", *folders]  # the form of earlier years, which Kaggle still follows
    if len(folders) < 3 or folders[0] != "datasets":
        return None
    if folders[3:4] == ["versions"]:
        version = "".join(folders[4:5])
    return "kaggle", "/".join(folders[1:3]) + (f"/{version}" if version.isdecimal() else "")


def _huggingface_page(path: str) -> tuple[str, str] | None:
    _, owner, name, *rest = [part for part in path.split("/") if part] + [""] * 2
    if not name or rest[:1] in (["resolve"], ["blob"]):  # a file of it
        return None
    revision = unquote(rest[1]) if rest[:1] == ["tree"] else ""
    return "huggingface", f"{owner}/{name}" + (f"@{revision}" if revision else "")


def source_of(text: str, folder: Path = Path()) -> tuple[str, str]:
    """The key of an entry and its value for what a user typed after `darkroom add`.

    `folder` is the caller's folder, against which a relative path counts; a path comes back absolute. A data set of
    Hugging Face comes back without a commit where none was typed. Raises UserError, one sentence, for anything else.
    """
    text = text.strip()
    if not text or "\0" in text:
        raise UserError(f"{text!r} names no source: give {ALLOWED}")
    word, colon, value = text.partition(":")
    if colon and word.lower() in REMOTE:
        key, place = _typed(value.strip().strip("/")) or (word.lower(), value.strip())
        return key, _checked(key, place)
    if known := _typed(text):
        return known[0], _checked(*known)
    try:
        path = folder / Path(text).expanduser()
        there = path.exists()
    except (RuntimeError, OSError) as error:  # the home of an unknown user; a name too long
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{text[:200]!r} is no path here ({why}): give {ALLOWED}") from None
    if there:
        # A link keeps its name, by which it may be an archive.
        return "path", str(path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve())
    raise UserError(_no_source(text, path))


def _typed(text: str) -> tuple[str, str] | None:
    """Key and value of an address, a page's without https:// too; None for what is no address."""
    if text.lower().startswith("hf://datasets/"):
        return "huggingface", text[len("hf://datasets/") :].strip("/")
    if re.match(r"((www\.)?kaggle\.com|huggingface\.co|hf\.co)/", text, re.IGNORECASE):
        text = f"https://{text}"
    if not re.match("https?://", text, re.IGNORECASE):
        return None
    try:
        return page(text) or ("url", text)
    except ValueError as error:
        raise UserError(f"{text!r} is no address ({error}): give {ALLOWED}") from None


def _checked(key: str, place: str) -> str:
    try:
        return FORMS[key](place)
    except ValueError as error:
        raise UserError(f"{key}: {error}") from None


def _no_source(text: str, path: Path) -> str:
    """What is wrong with a text that is neither an address nor a path that exists."""
    word, colon, value = text.partition(":")
    if colon and word.lower() in ("url", "path"):
        return f"{text!r}: give the {word.lower()} alone: {value.strip()}"
    if "://" in text:
        return f"{text!r} cannot be brought, for it is neither http nor https: download it, and give the file"
    if colon and re.fullmatch("[A-Za-z_ -]{2,}", word):
        near = did_you_mean(word.lower(), REMOTE)
        return f"{word}: is no source: {near.replace('?', ':?') if '?' in near else f'give {ALLOWED}'}"
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", text) and not re.search(r"\.\w{1,7}$", text):
        return (
            f"there is no folder {path.absolute()}: if {text} is a data set of Kaggle, write kaggle:{text}; "
            f"if of Hugging Face, huggingface:{text}"
        )
    return f"there is no file or folder {path.absolute()}: give {ALLOWED}"
