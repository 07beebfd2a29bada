import pytest

from darkroom.intake.noticed import Noticed
from darkroom.pictures.notes import Notes


@pytest.mark.parametrize(
    ("highest", "told"),
    [(4095, "[0, 4095]"), (4080, "[0, 4095]"), (1000, "[0, 1023]"), (2**14, ""), (65535, ""), (0, "")],
)
def test_a_small_part_of_16_bits_is_told_with_the_line_to_write(highest, told):
    noticed = Noticed()
    noticed.add([("a.png", Notes(bits=16, highest=highest)), ("b.png", Notes(bits=16, highest=highest // 2))], [])
    said = list(noticed.in_words(None))
    assert [one.partition("write range: ")[2] for one in said] == ([told] if told else [])
    assert not list(noticed.in_words([0, 4095]))


def test_each_kind_is_counted_with_its_first_file():
    noticed = Noticed()
    noticed.add(
        [
            ("b.png", Notes(clear=True)),
            ("x.dcm", Notes(shown="of DICOM")),
            ("c.jpg", Notes(profile="Adobe RGB (1998)")),
        ],
        [],
    )
    noticed.add([("a.png", Notes(clear=True)), ("d.png", Notes(damaged_profile=True))], [("e.jpg", "extraneous bytes")])
    assert list(noticed.in_words(None)) == [
        "1 picture converted to sRGB from the colour profile Adobe RGB (1998), the first being c.jpg",
        "1 picture decoded with a warning (extraneous bytes), the first being e.jpg",
        "1 picture of DICOM, the first being x.dcm",
        "2 pictures wholly transparent: the colours are taken as they stand, the first being a.png",
        "1 picture with a colour profile that cannot be used and is ignored, the first being d.png",
    ]
