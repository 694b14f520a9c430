"""Exceptions at every place where a handler's code runs."""

from misbehaving import PLAIN


def before_the_head(environ, start_response):
    raise ValueError("before the head")


def behind_the_head(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("behind the head")


def system_exit(environ, start_response):
    raise SystemExit(3)


def keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt("not really")


def generator_exit(environ, start_response):
    raise GeneratorExit("none")


class Peculiar(BaseException):
    pass


def base_exception(environ, start_response):
    raise Peculiar("of no kind")


def stop_iteration(environ, start_response):
    raise StopIteration("outside of an iterator")


class ExitsWhenTold(Exception):
    def __str__(self):
        raise SystemExit("in str()")


def exit_in_str(environ, start_response):
    raise ExitsWhenTold


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("in str()")

    __repr__ = __str__


def raise_in_str(environ, start_response):
    raise Unprintable


def at_the_first_item(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("at the first item")
    yield b""


def at_a_later_item(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    raise SystemExit("at a later item")


def at_a_later_item_of_a_known_length(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "100")])
    yield b"begun "
    raise ValueError("at a later item")


def behind_a_complete_answer(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    yield b"whole"
    raise ValueError("behind a complete answer")


class Items:
    def __init__(self, fault):
        self.fault = fault
        self.items = iter([b"an ", b"answer"])

    def __iter__(self):
        return self.items

    def close(self):
        raise self.fault


def in_close(environ, start_response):
    start_response("200 OK", PLAIN)
    return Items(ValueError("in close()"))


def exit_in_close(environ, start_response):
    start_response("200 OK", PLAIN)
    return Items(SystemExit("in close()"))


class HasNoClose:
    def __iter__(self):
        return iter([b"an ", b"answer"])

    def __getattr__(self, name):
        raise SystemExit(f"no {name}")


def where_close_is_looked_for(environ, start_response):
    start_response("200 OK", PLAIN)
    return HasNoClose()


def in_the_cleanup_of_a_generator(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "2")])
    try:
        yield b"an answer"
        yield b"that is longer than it says"
    finally:
        raise ValueError("in the clean-up")


def ignoring_the_end_of_a_generator(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "2")])
    while True:
        try:
            yield b"an answer without end"
        except GeneratorExit:
            yield b"still here"


def behind_write(environ, start_response):
    start_response("200 OK", PLAIN)(b"begun ")
    raise ValueError("behind write()")


def in_what_write_is_given(environ, start_response):
    start_response("200 OK", PLAIN)(17)
    return []


class Farewell:
    def __del__(self):
        raise ValueError("in __del__()")


def in_del(environ, start_response):
    start_response("200 OK", PLAIN)
    environ["farewell"] = Farewell()
    return [b"an answer"]
