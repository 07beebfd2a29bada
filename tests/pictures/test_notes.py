from darkroom.pictures.notes import NOTHING, BadImage, Notes, said


def test_nothing_is_what_a_usual_picture_has():
    assert Notes() == NOTHING == (8, 0, False, "", False, "")
    assert Notes(clear=True) != NOTHING
    assert not issubclass(BadImage, ValueError)


def test_what_a_decoder_says_is_one_line_and_the_same_in_each_run():
    assert said(OSError("cannot read\n  <_io.BytesIO object at 0x7f26efb78720>\n")) == "cannot read <_io.BytesIO>"
