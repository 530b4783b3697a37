"""Tags in a W3C `baggage` header (https://www.w3.org/TR/baggage/): to other processes, queues and HTTP hops.

Keys are those of the metadata (`spend_tenant`), values are percent-encoded UTF-8. What is read comes from
outside, so nothing in it raises and only tags that were named as trusted are taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote_to_bytes

from spendgraph.context.names import FIELDS, METADATA_PREFIX
from spendgraph.errors import ContextError
from spendgraph.policy.vocabulary import EXTRA_KEY, EXTRA_PREFIX, MAX_EXTRA_TAGS, tag_text, workload_class

MAX_HEADER_BYTES = 8192
"""The header size that the specification asks every hop to carry."""

_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A subset of the specification's baggage-octet, which excludes blanks, `"`, `,`, `;` and `\`.
_UNQUOTED = "-._~/:@!$&'()*+"


def write_baggage(metadata: Mapping[str, str]) -> str:
    """The header's value for a context's metadata; empty when there are no tags.

    Raises:
        ContextError: It would be longer than 8,192 bytes.
    """
    members = [f"{key}={quote(value, safe=_UNQUOTED)}" for key, value in metadata.items()]
    header = ",".join(members)
    if len(header) > MAX_HEADER_BYTES:
        longest = max(members, key=len)
        raise ContextError(
            f"baggage: expected at most {MAX_HEADER_BYTES:,} bytes, found {len(header):,}; the longest is "
            f"{longest.partition('=')[0]!r} with {len(longest):,}: shorten it"
        )
    return header


def read_baggage(header: str, trusted: Collection[str]) -> dict[str, str]:
    """The trusted tags of a header as metadata; of a tag given twice the last one counts.

    Whole members within the first 8,192 bytes are read, whatever their number; properties (after `;`) are
    ignored, as are foreign, malformed and unacceptable members.
    """
    names = {trusted} if isinstance(trusted, str) else trusted
    if len(header) > MAX_HEADER_BYTES:
        header = header[: MAX_HEADER_BYTES + 1].rpartition(",")[0]
    tags: dict[str, str] = {}
    extras: set[str] = set()
    for member in header.split(","):
        key, equals, quoted = member.partition(";")[0].partition("=")
        name = key.strip(" \t").removeprefix(METADATA_PREFIX)
        name = "task_id" if name == "parent_run_id" else name
        if not equals or name not in names or not key.lstrip(" \t").startswith(METADATA_PREFIX):
            continue
        value = _decoded(name, quoted.strip(" \t"))
        if not value:
            continue
        if name.startswith(EXTRA_PREFIX):
            extras.add(name)
            if len(extras) > MAX_EXTRA_TAGS and METADATA_PREFIX + name not in tags:
                continue
        tags[METADATA_PREFIX + name] = value
    return tags


def _decoded(name: str, quoted: str) -> str:
    """A member's value, or nothing if a context could not hold it."""
    if name not in FIELDS and not (name.startswith(EXTRA_PREFIX) and EXTRA_KEY.fullmatch(name, 2)):
        return ""
    if _PERCENT.search(quoted):
        return ""
    try:
        value = tag_text(name, unquote_to_bytes(quoted).decode())
        return workload_class(value) if name == "workload_class" else value
    except ValueError:
        return ""
