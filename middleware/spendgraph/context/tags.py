"""The cost context: the tags that give a dollar its owner, immutable and checked once.

Imported on the way to a first callback, built for every task: standard library only, microseconds. How it
travels in a header is in `spendgraph.context.baggage`, what a policy asks of it in
`spendgraph.context.required`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType

from spendgraph.context.names import FIELDS, METADATA_PREFIX
from spendgraph.errors import ContextError, unexpected
from spendgraph.policy.vocabulary import (
    EXTRA_KEY,
    EXTRA_PREFIX,
    MAX_EXTRA_TAGS,
    MAX_TAG_CHARS,
    did_you_mean,
    shortened,
    tag_text,
    workload_class,
)

_ALIASES = {"parent_run_id": "task_id"}
_METADATA_KEYS = {name: METADATA_PREFIX + name for name in FIELDS}
_METADATA_TAGS = {METADATA_PREFIX + name: _ALIASES.get(name, name) for name in (*FIELDS, *_ALIASES)}
_EXTRA_METADATA = METADATA_PREFIX + EXTRA_PREFIX
_BELOW_MAY_SET = frozenset({"template", "template_version"})
_NO_EXTRA: Mapping[str, str] = MappingProxyType({})


_values: Callable[[object], tuple[str, ...]] = attrgetter(*FIELDS)
_ONLY_STR = {str}


def _plain(text: str) -> bool:
    """Whether text is fit for any tag without a closer look."""
    return len(text) <= MAX_TAG_CHARS and text.isascii() and text.isprintable()


def _no_extra() -> Mapping[str, str]:
    return _NO_EXTRA


@dataclass(frozen=True, slots=True, kw_only=True)
class CostContext:
    """Who pays for what runs under it, and for which task.

    An empty string means *unset*. Values are text of at most 256 visible characters, kept verbatim but
    for Unicode normalisation (NFC); `workload_class` is `interactive`, `batch`, `eval` or `background`;
    `extra` holds up to 16 tags of your own, with keys such as `region` or `release_train`.

    It checks form only. Which tags a task must have is the policy's word: see `missing_tags`.

    Example:
        >>> context = CostContext(feature="triage", team="support", tenant="acme", extra={"region": "eu"})
        >>> context.metadata()
        {'spend_feature': 'triage', 'spend_team': 'support', 'spend_tenant': 'acme', 'spend_x_region': 'eu'}
        >>> CostContext.from_metadata(context.metadata()) == context
        True

    Raises:
        ContextError: A tag's value or an extra tag's key is not acceptable; the message names it.
    """

    feature: str = ""
    team: str = ""
    workload_class: str = ""
    tenant: str = ""
    environment: str = ""
    user: str = ""
    version: str = ""
    template: str = ""
    template_version: str = ""
    workspace: str = ""
    project: str = ""
    cost_center: str = ""
    priority: str = ""
    task_id: str = ""
    extra: Mapping[str, str] = field(default_factory=_no_extra, hash=False)
    _context_id: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = _values(self)
        # Built for every task: one look at all tags together spares nearly every context the fourteen single ones.
        if set(map(type, values)) != _ONLY_STR or not _plain("".join(values)):
            for name, value in zip(FIELDS, values, strict=True):
                if type(value) is not str or value:
                    object.__setattr__(self, name, tag_text(name, value))
        if self.workload_class:
            workload_class(self.workload_class)
        if self.extra is not _NO_EXTRA:
            object.__setattr__(self, "extra", _checked_extra(self.extra))

    def __reduce__(self) -> tuple[Callable[[Mapping[str, object]], CostContext], tuple[dict[str, object]]]:
        return CostContext.from_mapping, (self.to_mapping(),)

    @property
    def is_empty(self) -> bool:
        """Whether no tag says who pays; a `task_id` alone says it not."""
        return not self.extra and not any(_values(self)[:-1])

    @property
    def context_id(self) -> str:
        """32 hex digits of the content of all tags but `task_id`: the key of the ledger's `contexts` row."""
        if not self._context_id:
            from hashlib import blake2b

            tags = self.to_mapping()
            tags.pop("task_id", None)
            content = json.dumps(tags, sort_keys=True, separators=(",", ":"))
            digest = blake2b(content.encode(), digest_size=16, person=b"spendgraph-ctx").hexdigest()
            object.__setattr__(self, "_context_id", digest)
        return self._context_id

    @property
    def extra_json(self) -> str:
        """The extra tags as canonical JSON: sorted keys, no spaces, ASCII; `{}` when there are none."""
        return json.dumps(dict(self.extra), sort_keys=True, separators=(",", ":")) if self.extra else "{}"

    def metadata(self) -> dict[str, str]:
        """The tags as flat RunnableConfig metadata: `spend_feature`, ..., `spend_x_<key>`; unset ones absent."""
        tags = {key: value for name, key in _METADATA_KEYS.items() if (value := getattr(self, name))}
        for key, value in self.extra.items():
            tags[_EXTRA_METADATA + key] = value
        return tags

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object]) -> CostContext | None:
        """Read what `metadata` wrote, `None` when there is no `spend_` key; other keys are the host's.

        Raises:
            ContextError: A `spend_` key is unknown, or its value is not acceptable.
        """
        try:
            # Called at every run's start: most have no tag of their own, and this line is all they cost.
            if METADATA_PREFIX not in "\n".join(metadata):
                return None
        except TypeError:  # a host may use keys that are no text
            if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
                raise ContextError(unexpected("", "a mapping of metadata", metadata)) from None
        keys = [key for key in metadata if type(key) is str and key.startswith(METADATA_PREFIX)]
        if not keys:
            return None
        tags: dict[str, object] = {}
        extra: dict[str, object] = {}
        for key in keys:
            name = _METADATA_TAGS.get(key)
            if name is not None:
                _set_once(tags, name, metadata[key])
            elif key.startswith(_EXTRA_METADATA):
                extra[key[len(_EXTRA_METADATA) :]] = metadata[key]
            else:
                raise ContextError(
                    f"unknown metadata key {shortened(key)}: expected {METADATA_PREFIX} and a tag "
                    f"({', '.join(FIELDS)}), or {_EXTRA_METADATA}<key>{did_you_mean(key, tuple(_METADATA_TAGS))}"
                )
        if extra:
            tags["extra"] = extra
        return cls(**tags)  # type: ignore[arg-type]  # the constructor checks every value

    def to_mapping(self) -> dict[str, object]:
        """The tags by name, extra ones under `extra`, unset ones absent: plain data for JSON and pickle."""
        tags: dict[str, object] = {name: value for name in FIELDS if (value := getattr(self, name))}
        if self.extra:
            tags["extra"] = dict(self.extra)
        return tags

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> CostContext:
        """Build a context from tags by name; `parent_run_id` is read as `task_id`.

        Raises:
            ContextError: A key is no tag, or its value is not acceptable.
        """
        if not isinstance(mapping, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ContextError(unexpected("", "a mapping of tags", mapping))
        tags: dict[str, object] = {}
        for key, value in mapping.items():
            name = _ALIASES.get(key, key)
            if name not in FIELDS and name != "extra":
                raise ContextError(
                    f"unknown tag {shortened(key)}: expected one of {', '.join(FIELDS)}; tags of your own go "
                    f"into extra{did_you_mean(str(key), FIELDS)}"
                )
            _set_once(tags, name, value)
        return cls(**tags)  # type: ignore[arg-type]  # the constructor checks every value

    def replace(self, **tags: object) -> CostContext:
        """A copy with these tags set; an empty string unsets one, `extra` is replaced whole.

        Raises:
            ContextError: A name is no tag, or its value is not acceptable.
        """
        return CostContext.from_mapping(
            {**self.to_mapping(), **{_ALIASES.get(k, k): v for k, v in tags.items()}}
        )

    def fill(self, other: CostContext) -> CostContext:
        """This context, with `other`'s tags where this one has none (extra tags too, up to 16 in all)."""
        tags = {name: value for name in FIELDS if not getattr(self, name) and (value := getattr(other, name))}
        extra = _merged_extra(self.extra, other.extra, newer_wins=False)
        return self._with(tags, extra)

    def below(self, other: CostContext) -> tuple[CostContext, tuple[str, ...]]:
        """This context as seen by a run below it that brings tags of its own.

        The run fills what is unset and sets `template`, `template_version` and extra tags. Whatever else
        is set stays: who pays changes only by a nested task in code. The task's id is never taken from
        below.

        Returns:
            The run's context, and the names of the tags it tried to change in vain.
        """
        if other is self or other == self:
            return self, ()
        tags: dict[str, str] = {}
        refused: list[str] = []
        for name in FIELDS:
            ours, theirs = getattr(self, name), getattr(other, name)
            if not theirs or theirs == ours:
                continue
            if name != "task_id" and (not ours or name in _BELOW_MAY_SET):
                tags[name] = theirs
            else:
                refused.append(name)
        extra = _merged_extra(self.extra, other.extra, newer_wins=True)
        refused.extend(EXTRA_PREFIX + key for key in other.extra if key not in extra)
        return self._with(tags, extra), tuple(refused)

    def baggage(self) -> str:
        """The tags as the value of a W3C `baggage` header: `spend_feature=triage,spend_tenant=acme`.

        Raises:
            ContextError: The tags need more than the 8,192 bytes that every hop must carry.
        """
        from spendgraph.context.baggage import write_baggage

        return write_baggage(self.metadata())

    @classmethod
    def from_baggage(cls, header: str, trusted: Collection[str]) -> CostContext | None:
        """Read an inbound W3C `baggage` header; `None` when it holds no trusted tag.

        It never raises: a header comes from outside. Members of others, malformed ones, and tags with
        unacceptable values are ignored.

        Args:
            header: The header's value; several headers joined by commas are one.
            trusted: The names of the tags to accept, such as `tenant`, `task_id` or `x_region`.
        """
        from spendgraph.context.baggage import read_baggage

        tags = read_baggage(header, trusted)
        return cls.from_metadata(tags) if tags else None

    def _with(self, tags: Mapping[str, str], extra: Mapping[str, str]) -> CostContext:
        """A copy with tags that were checked before, or this one if they change nothing."""
        if not tags and extra is self.extra:
            return self
        return CostContext(**{**self._set_tags(), **tags}, extra=extra)

    def _set_tags(self) -> dict[str, str]:
        return {name: value for name in FIELDS if (value := getattr(self, name))}


def _set_once(tags: dict[str, object], name: str, value: object) -> None:
    """Set a tag that an alias may have set already."""
    if tags.setdefault(name, value) != value:
        raise ContextError(
            f"tag {name!r} is given twice, with two values: drop one of task_id and parent_run_id"
        )


def _checked_extra(extra: Mapping[str, str]) -> Mapping[str, str]:
    """A private, read-only copy of extra tags that are fit to be kept; unset ones are dropped."""
    if not isinstance(extra, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # users pass anything
        raise ContextError(f"extra: expected a mapping of str to str, found {type(extra).__name__}")
    if len(extra) > MAX_EXTRA_TAGS:
        raise ContextError(f"extra: expected at most {MAX_EXTRA_TAGS} tags, found {len(extra):,}")
    kept: dict[str, str] = {}
    for key, value in extra.items():
        if type(key) is not str or not EXTRA_KEY.fullmatch(key):
            raise ContextError(
                f"extra: expected keys of 1 to 40 lower-case letters, digits and underscores that start with "
                f"a letter, found {shortened(key)}"
            )
        text = tag_text(EXTRA_PREFIX + key, value)
        if text:
            kept[key] = text
    return MappingProxyType(kept) if kept else _NO_EXTRA


def _merged_extra(
    ours: Mapping[str, str], theirs: Mapping[str, str], *, newer_wins: bool
) -> Mapping[str, str]:
    """Both maps' tags, at most 16: keys we have come first, so that a flood from below pushes none out."""
    if not theirs or theirs == ours:
        return ours
    merged = dict(ours)
    for key, value in theirs.items():
        if key in merged:
            merged[key] = value if newer_wins else merged[key]
        elif len(merged) < MAX_EXTRA_TAGS:
            merged[key] = value
    return ours if merged == ours else merged
