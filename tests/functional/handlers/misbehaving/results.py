"""Results that are no iterables of bytes, or badly made ones."""

from misbehaving import PLAIN


def returning(result):
    def application(environ, start_response):
        start_response("200 OK", PLAIN)
        return result() if callable(result) else result

    return application


async def coroutine():
    return [b"never awaited"]


async def async_generator():
    yield b"never asked"


class Broken:
    """Raises where the interpreter calls it."""

    def __init__(self, **faults):
        self.faults = faults
        self.left = [b"an ", b"answer"]

    def __iter__(self):
        if "iter" in self.faults:
            raise self.faults["iter"]
        return self

    def __next__(self):
        if "next" in self.faults:
            raise self.faults["next"]
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def __len__(self):
        raise self.faults["len"]

    def __bool__(self):
        raise self.faults["len"]


class ListThatLies(list):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        raise IndexError("nothing is here")


class IteratorOfNothing:
    def __iter__(self):
        return 17


class Once:
    """A file-like iterable that may be read once."""

    def __init__(self):
        self.is_read = False

    def __iter__(self):
        assert not self.is_read
        self.is_read = True
        return iter([b"an ", b"answer"])


class BytesThatLie(bytes):
    def __len__(self):
        return 3

    def __bytes__(self):
        return b"quite another answer"


nothing = returning(None)
number = returning(17)
mapping = returning({"an ": 1, "answer": 2})
text = returning("an answer")
text_items = returning(["an ", "answer"])
bare_bytes = returning(b"an answer")
numbers = returning(lambda: iter([1, 2, 3]))
late_number = returning(lambda: iter([b"begun ", 2]))
none_items = returning([None])
nested = returning([[b"an answer"]])
a_coroutine = returning(coroutine)
an_async_generator = returning(async_generator)
a_class = returning(lambda: Broken)
fault_in_iter = returning(lambda: Broken(iter=TypeError("in __iter__()")))
fault_in_next = returning(lambda: Broken(next=ValueError("in __next__()")))
exit_in_next = returning(lambda: Broken(next=SystemExit("in __next__()")))
fault_in_len = returning(lambda: Broken(len=ValueError("in __len__()")))
list_that_lies = returning(lambda: ListThatLies([b"an ", b"answer"]))
iterator_of_nothing = returning(IteratorOfNothing)
once = returning(Once)
bytes_that_lie = returning(lambda: [BytesThatLie(b"an answer")])
released_view = returning(lambda: [released()])


def released():
    view = memoryview(b"an answer")
    view.release()
    return view


def the_same_generator_twice(environ, start_response):
    """A generator that is used up by the first request for it."""
    start_response("200 OK", PLAIN)
    return SHARED


SHARED = (piece for piece in (b"an ", b"answer"))
next(SHARED)
next(SHARED)
