"""Hostile tables and lists: texts of odd encodings, sizes and quotes, and rows that contradict one another.

The cases are run by `hostile.check`, as those of tests/hostile.py are. Twelve pictures lie in one folder, so that a
label can come from the table alone; a good table calls six of them cat and six dog.
"""

import functools
import unicodedata

from tests import hostile, make
from tests.hostile import Case

PICTURES = {f"pics/{number}.png": make.picture(number, 8, 8, 3) for number in range(12)}
LABELS = {f"{number}.png": "cat" if number < 6 else "dog" for number in range(12)}
COUNT = len(PICTURES)
NAMED = {"file": "labels.csv", "image": "image", "label": "label"}
LONG = 60_000


def text(rows=LABELS, header="image,label", end="\n", between=","):
    """A table of two columns."""
    pairs = rows.items() if isinstance(rows, dict) else rows
    return end.join([*([header] if header else []), *(f"{one}{between}{other}" for one, other in pairs), ""])


GOOD = text()


def told(files, sentence, labels="labels.csv", **entry):
    """A case that ends in a sentence."""
    return _case(files, labels, entry, told=sentence)


def handled(files, labels="labels.csv", images=COUNT, rejected=0, **entry):
    """A case that ends well."""
    return _case(files, labels, entry, images=images, rejected=rejected)


def _case(files, labels, entry, **come):
    """`files` are a table's content, or files by path beside the pictures; None leaves a key of the entry out."""
    if not isinstance(files, dict):
        files = {"labels.csv": files}
    files = PICTURES | {path: one.encode() if isinstance(one, str) else one for path, one in files.items()}
    files = {path: one for path, one in files.items() if one is not None}
    wanted = {"train": "pics", "labels": labels} | entry
    given = {key: value for key, value in wanted.items() if value is not None}
    return Case(functools.partial(make.zip_of, files), entry=given, settings={"extract__max_rejected": 0.5}, **come)


def _encodings():
    for name, code in {"UTF-16": "utf-16", "UTF-32": "utf-32", "UTF-8 with a mark": "utf-8-sig"}.items():
        yield name, handled(GOOD.encode(code))
    yield "UTF-16 of the other end", handled(b"\xfe\xff" + GOOD.encode("utf-16-be"))
    for code in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield f"{code} without a mark", told(GOOD.encode(code), "holds a NUL byte in line 1")
    yield "UTF-16 cut in a character", told(GOOD.encode("utf-16")[:-1], "begins as UTF-16 and is damaged")
    yield "UTF-16 of half a pair", told(b"\xff\xfe" + b"\x00\xd8a\0" * 9, "begins as UTF-16 and is damaged")
    yield "a UTF-32 mark alone", told(b"\xff\xfe\0\0", "is empty")
    yield "a UTF-8 mark alone", told(b"\xef\xbb\xbf", "is empty")
    yield "a UTF-8 mark before other bytes", told(b"\xef\xbb\xbf\xff\xff" + GOOD.encode(), "and is damaged")
    yield "two marks", handled(b"\xef\xbb\xbf" * 2 + GOOD.encode(), NAMED)
    yield "a mark in the middle", handled(GOOD.replace("5.png", "\ufeff5.png"), images=11, rejected=1)
    accents = text({name: f"caf\u00e9 {label}" for name, label in LABELS.items()})
    for code in ("latin-1", "cp1252", "utf-8"):
        yield f"accents in {code}", handled(accents.encode(code))
    yield "Latin-1 beyond Windows-1252", handled(GOOD.replace("dog", "d\x81\xe9g").encode("latin-1"))
    yield "UTF-8 and Latin-1 together", handled(accents.encode() + "x.png,caf\u00e9\n".encode("latin-1"))
    yield "overlong UTF-8", handled(GOOD.encode().replace(b"dog", b"d\xc0\xafg"))
    yield "a surrogate in UTF-8", handled(GOOD.encode().replace(b"dog", b"d\xed\xa0\x80g"))
    yield "a NUL byte in a cell", told(GOOD.replace("5.png", "5\0.png"), "holds a NUL byte in line 7")
    yield "a NUL byte at the end", told(GOOD + "\0", "holds a NUL byte in line 14")
    yield "nothing but NUL bytes", told(bytes(5000), "holds a NUL byte in line 1")
    for name, mark in {"a line separator": "\u2028", "an escape": "\x1b[2J", "a next line": "\x85"}.items():
        yield f"{name} in a label", handled(GOOD.replace("dog", f"d{mark}g"))
        yield f"{name} in the header", told(GOOD.replace("image", f"i{mark}"), "has no column 'image'", NAMED)
    yield "writing to the left", handled(GOOD.replace("dog", "\u202e\u05d0"))
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        one, two = (unicodedata.normalize(kind, "caf\u00e9") for kind in (form, other))
        moved = {f"pics/{number}.png": None for number in range(12)}
        moved |= {f"{one}/{number}.png": make.picture(number, 8, 8, 3) for number in range(12)}
        rows = text({f"{two}/{name}": label for name, label in LABELS.items()})
        yield f"paths in {form}, table in {other}", handled(moved | {"labels.csv": rows}, train=one)
        yield f"a folder in {form}, its pattern in {other}", handled(moved | {"labels.csv": rows}, train=two)
        labels = {"file": f"{two}.csv", "image": one, "label": two + "2"}
        yield f"a column in {form}, asked for in {other}", handled({f"{one}.csv": text(header=f"{two},{one}2")}, labels)
        yield f"a label in {form}, its name in {other}", handled(GOOD.replace("dog", one), classes={two: "coffee"})
        usage = {"file": "labels.csv", "image": "image", "label": "label", "split": "usage"}
        splits = usage | {"splits": {"train": ["a", two], "test": ["c"]}}
        marks = {name: f"{label},{'c' if number % 3 else one}" for number, (name, label) in enumerate(LABELS.items())}
        yield f"a subset in {form}, asked for in {other}", handled(text(marks, "image,label,usage"), splits, images=12)


def _quotes():
    for name, end in {"CRLF": "\r\n", "CR": "\r", "LF and a blank line each": "\n\n"}.items():
        yield f"lines that end in {name}", handled(text(end=end))
    yield "no end of the last line", handled(GOOD.rstrip())
    yield "lines that end in two ways", handled(GOOD.replace("3.png,cat\n", "3.png,cat\r\n"))
    yield "a lone CR in a cell", told(GOOD.replace("5.png", "5\r.png"), "has 1 column, and the first row has 2")
    yield "a lone quote", told(GOOD.replace("5.png", '"5.png'), "the double quote in line 7 is never closed")
    yield (
        "a lone quote in a list",
        told({"list.txt": '"' + "\n".join(LABELS)}, "is never closed", None, train=["pics/{label:.}*", "@list.txt"]),
    )
    yield "a quote within a cell", handled(GOOD.replace("dog", 'd"og'))
    yield "text after a closing quote", handled(GOOD.replace("5.png", '"5".png'))
    yield "every cell in quotes", handled(text({f'"{one}"': f'"{other}"' for one, other in LABELS.items()}))
    yield "commas, quotes and lines in cells", handled(GOOD.replace("dog", '"d,o""g\n"'))
    yield "a label that ends in a line feed", handled(GOOD.replace("9.png,dog", '9.png,"dog\n"'))
    yield "a quote in the last line that is never closed", told(GOOD + '12.png,"do', "is never closed")
    yield "single quotes", told(GOOD.replace("dog", "'d,g'"), "line 8 has 3 columns, and the first row has 2")
    yield "a row too short", told(GOOD + "x.png\n", "line 14 has 1 column, and the first row has 2")
    yield "a row too long", told(GOOD + "x.png,cat,1\n", "line 14 has 3 columns, and the first row has 2")
    yield "a comma after each row", told(GOOD.replace("\n", ",\n", 1) + "x.png,cat,,\n", "has 2 columns")
    yield "another separator", handled(text(between=";", header="image;label"))
    yield "a separator that is a bell", told(text(between="\a", header="image\alabel"), "no column that names pictures")
    yield "blanks around cells", handled(text({f"  {one} ": f"\t{other} " for one, other in LABELS.items()}))
    yield "rows of commas", handled(GOOD + ",\n" * 50)
    yield "lines of blanks", told(GOOD + "   \n" * 50, "has 1 column, and the first row has 2")
    yield "a quote without end over all", told(b'"' * 99_999, "is never closed")
    yield "quotes alone", told('"",""\n' * 9, "no column that names pictures")
    yield "backslashes before quotes", handled(GOOD.replace("dog", '"d\\"g"'))
    yield "formulas", handled(GOOD.replace("dog", "=cmd|' /C calc'!A0"))
    for word in ("nan", "NA", "null", "None", "true", "-0", "1e999", "0x1F", "\u0661", "9" * 400, "1_000"):
        yield f"the label {word[:9]}", handled(GOOD.replace("dog", word))
    for value in ("0.5", "1e-5", ".5", "1e999"):
        rows = {name: value if label == "dog" else "1.5" for name, label in LABELS.items()}
        yield f"numbers such as {value}", told(text(rows), "holds numbers, not classes", NAMED)
    for value in ("cat|dog", "cat dog", "[cat, dog]", "['cat', 'dog']"):
        rows = {name: f'"{value}"' if label == "dog" else "cat" for name, label in LABELS.items()}
        rows |= {"5.png": "dog"}
        yield f"several labels as {value}", told(text(rows), "gives several labels a picture", NAMED)


def _sizes():
    for name, empty in {"no bytes": "", "a line feed": "\n", "blanks": " \n\t\r\n"}.items():
        yield name, told(empty, "is empty")
    yield "only a header", told("image,label\n", "holds no rows")
    yield "only a header, without its end", told("image,label", "holds no rows")
    yield "a header of one column", told("image\n0.png\n", "which column is the label")
    yield "rows without their header", told(text(header=""), "seems to have no header")
    wide = [",".join(["image", "label", *(f"c{n}" for n in range(count))]) for count in (19_998, 19_999)]
    row = ",".join(["1"] * 19_998)
    rows = "".join(f"{name},{label},{row}\n" for name, label in LABELS.items())
    yield "20,000 columns", handled(f"{wide[0]}\n{rows}", NAMED)
    yield (
        "20,000 columns, none of which is asked for",
        told(f"{wide[0]}\n{rows}", "no column 'c2x'", NAMED | {"label": "c2x"}),
    )
    yield "20,000 columns to guess from", handled(f"{wide[0]}\n{rows}")
    yield "20,001 columns", told(f"{wide[1]}\n{rows.replace(row, row + ',1')}", "and 20,001 columns")
    yield "columns of one name", told(GOOD.replace("label", "image"), "has two columns called 'image'")
    yield "columns of no name", handled(GOOD.replace("image,label", ","))
    yield (
        "columns of no name, and one called so",
        told(GOOD.replace("image,label", "unnamed 1,"), "has two columns called 'unnamed 1'"),
    )
    yield "a name of 60,000 characters", handled(GOOD + f"{'n' * LONG}.png,cat\n")
    yield "a label of 60,000 characters", handled(GOOD.replace("dog", "d" * LONG))
    yield "a column of 60,000 characters", told(GOOD.replace("label", "l" * LONG), "has no column 'label'", NAMED)
    yield "a column of 60,000 characters asked for", told(GOOD, "has no column 'llll", NAMED | {"label": "l" * LONG})
    yield "a column of 200,000 characters", told(GOOD.replace("label", "l" * 200_000), "has no column 'label'", NAMED)
    yield "a label of 200,000 characters", handled(GOOD.replace("dog", "d" * 200_000))
    yield "a line of 20 MB", handled(GOOD + "x" * 20_000_000 + ",cat\n")
    yield "a header of 20 MB", told("x" * 20_000_000 + GOOD, "is longer than 16,777,216 bytes")
    yield "a field of 100 MB", Case(lambda: _field(10**8), told="is longer than 16,777,216 bytes", entry=_entry())
    yield (
        "a quoted field of 100 MB of lines",
        Case(lambda: _field(10**8, b'"', b"x" * 99 + b"\n"), told="is never closed", entry=_entry()),
    )
    yield "a million rows", Case(lambda: _rows(10**6), images=COUNT, entry=_entry())
    yield "21 million lines", Case(lambda: _rows(21 * 10**6, b"\n"), told="21,000,013 lines", entry=_entry())
    yield "a table named as a picture", handled({"labels.png": GOOD}, "labels.png")
    yield "a picture named as a table", told(make.picture(1, 99, 99, 3), "holds a NUL byte in line")
    yield "a JPEG named as a table", told(make.picture(1, 9, 9, 3, "JPEG"), "holds a NUL byte in line")
    for ending in ("xlsx", "h5", "npy", "pkl", "xml", "csv.gz"):
        yield (
            f"a table of the kind {ending}",
            told({f"t.{ending}": b"x"}, "is no table that Darkroom reads", f"t.{ending}"),
        )
    for name, start in {"zip": b"PK\3\4", "gzip": b"\x1f\x8b", "HDF5": b"\x89HDF"}.items():
        yield f"a {name} named as a table", told(start + bytes(99), "no text: unpack it")


HEAVY = (
    "a field of 100 MB",
    "a quoted field of 100 MB of lines",
    "a million rows",
    "21 million lines",
    "a line of 20 MB",
    "20,000 columns",
    "20,000 columns to guess from",
)


def _entry():
    return {"train": "pics", "labels": NAMED}


def _field(size, start=b"", piece=b"x"):
    content = GOOD.encode() + b"y.png," + start + piece * (size // len(piece)) + b"\n"
    return make.zip_of(PICTURES | {"labels.csv": content})


def _rows(count, row=None):
    more = row * count if row else b"".join(b"no-%d.png,cat\n" % number for number in range(count))
    return make.zip_of(PICTURES | {"labels.csv": GOOD.encode() + more})


def _names():
    """Tables and lists by strange names, in strange places."""
    for place in ("../../x.csv", "/etc/passwd", "/labels.csv/../y.csv", "..", ".", "nothing.csv", "\0.csv", "a\nb.csv"):
        yield f"a table named {place!r}", told(GOOD, "holds no such file", place)
    yield "a table named from the root", handled(GOOD, "/labels.csv")
    yield "a table named with dots", handled(GOOD, "./x/../labels.csv")
    yield "a table of an endless name", told(GOOD, "holds no such file", "x" * LONG + ".csv")
    yield "a table named as a folder", told(GOOD, "holds no such file", "pics")
    yield (
        "a table that a link is",
        Case(
            lambda: hostile.linked(PICTURES, "labels.csv", "../../../etc/passwd"), told="cannot be read", entry=_entry()
        ),
    )
    yield (
        "a good table beside a link",
        Case(
            lambda: hostile.linked(PICTURES | {"labels.csv": GOOD}, "pics/link.png", "0.png"),
            images=12,
            rejected=1,
            entry=_entry(),
        ),
    )
    yield (
        "a good table beside a link elsewhere",
        Case(lambda: hostile.linked(PICTURES | {"labels.csv": GOOD}, "latest", "pics"), images=12, entry=_entry()),
    )
    whole = make.zip_of(PICTURES)
    one = hostile.patched(make.zip_of({"labels.csv": GOOD}), hostile.ENTRY, 8, "<H", 1)
    yield "an encrypted table", Case(lambda: hostile.joined(whole, one), told="it is encrypted", entry=_entry())
    bad = hostile.patched(make.zip_of({"labels.csv": GOOD}), hostile.ENTRY, 16, "<L", 1)
    yield "a table of a wrong checksum", Case(lambda: hostile.joined(whole, bad), told="wrong checksum", entry=_entry())
    yield (
        "a table that says it has 600 MiB",
        Case(lambda: hostile.joined(whole, hostile.bomb("labels.csv", 1, 600 * 2**20)), told="600", entry=_entry()),
    )
    inner = {"x.zip": make.zip_of({"labels.csv": GOOD})}
    for name in ("x/labels.csv", "labels.csv"):
        yield f"a table in a nested zip, named {name}", handled(inner, name)
    locked = hostile.patched(make.zip_of({"labels.csv": GOOD}), hostile.ENTRY, 8, "<H", 1)
    yield "a table in an encrypted nested zip", told({"x.zip": locked}, "it is encrypted", "x/labels.csv")
    yield "a table in a damaged nested zip", told({"x.zip": locked[:-30]}, "x.zip is damaged", "x/labels.csv")
    yield "two tables of one name", told({"a/labels.csv": GOOD, "b/labels.csv": GOOD}, "may be a/labels.csv or b/")
    yield "a table named by its end", handled({"a/b/labels.csv": GOOD})
    yield "a table among the pictures", handled({"pics/labels.csv": GOOD})
    yield "a part of a CSV", told(GOOD, "did you mean labels.csv?", "labels.csv#x")
    yield "a table whose name holds #", handled({"c#.csv": GOOD}, "c#.csv")
    yield "a table named # alone", told(GOOD, "holds no such file", "#")
    many = {f"t/{'x' * 200}{number}.csv": "a,b" for number in range(1000)}
    yield "a thousand tables of nearly one name", told(many, "its tables and texts are t/xx", f"{'x' * 201}.csv")
    for prefix in ("../../pics/", "pics/", "/", "./", ".\\", "C:\\data\\", "/home/me/pics/", "file:///"):
        rows = text({f"{prefix}{name}": label for name, label in LABELS.items()})
        known = prefix in ("pics/", "/", "./", ".\\")
        yield (
            f"rows that begin with {prefix}",
            handled(rows, NAMED) if known else told(rows, "has no row for it", NAMED),
        )
    yield "rows out of a folder", handled({"a/b/labels.csv": text({f"../../pics/{n}": v for n, v in LABELS.items()})})


def _corpus():
    for part in (_encodings, _quotes, _sizes, _names):
        for name, case in part():
            yield f"table: {name}", case


@functools.cache
def cases():
    """All cases by name."""
    from tests import hostile_formats, hostile_patterns, hostile_rows

    found = dict(_corpus())
    for part in (hostile_rows, hostile_formats, hostile_patterns):
        found |= dict(part.cases())
    return found
