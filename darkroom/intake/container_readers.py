"""The reader of each kind of container: its pictures as virtual files.

`opener` imports this module once it meets a container: most archives hold none, and every start would wait for it.
"""

from collections.abc import Callable, Iterator

from darkroom.base.errors import UserError
from darkroom.intake import cifar_batches, idx_files, numpy_files, picture_parquet, pixel_tables
from darkroom.intake.contained import Container, Picture
from darkroom.intake.containers import kind_of

KINDS: dict[str, Callable[[Container], Iterator[Picture]]] = {
    "CSV of pixels": pixel_tables.pictures,
    "idx": idx_files.pictures,
    "NumPy array": numpy_files.pictures,
    "NumPy arrays": numpy_files.pictures,
    "Parquet": picture_parquet.pictures,
    "CIFAR batch": cifar_batches.pictures,
}


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of a container, in its order. Raises UserError where it is damaged, or no container after all."""
    kind = kind_of(container.path, container.stream)
    if kind is None:
        raise UserError(f"{container.path} holds no pictures that Darkroom reads: take it out of the subsets")
    return KINDS[kind](container)
