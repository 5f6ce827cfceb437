"""Text that others have chosen, as a part of one line."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Escapes what could begin a line of its own, or hide one.

    A `durable_id` may come from outside: with a line break in it, it could write any line into the
    log. Terminals obey control characters, and text that runs backwards looks like another.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
