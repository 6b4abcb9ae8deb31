r"""Text from elsewhere, made harmless to show: titles, names, keys, paths and messages of files that others wrote.

A terminal obeys what it is sent: ESC moves the cursor and renames the window, a carriage return or a line break begins
a line that looks like one of ours, marks of direction turn letters round.  Such characters are shown by their numbers.

    a line break, ESC [31m, U+202E     are shown as     \n, \x1b[31m, \u202e
"""

from __future__ import annotations

import os
import re

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, C0 and C1
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # ends of lines, directions, what has no width
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff]"  # bytes of a path that are no text: they cannot be encoded
)
_USUAL = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_BREAKS = re.compile("\\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\\s*")


def one_line(value: object) -> str:
    """A value as text that begins no line, moves no cursor and looks as it reads."""
    return _UNSEEN.sub(_number, str(value))


def several_lines(value: object) -> str:
    """The same for text that has lines of its own: line breaks and tabs stay."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t" else _number(found), str(value))


def in_json(text: str) -> str:
    """JSON whose strings hold no such character: each is written as JSON writes it, and reads as the same string."""
    return _UNSEEN.sub(lambda found: "\n" if found[0] == "\n" else _pairs(found[0]), text)


def joined_lines(text: str) -> str:
    """A title without its line breaks, a blank for each: what stands above a figure, or in a list, is one line."""
    return _BREAKS.sub(" ", text.strip())


def is_number(text: str) -> bool:
    """Whether Python reads a number in it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    short = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return _USUAL.get(found[0]) or (short if code < 65536 else f"\\U{code:08x}")


def _pairs(letter: str) -> str:
    """ "\\u001b"; two of them beyond 16 bits."""
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[k : k + 4]}" for k in range(0, len(units), 4))


def error_number(error: Exception) -> int | None:
    """The system's number of an error; HDF5 buries it in its text."""
    buried = re.search(r"errno = (\d+)", str(error))
    return getattr(error, "errno", None) or (int(buried[1]) if buried else None)


def in_words(error: Exception) -> str:
    """The system's own words, where there are some, else the library's; ends in a full stop."""
    number = error_number(error)
    text = os.strerror(number) if number else str(error)
    return text.rstrip(".") + "."
