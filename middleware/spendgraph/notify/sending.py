"""The one place that knows apprise: opens a service, sends a message, and keeps addresses out of every log."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}

_TALKATIVE: Final = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp", "paho")
"""Libraries whose loggers write addresses, at least at DEBUG: a webhook's path is its password."""

_quiet = threading.local()


def open_service(url: str) -> Any:
    """What apprise makes of an address, or `None` where it cannot."""
    instantiate = _load()
    with _silence():
        # Suppressing is right here: its exceptions hold the address.
        return instantiate(url, asset=_asset(), suppress_exceptions=True)


@cache
def _load() -> Callable[..., Any]:
    """Import apprise and its services, which takes a quarter of a second."""
    with warnings.catch_warnings():
        # It imports a deprecated module of Python's: no reason for a program that makes errors of warnings to fail.
        warnings.simplefilter("ignore")
        import apprise

        library: Any = apprise
        library.Apprise.instantiate("json://localhost")
    _muffle()
    instantiate: Callable[..., Any] = library.Apprise.instantiate
    return instantiate


def send(service: Any, title: str, message: str, severity: str) -> str:
    """Send a message; empty where it got there, else the class of what went wrong."""
    with _silence():
        try:
            sent = service.notify(body=message, title=title, notify_type=_TYPES[severity], body_format="text")
        except Exception as error:  # noqa: BLE001 - any of a hundred plugins; its message may hold the address
            return type(error).__name__
    return "" if sent else "NotDelivered"


@cache
def _asset() -> Any:
    """Sends from this thread, writes no files, and leaves texts alone."""
    import apprise

    return apprise.AppriseAsset(
        app_id="spendgraph",
        app_desc="spendgraph",
        async_mode=False,
        pgp_autogen=False,
        pem_autogen=False,
        secure_logging=True,
    )


@contextmanager
def _silence() -> Generator[None, None, None]:
    _quiet.now = True
    try:
        yield
    finally:
        _quiet.now = False


def _is_heard(_: logging.LogRecord) -> bool:
    return not getattr(_quiet, "now", False)


def _muffle() -> None:
    """Drop what those libraries log in a thread that is sending an alert; in others they are heard as ever."""
    for name in [*logging.root.manager.loggerDict, *_TALKATIVE]:
        if name.partition(".")[0] in _TALKATIVE:
            logging.getLogger(name).addFilter(_is_heard)
