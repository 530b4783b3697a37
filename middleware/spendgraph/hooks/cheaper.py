"""The model that stands in for another when a budget runs low."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from spendgraph.errors import unexpected

_NAMES = ("model_name", "model", "model_id", "deployment_name")
"""What integrations call the field with the model's name."""

_MOST_KEPT = 64
_FALLBACK_MAX_TOKENS = 4_096


class Cheaper:
    """Finds cheaper models by the name of the dear one.

    A stand-in that is given as a name is the dear model itself with another name: the same account, the same
    address, the same settings, so that no call goes where the dear one would not have gone. `provider:name` makes
    a new model with LangChain's `init_chat_model`, which reads its key from the environment.

    Args:
        models: What stands in for a model of a name: a name, or a model.

    Raises:
        ValueError: They are no models, or stand in for each other in a circle.
    """

    def __init__(self, models: Mapping[str, str | BaseChatModel]) -> None:
        is_mapping = isinstance(models, Mapping)  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
        if not is_mapping or not all(isinstance(each, str | BaseChatModel) for each in models.values()):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            expected = "models or their names by the name of the dear one for cheaper, such as {'gpt-5': 'gpt-5-mini'}"
            raise ValueError(unexpected("BudgetMiddleware", expected, models))
        self._models = dict(models)
        self._made: dict[tuple[int, str], tuple[BaseChatModel, BaseChatModel]] = {}
        for name in self._models:
            seen = {name}
            after = self._models[name]
            while isinstance(after, str) and after in self._models:
                if after in seen:
                    raise ValueError(f"BudgetMiddleware: cheaper goes round in a circle at {after!r}")
                seen.add(after)
                after = self._models[after]

    def last(self, name: str) -> str:
        """The name of the model at the end of the ladder that begins at this one."""
        wanted = self._models.get(name)
        while isinstance(wanted, str) and wanted != name:
            name, wanted = wanted, self._models.get(wanted)
        return (
            name.partition(":")[2] or name
            if wanted is None or isinstance(wanted, str)
            else _said_name(wanted)
        )

    def than(self, model: BaseChatModel, name: str) -> BaseChatModel | None:
        """The model that stands in for one of this name, or `None`."""
        wanted = self._models.get(name)
        if wanted is None or wanted == name:
            return None
        if not isinstance(wanted, str):
            return None if wanted is model else wanted
        known = self._made.get((id(model), wanted))
        if known is not None and known[0] is model:
            return known[1]
        made = _made(model, wanted)
        if len(self._made) >= _MOST_KEPT:
            self._made.clear()
        self._made[id(model), wanted] = model, made
        return made


def _made(model: BaseChatModel, name: str) -> BaseChatModel:
    if ":" in name and name.partition(":")[0].replace("_", "").isalpha():
        from langchain.chat_models import init_chat_model

        return init_chat_model(name)
    field = next((each for each in _NAMES if isinstance(getattr(model, each, None), str)), None)
    if field is None:
        raise ValueError(
            f"BudgetMiddleware: {type(model).__name__} does not say where its model's name is: give cheaper a model"
            f" in the place of {name!r}"
        )
    before: Any = model.profile or {}
    copy = model.model_copy(update={field: name, "profile": None})
    copy.profile = copy._resolve_model_profile()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - what its constructor does
    limit: Any = getattr(copy, "max_tokens", None)
    if type(limit) is int:
        # Anthropic's is the dear model's own most where nobody has set one, and more than another takes.
        after: Any = (copy.profile or {}).get("max_output_tokens")
        if limit == before.get("max_output_tokens"):
            copy = copy.model_copy(update={"max_tokens": after or _FALLBACK_MAX_TOKENS})
        elif type(after) is int and after < limit:
            copy = copy.model_copy(update={"max_tokens": after})
    if _said_name(copy) != name:
        raise ValueError(
            f"BudgetMiddleware: {type(model).__name__} did not become {name!r}: give cheaper a model in its place"
        )
    return copy


def _said_name(model: BaseChatModel) -> str:
    said: Any = model._get_ls_params()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - what LangChain announces
    return str(said.get("ls_model_name") or "")
