"""Reads pickles of arrays, as CIFAR's batches are, and builds arrays, dicts, lists, text, bytes and numbers alone.

A pickle is a program, and Python's own reader calls whatever it names. This one calls nothing: what it meets of NumPy
is kept as data and becomes an array once its numbers are known to be there; any other name is refused. Format: the
comments of CPython's pickletools, which takes the opcodes apart here; numpy.ndarray.__reduce__.
"""

import pickletools
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from darkroom.base.errors import UserError, printable

MOST_BYTES = 2**28  # of one file; CIFAR-100's train has 155 million
MOST_STEPS = 1_000_000  # opcodes, each of which may make an object
DEEPEST = 100  # marks that are open, and so containers in containers while they are read
MOST_SIDES = 4
TYPES = {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"}
MARK = object()


class _Name(NamedTuple):
    """A function or class of NumPy that a pickle of arrays asks for."""

    text: str


class _Kind:
    """A type of numbers, not yet with its order of bytes."""

    def __init__(self, code: str, order: str = "|") -> None:
        self.code, self.order = code, order


class _Array:
    """An array whose numbers are still to come."""

    def __init__(self) -> None:
        self.values: Any = None


# By module and name; NumPy 2 calls its module _core.
KNOWN = {
    **{f"numpy.{core}.multiarray _reconstruct": "array" for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray scalar": "scalar" for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": "buffer" for core in ("core", "_core")},
    "numpy ndarray": "class",
    "numpy dtype": "kind",
    "_codecs encode": "encode",
}


class _Unreadable(Exception):
    """The pickle is none that is read; the message says why."""


class _Bounded:
    """A stream for pickletools that gives no more than MOST_BYTES."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def read(self, size: int) -> bytes:
        return self._counted(self._stream.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._counted(self._stream.readline(min(10_000, self._left + 1)))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise _Unreadable(f"it has more than {MOST_BYTES:,} bytes")
        return data


def load(stream: IO[bytes], path: str) -> Any:
    """What the pickle in a stream holds: arrays, dicts, lists, tuples, text, bytes, numbers. Raises UserError."""
    try:
        return _final(_run(stream))
    except _Unreadable as error:
        reason = str(error)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        reason = f"it is damaged: {error}"
    raise UserError(
        f"{path} is no pickle of arrays that is read safely ({printable(reason)}): fetch it from its makers again"
    )


def _run(stream: IO[bytes]) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    marks = text = 0
    steps: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]
    steps = pickletools.genops(_Bounded(stream))  # type: ignore[arg-type]
    for step, (opcode, argument, _) in enumerate(steps):
        name = opcode.name
        if step > MOST_STEPS:
            raise _Unreadable(f"it takes more than {MOST_STEPS:,} steps")
        if name == "MARK":
            marks += 1
            if marks > DEEPEST:
                raise _Unreadable(f"lists lie in lists more than {DEEPEST} deep")
            stack.append(MARK)
        elif name == "STOP":
            return stack.pop()
        elif name in PLAIN:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_known(argument))
        elif name in STEPS:
            marks -= name in CLOSING
            if name in ENCODING and isinstance(stack[-1], tuple):
                text += sum(len(one) for one in stack[-1] if isinstance(one, str))
                if text > MOST_BYTES:  # one text, remembered once, may be asked for again and again
                    raise _Unreadable(f"it makes more than {MOST_BYTES:,} bytes of text")
            STEPS[name](stack)
        elif name not in ("PROTO", "FRAME"):
            raise _Unreadable(f"it holds {name}, which a pickle of arrays does not")
    raise _Unreadable("it is cut short")


PLAIN = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE"}
PLAIN |= {"STRING", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
PLAIN |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}


def _known(name: str) -> _Name:
    if name not in KNOWN:
        raise _Unreadable(f"it asks for {name.replace(' ', '.')[:100]}, which no array needs: it may do harm")
    return _Name(KNOWN[name])


def _since_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1
    while stack[at] is not MARK:  # below the lowest mark the index leaves the list: LookupError
        at -= 1
    found = stack[at + 1 :]
    del stack[at:]
    return found


def _last(stack: list[Any], count: int) -> None:
    found = tuple(stack[-count:])
    if len(found) < count or MARK in found:
        raise _Unreadable("it is damaged")
    stack[-count:] = [found]


def _extend(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise _Unreadable("it is damaged: what it appends to is no list")
    stack[-1].extend(items)


def _set(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], dict):
        raise _Unreadable("it is damaged: what it writes into is no dict")
    stack[-1].update(_pairs(items))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    # Keys of other kinds may be nested so deep that to compare them ends the process.
    if len(items) % 2 or not all(isinstance(key, str | bytes) for key in items[::2]):
        raise _Unreadable("a key of a dict in it is no text")
    return dict(zip(items[::2], items[1::2], strict=True))


def _stack_global(stack: list[Any]) -> None:
    name, module = stack.pop(), stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise _Unreadable("it asks for something without a name")
    stack.append(_known(f"{module} {name}"))


def _reduce(stack: list[Any]) -> None:
    """What Python's reader calls a function for."""
    arguments, name = stack.pop(), stack.pop()
    if not isinstance(name, _Name) or not isinstance(arguments, tuple):
        raise _Unreadable("it calls what is no function of NumPy")
    if name.text == "array":
        stack.append(_Array())
    elif name.text == "kind":
        if not isinstance(arguments[0], str) or arguments[0] not in TYPES:
            raise _Unreadable("it holds an array of something else than numbers")
        stack.append(_Kind(arguments[0]))
    elif name.text == "encode" and arguments[1:] == ("latin1",):
        stack.append(arguments[0].encode("latin-1"))
    elif name.text == "scalar":
        kind, data = arguments
        stack.append(_numbers(kind, (1,), data)[0].item())
    elif name.text == "buffer":
        data, kind, shape, order = arguments
        if order != "C":
            raise _Unreadable("its array is stored by columns")
        made = _Array()
        made.values = _numbers(kind, shape, data)
        stack.append(made)
    else:
        raise _Unreadable("it calls a function with what an array does not need")


def _build(stack: list[Any]) -> None:
    """What Python's reader calls `__setstate__` for."""
    state, built = stack.pop(), stack[-1]
    if isinstance(built, _Kind) and isinstance(state, tuple):
        if state[1] not in ("<", ">", "|", "="):
            raise _Unreadable("its array has an unknown order of bytes")
        built.order = state[1]
    elif isinstance(built, _Array) and isinstance(state, tuple) and len(state) == 5:
        _, shape, kind, by_columns, data = state
        if by_columns and len(shape) > 1:
            raise _Unreadable("its array is stored by columns")
        built.values = _numbers(kind, shape, data)
    else:
        raise _Unreadable("it sets what is no array")


def _numbers(kind: Any, shape: Any, data: Any) -> Any:
    if isinstance(data, str):  # a string of Python 2
        data = data.encode("latin-1")
    is_shape = isinstance(shape, tuple) and len(shape) <= MOST_SIDES
    if not isinstance(kind, _Kind) or not is_shape or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise _Unreadable("its array is of an unknown kind")
    full = np.dtype(f"{kind.order}{kind.code}")
    if not isinstance(data, bytes | bytearray) or len(data) != int(np.prod(shape, dtype=object)) * full.itemsize:
        raise _Unreadable(f"its array of {'x'.join(map(str, shape))} has not as many numbers as it promises")
    return np.frombuffer(data, full).reshape(shape)


ENCODING = {"REDUCE", "BUILD"}  # may make bytes of the text in their arguments
CLOSING = {"LIST", "DICT", "TUPLE", "APPENDS", "SETITEMS", "POP_MARK"}
STEPS: dict[str, Callable[[list[Any]], Any]] = {
    "POP": lambda stack: stack.pop(),
    "POP_MARK": _since_mark,
    "LIST": lambda stack: stack.append(_since_mark(stack)),
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "DICT": lambda stack: stack.append(_pairs(_since_mark(stack))),
    "TUPLE1": lambda stack: _last(stack, 1),
    "TUPLE2": lambda stack: _last(stack, 2),
    "TUPLE3": lambda stack: _last(stack, 3),
    "APPEND": lambda stack: _extend(stack, [stack.pop()]),
    "APPENDS": lambda stack: _extend(stack, _since_mark(stack)),
    "SETITEM": lambda stack: _set(stack, [stack.pop(-2), stack.pop()]),
    "SETITEMS": lambda stack: _set(stack, _since_mark(stack)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _final(found: Any) -> Any:
    """What was built, with arrays in the place of those that wait; at the top, and in a dict at the top."""
    if isinstance(found, dict):
        return {key: _whole(value) for key, value in found.items()}
    return _whole(found)


def _whole(found: Any) -> Any:
    if not isinstance(found, _Array):
        return found
    if found.values is None:
        raise _Unreadable("an array in it has no numbers")
    return found.values
