"""Text from a ledger as a page may show it: nothing invisible, nothing that turns the line around, nothing too long."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    r"""Text with control, format and other characters without a shape as escapes that can be read.

    >>> visible("acme" + chr(0x202E) + "gpj.exe")
    'acme\\u202egpj.exe'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character)[0] == "C"
        else character
        for character in text
    )


def elided(text: str, longest: int) -> str:
    """Text of at most so many characters: a long one loses its middle, for names often differ at their ends.

    >>> elided("contract-review-of-the-european-subsidiaries", 20)
    'contract-r…sidiaries'
    """
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[-end:]}"
