"""The bound on the wire: real integrations of providers, a provider on the loopback that honours what it is sent."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware import ModelRequest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr

from budgets.agents import EITHER_WAY, agent_of, ask, config, counters, degraded, lookup, metered
from provider import Provider
from provider import ask as scripted
from spendgraph import BudgetExceeded
from spendgraph.hooks.cheaper import Cheaper
from spendgraph.hooks.forms import Forms, announce
from spendgraph.hooks.output_limits import OUTPUT_LIMITS, limit_names
from spendgraph.policy import parse_policy

KEY = SecretStr("account-bounds")
ENDLESS = scripted(input=60, output=500_000)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of this test's own."""
    with Provider() as running:
        yield running


def chat(url: str, **more: Any) -> ChatOpenAI:
    """OpenAI's Chat Completions."""
    return ChatOpenAI(model="gpt-5", base_url=f"{url}/v1", api_key=KEY, **more)


def responses(url: str, **more: Any) -> ChatOpenAI:
    """OpenAI's Responses."""
    return chat(url, use_responses_api=True, **more)


def limited(make: Callable[..., ChatOpenAI]) -> Callable[..., ChatOpenAI]:
    """A model with a limit of its own."""

    def made(url: str, **more: Any) -> ChatOpenAI:
        return make(url, max_tokens=9_000, **more)

    return made


def claude(url: str, model: str = "claude-sonnet-4-6", **more: Any) -> ChatAnthropic:
    """Anthropic's Messages."""
    return ChatAnthropic(model_name=model, base_url=url, api_key=KEY, **more)


def azure(**more: Any) -> AzureChatOpenAI:
    """OpenAI's models at Azure."""
    return AzureChatOpenAI(
        azure_deployment="d",
        model="gpt-5",
        api_key=KEY,
        azure_endpoint="https://a.invalid",
        api_version="2024-10-21",
        **more,
    )


def gemini() -> Any:
    """Google's Gemini, with a limit of its own."""
    return ChatGoogleGenerativeAI(model="gemini-2.5-flash", api_key=KEY, max_output_tokens=9_000)


def azures_limit(model: Any, bound: dict[str, int]) -> Any:
    """The limit in Azure's request."""
    return model._get_request_payload("hi", **bound)["max_completion_tokens"]


def geminis_limit(model: Any, bound: dict[str, int]) -> Any:
    """The limit in Google's request."""
    return model._prepare_params(None, **bound).max_output_tokens


MODELS: dict[str, tuple[Callable[..., Any], str]] = {
    "chat": (chat, "max_completion_tokens"),
    "chat with a limit": (limited(chat), "max_completion_tokens"),
    "responses": (responses, "max_output_tokens"),
    "responses with a limit": (limited(responses), "max_output_tokens"),
    "anthropic": (claude, "max_tokens"),
}


@EITHER_WAY
@pytest.mark.parametrize("reserve", ["expected", "strict"])
@pytest.mark.parametrize("kind", MODELS)
def test_the_bound_reaches_the_provider(
    tmp_path: Path, provider: Provider, kind: str, reserve: str, asynchronous: bool
) -> None:
    """Under the name it has on the wire, once; an answer without end ends within the budget."""
    make, name = MODELS[kind]
    policy = parse_policy(f"version: 1\nbudgets: [{{name: cap, limit_usd: '0.05', reserve: {reserve}}}]")
    with metered(tmp_path, policy) as meter:
        agent = agent_of(meter, make(provider.url), tools=[lookup])
        answer = ask(agent, config(meter), asynchronous=asynchronous, text=ENDLESS)
        (body,) = provider.bodies("account-bounds")
        ((change),) = degraded(answer)
        assert {limit: body[limit] for limit in body if limit.startswith("max_")} == {name: change["to"]}
        assert 1_000 < change["to"] < 5_000
        spent, held = counters(meter)
        assert (spent <= 50_000_000, held) == (True, 0)
        (line,) = provider.invoice("account-bounds").lines
        assert line.tokens.output == change["to"]
        assert meter.ledger.verify() == []


def test_streams_are_bounded_on_the_wire(tmp_path: Path, provider: Provider) -> None:
    """Token by token it is the same request."""
    make, name = MODELS["chat"]
    with metered(tmp_path, parse_policy("version: 1\nbudgets: [{name: cap, limit_usd: '0.05'}]")) as meter:
        agent = agent_of(meter, make(provider.url))
        list(agent.stream({"messages": [("user", ENDLESS)]}, config(meter), stream_mode="messages"))
        (body,) = provider.bodies("account-bounds")
        assert body[name] < 5_000
        assert counters(meter)[0] <= 50_000_000


def test_a_thinking_models_answer_is_not_bounded_into_its_thinking(
    tmp_path: Path, provider: Provider
) -> None:
    """2,000 tokens of thinking and 256 of answer are the least; for less the call is refused."""
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    model = claude(provider.url, thinking=thinking)
    policy = "version: 1\nbudgets: [{{name: cap, limit_usd: '{}'}}]"
    (tmp_path / "less").mkdir()
    with metered(tmp_path, parse_policy(policy.format("0.036"))) as meter:
        ask(agent_of(meter, model), config(meter), text=ENDLESS)
    with (
        metered(tmp_path / "less", parse_policy(policy.format("0.033"))) as meter,
        pytest.raises(BudgetExceeded),
    ):
        ask(agent_of(meter, model), config(meter), text=ENDLESS)
    (body,) = provider.bodies("account-bounds")
    assert 2_256 <= body["max_tokens"] < 2_400


def test_a_named_stand_in_is_the_same_account_at_the_same_address(tmp_path: Path, provider: Provider) -> None:
    """`gpt-5` becomes `gpt-4o`: nothing but the name is another on the wire."""
    policy = parse_policy(
        "version: 1\nbudgets: [{name: cap, limit_usd: '0.05', thresholds: [{at: 1%, do: degrade}]}]"
    )
    with metered(tmp_path, policy) as meter:
        agent = agent_of(meter, chat(provider.url, max_tokens=200), cheaper={"gpt-5": "gpt-4o"})
        ask(agent, config(meter), text=ENDLESS)
        answer = ask(agent, config(meter), text=ENDLESS)
        assert [body["model"] for body in provider.bodies("account-bounds")] == ["gpt-5", "gpt-4o"]
        assert degraded(answer) == [{"change": "model", "from": "gpt-5", "to": "gpt-4o"}]
        assert meter.ledger.verify() == []


def test_a_stand_in_has_its_own_models_limits() -> None:
    """Anthropic's default `max_tokens` is the dear model's most, which a small model rejects."""

    def stand_in(dear: ChatAnthropic, name: str) -> Any:
        return Cheaper({dear.model: name}).than(dear, dear.model)

    dear = claude("http://a.invalid", "claude-sonnet-4-5")
    assert dear.max_tokens == 64_000
    assert stand_in(dear, "claude-3-haiku-20240307").max_tokens == 4_096  # no profile says what it takes
    known = stand_in(dear, "claude-opus-4-5")
    assert known.max_tokens == known.profile["max_output_tokens"]
    assert known.profile.get("name") != (dear.profile or {}).get("name")
    own = claude("http://a.invalid", "claude-sonnet-4-5", max_tokens=700)
    assert stand_in(own, "claude-3-haiku-20240307").max_tokens == 700


@pytest.mark.parametrize(
    ("make", "wire"),
    [pytest.param(gemini, geminis_limit, id="google_genai"), pytest.param(azure, azures_limit, id="azure")],
)
def test_names_that_are_not_tried_on_a_wire_are_tried_in_the_request(make: Any, wire: Any) -> None:
    """The integration's own request carries the bound, and LangChain announces it."""
    model = make()
    provider = model._get_ls_params()["ls_provider"]
    bound = dict.fromkeys(OUTPUT_LIMITS[provider], 300)
    assert wire(model, bound) == 300
    assert announce(model, bound)[1].max_output_tokens == 300


def test_a_bound_that_would_not_be_heeded_is_not_relied_on(tmp_path: Path) -> None:
    """Azure sends its own `max_tokens` beside any other: such a model is not bounded, a strict budget refuses it."""
    model = azure(max_tokens=9_000)
    forms = Forms(Cheaper({}), optional_tools=frozenset(), trim=None, min_output_tokens=1, output_limits={})
    form = forms.first(ModelRequest(model=model, messages=[HumanMessage("hi")]))
    assert (form.bounded, form.longest) == (None, 9_000)
    assert forms.first(ModelRequest(model=azure(), messages=[HumanMessage("hi")])).bounded is not None
    with (
        metered(
            tmp_path, parse_policy("version: 1\nbudgets: [{name: cap, limit_usd: '0.01', reserve: strict}]")
        ) as meter,
        pytest.raises(BudgetExceeded),
    ):
        ask(agent_of(meter, model), config(meter))


def test_what_the_user_says_comes_first() -> None:
    """One name or several."""
    assert limit_names("groq", {"groq": "max_tokens"}) == ("max_tokens",)
    assert limit_names("openai", {"openai": ("a", "b")}) == ("a", "b")
    assert limit_names("groq", {}) == ()
