from darkroom.tools.check import Check


def test_a_check_is_one_line_with_its_word():
    lines = [str(Check("name", passed, "text")) for passed in (True, False, None)]
    assert [line.split() for line in lines] == [[word, "name", "text"] for word in ("pass", "FAIL", "note")]
