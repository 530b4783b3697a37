"""How a task of each feature goes: which models and tools it calls, and how much of them.

A recipe writes one task's acts into a script. Sizes are log-normal, so a few tasks cost many times what most do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.pricing import Usage
from spendgraph_demo.history.chance import around
from spendgraph_demo.history.planted import BROKEN_CACHE, REGRESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph_demo.history.acts import Heard
    from spendgraph_demo.history.editions import Edition
    from spendgraph_demo.history.script import Script


def triage(script: Script, edition: Edition) -> None:
    """A mail is sorted, looked up and answered: one draft, whose prompt the regressed version makes longer."""
    rng = script.rng
    mail = around(rng, 900, 0.7)
    heard: Heard = "cache_hit" if rng.random() < 0.03 else "reported"
    sorting = Usage(input_tokens=mail + 600, output_tokens=around(rng, 30, 0.3))
    script.model("classify", "openai", "gpt-5-nano", sorting, template="sort-mail", heard=heard)
    script.retrieve("lookup")
    if rng.random() < 0.3:
        script.tool("order_lookup", "lookup", 0.2)
    prompt = mail + around(rng, 20_000, 0.35)
    cached = 2_048 if rng.random() < 0.7 else 0
    answer = around(rng, 700, 0.4)
    usual = Usage(prompt, answer, cached, reasoning_tokens=answer // 2)
    if edition.growth == 1:
        script.model("draft", "openai", "gpt-5", usual, template="draft-reply")
    else:
        grown = Usage(round(prompt * edition.growth), answer, cached, reasoning_tokens=answer // 2)
        script.model(
            "draft", "openai", "gpt-5", grown, template="draft-reply", planted=REGRESSION, baseline=usual
        )


def chat(script: Script, edition: Edition) -> None:
    """One turn of a chat: an answer from a long cached prompt, sometimes after a look into the help pages."""
    rng = script.rng
    prompt = around(rng, 22_000, 0.3)
    for turn in range(2 if rng.random() < 0.35 else 1):
        if turn:
            script.retrieve("look-up")
            prompt += around(rng, 1_400, 0.3)
        answer = around(rng, 260, 0.5)
        hits = rng.random() < 0.88
        usual = _cached(prompt, answer, 0.82 if hits else 0.0)
        if edition.cached_share is None:
            script.model("answer", "anthropic", "claude-sonnet-4-5", usual, template="chat-answer")
        else:
            script.model(
                "answer",
                "anthropic",
                "claude-sonnet-4-5",
                _cached(prompt, answer, edition.cached_share),
                template="chat-answer",
                planted=BROKEN_CACHE,
                baseline=usual,
            )


def review(script: Script, _edition: Edition, planted: str = "") -> None:
    """A contract is read clause by clause in parallel, looked up, and sometimes shown to a lawyer."""
    rng = script.rng
    contract = min(150_000, around(rng, 36_000, 0.5))
    plan = _written(contract, around(rng, 500, 0.3))
    script.model("plan", "anthropic", "claude-sonnet-4-5", plan, template="review-plan", planted=planted)
    began_us = latest_us = script.now_us
    for _ in range(rng.randint(2, 7)):
        script.now_us = began_us
        if not planted:
            script.retrieve("clause", "clause-library")
            script.rerank("clause", rng.randint(10, 40))
        checked = _cached(contract + around(rng, 1_500, 0.3), around(rng, 700, 0.4), 0.9)
        script.model(
            "clause", "anthropic", "claude-sonnet-4-5", checked, template="clause-check", planted=planted
        )
        if rng.random() < 0.2:
            script.tool("web_search", "clause", 0.9, planted=planted)
        latest_us = max(latest_us, script.now_us)
    script.now_us = latest_us
    summary = Usage(around(rng, 6_000, 0.3), around(rng, 1_100, 0.3))
    script.model("summarise", "anthropic", "claude-sonnet-4-5", summary, template="summary", planted=planted)
    if not planted and rng.random() < 0.04:
        script.wait(rng.uniform(60, 5_400))
        script.other("human_review", "lawyer", rng.randint(2, 9))


def research(script: Script, _edition: Edition) -> None:
    """An agent searches and reads until it knows enough: each turn's prompt holds all the turns before it."""
    rng = script.rng
    prompt = around(rng, 9_000, 0.3)
    turns = min(14, around(rng, 4, 0.45))
    for turn in range(turns):
        answer = around(rng, 650, 0.45)
        cached = prompt // 128 * 64 if turn else 0
        usage = Usage(prompt, answer, cached, reasoning_tokens=answer // 2)
        script.model("agent", "openai", "gpt-5", usage, template="research-turn")
        if turn == turns - 1:
            break
        if rng.random() < 0.6:
            script.tool("web_search", "tools", 0.9)
            prompt += around(rng, 2_500, 0.4)
        else:
            pages = min(30, around(rng, 3, 0.8))
            place = script.tool("read_pages", "tools", 1.2 * pages, quantity=pages)
            if rng.random() < 0.25:
                short = Usage(pages * 1_800, around(rng, 400, 0.3))
                script.model("tools", "openai", "gpt-5-mini", short, template="shorten", parent=place)
            prompt += pages * around(rng, 1_500, 0.3)


def digest(script: Script, _edition: Edition) -> None:
    """A week's events become a page, in the provider's batch tier."""
    rng = script.rng
    events = Usage(around(rng, 26_000, 0.6), around(rng, 900, 0.3))
    script.model("write", "openai", "gpt-4.1", events, template="digest", tier="batch")
    checked = Usage(around(rng, 1_600, 0.3), around(rng, 60, 0.3))
    script.model("check", "openai", "gpt-5-nano", checked, template="digest-check")


def index(script: Script, _edition: Edition) -> None:
    """A night's new documents are read by a scanner that is paid by the page, and embedded."""
    rng = script.rng
    for _ in range(rng.randint(1, 4)):
        pages = min(900, around(rng, 45, 0.9))
        script.tool("page_scan", "scan", pages * 0.3, quantity=pages)
        script.embed("embed", Usage(input_tokens=pages * around(rng, 700, 0.2)))


def evaluate(script: Script, _edition: Edition) -> None:
    """Prompts are tried on examples, and judged; one of the models tried is the company's own, which nobody has priced."""
    rng = script.rng
    for _ in range(rng.randint(8, 16)):
        example = Usage(around(rng, 3_500, 0.4), around(rng, 400, 0.4))
        if rng.random() < 0.06:
            script.model("try", "vllm", "house-llama-3-70b", example, template="candidate")
        else:
            script.model("try", "openai", "gpt-5-mini", example, template="candidate")
        judged = Usage(around(rng, 2_000, 0.2), around(rng, 120, 0.3))
        script.model("judge", "anthropic", "claude-haiku-4-5", judged, template="judge")


RECIPES: Final[dict[str, Callable[[Script, Edition], None]]] = {
    "inbox-triage": triage,
    "support-chat": chat,
    "contract-review": review,
    "lead-research": research,
    "weekly-digest": digest,
    "document-index": index,
    "prompt-eval": evaluate,
}
"""The recipe of each feature."""


def _cached(prompt: int, answer: int, share: float) -> Usage:
    """A call whose prompt was in the cache up to a share of it, and is written to it where it was not."""
    read = int(prompt * share)
    written = 0 if read > prompt // 2 else prompt - read - prompt // 20
    return Usage(prompt, answer, read, written)


def _written(prompt: int, answer: int) -> Usage:
    """A call that writes its prompt to the cache, for those that follow."""
    return Usage(prompt, answer, 0, prompt - prompt // 20)
