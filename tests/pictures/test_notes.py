from darkroom.pictures.notes import NOTHING, BadImage, Notes


def test_nothing_is_what_a_usual_picture_has():
    assert Notes() == NOTHING == (8, 0, False, "", False)
    assert Notes(clear=True) != NOTHING
    assert not issubclass(BadImage, ValueError)
