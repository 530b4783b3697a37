"""Where people are told: the policy's `notify`, with its addresses read.

An address is a secret. It is never in a message, a log line or the ledger: a channel is called `growth[0]`, the first
address of `growth`.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from spendgraph.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spendgraph.policy import Policy

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")


class Channels:
    """The channels of a policy.

    Args:
        urls: Of each name, its addresses.
    """

    def __init__(self, urls: Mapping[str, tuple[str, ...]]) -> None:
        self._urls = dict(urls)
        self._of = {name: tuple(f"{name}[{at}]" for at in range(len(urls[name]))) for name in urls}

    def __bool__(self) -> bool:
        return bool(self._urls)

    def __contains__(self, name: object) -> bool:
        return name in self._urls

    def __repr__(self) -> str:
        return f"Channels({', '.join(self._of)})"

    @property
    def every(self) -> frozenset[str]:
        """The names of all channels, such as `growth[0]`."""
        return frozenset(channel for of in self._of.values() for channel in of)

    def known(self, names: Iterable[str | None]) -> tuple[str, ...]:
        """Those of the names that can be told, each once."""
        return tuple(dict.fromkeys(name for name in names if name is not None and name in self._urls))

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The channels of names, such as `growth[0]`."""
        return tuple(channel for name in names for channel in self._of.get(name, ()))

    def url(self, channel: str) -> str | None:
        """The address of a channel; `None` where the policy has no such channel any more."""
        name, _, at = channel.removesuffix("]").rpartition("[")
        return self._urls[name][int(at)] if channel in self._of.get(name, ()) else None


def read_channels(
    policy: Policy, path: str = "<policy>", environment: Mapping[str, str] = os.environ
) -> Channels:
    """Read where people are told, with environment variables in the place of `${NAME}`.

    The first call with addresses takes a quarter of a second, in which apprise is loaded; without any it is not.

    Args:
        policy: The policy.
        path: Its file, for error messages.
        environment: The variables.

    Raises:
        PolicyError: A variable is not set, or apprise cannot read an address; it names the key, never the address.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, urls in policy.notify.items():
        read: list[str] = []
        for at, text in enumerate(urls):
            where = f"notify.{name}[{at}]"

            def value(match: re.Match[str], where: str = where) -> str:
                variable = match[1]
                if not variable.isidentifier():
                    raise PolicyError(
                        f"{where}: expected the name of an environment variable between ${{ and }}", path=path
                    )
                if not environment.get(variable):
                    raise PolicyError(
                        f"{where}: expected the environment variable {variable!r}, which its address names, found it"
                        " empty or not set: set it",
                        path=path,
                    )
                return environment[variable]

            url = _VARIABLE.sub(value, text)
            if not is_readable(url):
                raise PolicyError(
                    f"{where}: expected an address that apprise can read, such as slack://... or mailto://..., found"
                    " another (it is not shown, because it may hold a secret): https://appriseit.com/services/ has the"
                    " form of each service",
                    path=path,
                )
            read.append(url)
        found[name] = tuple(read)
    return Channels(found)


@lru_cache(maxsize=256)
def is_readable(url: str) -> bool:
    """Whether apprise can make a service of an address."""
    from spendgraph.notify.sending import open_service

    return open_service(url) is not None
