import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from darkroom.dataset import neighbours
from darkroom.dataset.neighbours import evenly_spaced, nearest


def parts(vectors, size):
    rows = np.arange(len(vectors)) * 10
    return [(rows[start : start + size], vectors[start : start + size]) for start in range(0, len(vectors), size)]


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 60), st.integers(1, 70))
def test_they_are_those_that_comparing_all_with_all_finds(seed, asked, found, size):
    generator = np.random.default_rng(seed)
    a, b = (generator.standard_normal((count, 7)).astype(np.float32) for count in (asked, found))
    result = nearest(a, parts(b, size), 5, "cosine")
    cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    count = min(5, found)
    assert np.allclose(result.distances[:, :count], np.sort(1 - cosine, axis=1)[:, :count], atol=3e-6)
    assert np.allclose(
        1 - np.take_along_axis(cosine, result.rows[:, :count] // 10, axis=1), result.distances[:, :count], atol=3e-6
    )
    assert (result.rows[:, count:] == -1).all()
    assert np.isnan(result.distances[:, count:]).all()


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 60), st.integers(1, 70))
def test_by_euclidean_distance_they_are_those_of_scikit_learn(seed, asked, found, size):
    generator = np.random.default_rng(seed)
    a, b = (generator.standard_normal((n, 7)).astype(np.float32) * 100 for n in (asked, found))
    count = min(5, found)
    result = nearest(a, parts(b, size), 5, "euclidean")
    distances, rows = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(b).kneighbors(a.astype(np.float64))
    assert np.allclose(result.distances[:, :count], distances, rtol=1e-6)
    assert (result.rows[:, :count] == rows * 10).all()
    assert (result.rows[:, count:] == -1).all()
    assert np.isnan(result.distances[:, count:]).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_memory_does_not_grow_with_the_pairs(metric, monkeypatch):
    """Only so many distances stand in memory at a time, however many vectors there are on either side."""
    sizes, measure = [], neighbours._distances

    def measured(first, second, chosen):
        sizes.append(len(first) * len(second))
        return measure(first, second, chosen)

    monkeypatch.setattr(neighbours, "_distances", measured)
    vectors = np.random.default_rng(0).standard_normal((20_000, 2)).astype(np.float32)
    nearest(vectors[:3000], parts(vectors, 20_000), 5, metric)
    assert max(sizes) == neighbours.QUERY_BLOCK * neighbours.KNOWN_BLOCK
    assert sum(sizes) == 3000 * 20_000


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_of_equals_the_first_come_first_whatever_the_blocks(size, metric, monkeypatch):
    monkeypatch.setattr(neighbours, "KNOWN_BLOCK", 2)
    monkeypatch.setattr(neighbours, "QUERY_BLOCK", 2)
    same = np.ones((9, 4), np.float32)
    result = nearest(np.ones((3, 4), np.float32), parts(same, size), 3, metric)
    assert result.rows.tolist() == [[0, 10, 20]] * 3
    assert (result.distances == 0).all()


def test_opposites_zeros_and_nothing_at_all():
    one = np.array([[1, 0]], np.float32)
    found = nearest(one, parts(np.array([[-2, 0], [0, 0], [3, 0]], np.float32), 10), 3, "cosine")
    assert found.rows.tolist() == [[20, 10, 0]]
    assert found.distances.tolist() == [[0, 1, 2]]
    assert nearest(one, [], 2, "cosine").rows.tolist() == [[-1, -1]]
    assert nearest(one[:0], parts(one, 1), 2, "cosine").rows.shape == (0, 2)


def test_euclidean_distances_of_any_size():
    one = np.array([[3e18, 4e18]], np.float32)
    found = nearest(one, parts(np.array([[0, 0], [3e18, 4e18], [-3e18, -4e18]], np.float32), 10), 3, "euclidean")
    assert found.rows.tolist() == [[10, 0, 20]]
    assert found.distances.tolist() == [[0, pytest.approx(5e18), pytest.approx(1e19)]]


def test_of_many_rows_evenly_spaced_ones_stay():
    rows = np.arange(100, 200)
    assert evenly_spaced(rows, 100) is rows
    assert evenly_spaced(rows, 4).tolist() == [100, 125, 150, 175]
