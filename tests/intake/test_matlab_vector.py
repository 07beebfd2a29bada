"""Vectors in MATLAB's files, read where a crash of the reader does no harm."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from darkroom.intake.matlab_vector import vector, vectors

LABELS = np.arange(1, 61)[None] % 7


def file_of(**variables):
    file = io.BytesIO()
    savemat(file, variables, do_compression=variables.pop("compressed", False))
    return file.getvalue()


def test_the_only_vector_needs_no_name():
    found = vector(file_of(labels=LABELS, name="abc", grid=np.ones((3, 4))), None)
    assert np.array_equal(found, LABELS[0])


def test_one_of_several_is_named():
    data = file_of(trnid=[[1, 2]], tstid=[[3], [4]], compressed=True)
    assert vector(data, "tstid").tolist() == [3, 4]
    assert vector(data, None) == (
        "holds 2 vectors of numbers ('trnid', 'tstid'): name one after the file, as in `labels.mat#labels`"
    )
    assert vector(data, "valid") == "has no vector of numbers 'valid'; its vectors are: 'trnid', 'tstid'"


def test_a_file_of_version_7_3_is_told():
    data = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + b"\0" * 400
    assert "version 7.3 (HDF5), which is not read" in vector(data, None)


@pytest.mark.parametrize("damaged", [b"", b"MATLAB", b"\0" * 500, b"a" * 500])
def test_what_is_no_such_file_is_told(damaged):
    assert vector(damaged, None) == "cannot be read as a MATLAB file: it is damaged, or none"


def test_a_file_at_which_the_reader_crashes_is_told():
    data = bytearray(file_of(labels=LABELS))
    data[185] = 180  # the type of the first element is none that there is: SciPy's reader reads where it may not
    assert vector(bytes(data), None) == "cannot be read as a MATLAB file: it is damaged, or none"


def test_the_vectors_of_a_file_are_named():
    assert vectors(file_of(labels=np.arange(4.0), table=np.ones((2, 2)), text="no")) == ["labels"]
    assert vectors(b"none") == []
