"""Drafts made by hand, for the tests of `darkroom add`."""

from darkroom.tools.entry_draft import Choice, Draft, Evidence, Question, Sample

ENTRY = {"train": "cats", "channels": 3, "image_size": 64}
SAMPLES = (
    Sample("train", "lion", 30, ("cats/lion/1.jpg", "cats/lion/2.jpg")),
    Sample("train", "lynx", 3, ("cats/lynx/1.jpg",)),
)
EVIDENCE = (Evidence("train", "cats", "2 folders with pictures"), Evidence("channels", "3", "most are in colour"))


def draft(entry=ENTRY, **changes):
    facts = {
        "evidence": EVIDENCE,
        "questions": (), "samples": SAMPLES, "unused": (), "pictures": 33, "megapixels": 0.005,
    }  # fmt: skip
    return Draft(entry=entry, **(facts | changes))


def question(name, *words):
    return Question(name, f"which {name}?", tuple(Choice(word, f"take {word}") for word in words))


def asking(*questions, **more):
    """A function from answers to a draft, as the engine has it: it asks these, and takes their answers as classes.

    `more` has, for an answer, the questions that it opens.
    """

    def drafted(chosen):
        opened = [one for word in chosen.values() for one in more.get(word, ())]
        unanswered = tuple(one for one in (*questions, *opened) if one.name not in chosen)
        return draft(ENTRY | ({"classes": dict(chosen)} if chosen else {}), questions=unanswered)

    return drafted
