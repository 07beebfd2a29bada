from darkroom.intake import container_readers
from darkroom.intake.containers import ENDINGS
from tests.intake.fetched import refusal
from tests.intake.opened import container


def test_every_kind_that_a_name_can_say_has_a_reader():
    assert {*ENDINGS.values(), "idx", "CIFAR batch"} == set(container_readers.KINDS)


def test_a_file_that_is_no_container_is_refused():
    assert "no pictures that Darkroom reads" in refusal(lambda: container_readers.pictures(container(b"x", "a/b")))
