import io
import zipfile

from darkroom.intake.bundled_source import bundled_digits
from tests.intake.fetched import names


def test_the_bundled_digits_are_the_same_bytes_each_time(tmp_path):
    copies = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        copies.append(bundled_digits(tmp_path / name).read_bytes())
        assert names(tmp_path / name) == ["digits.zip"]
    assert copies[0] == copies[1]
    with zipfile.ZipFile(io.BytesIO(copies[0])) as packed:
        assert len(packed.namelist()) == 1797
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
