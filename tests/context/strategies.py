"""Random contexts for property tests: every value a tag may have, all of Unicode included."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from spendgraph.context import CostContext
from spendgraph.context.names import FIELDS
from spendgraph.errors import ContextError
from spendgraph.policy.vocabulary import WORKLOAD_CLASSES, tag_text

ON_A_BUSY_MACHINE = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""Properties are about answers, not about how long drawing three contexts takes beside seven other jobs."""


def _is_tag(text: str) -> bool:
    try:
        tag_text("tag", text)
    except ContextError:
        return False
    return True


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=20).filter(_is_tag),
    st.text("%=;,\"\\ +&'<>\tü☃", max_size=10).map(lambda text: text.replace("\t", " ")),
)
KEYS = st.from_regex(r"\A[a-z][a-z0-9_]{0,39}\Z")


@st.composite
def contexts(draw: st.DrawFn) -> CostContext:
    """A context with some tags set."""
    names = draw(st.sets(st.sampled_from([name for name in FIELDS if name != "workload_class"])))
    tags: dict[str, object] = {name: draw(VALUES) for name in sorted(names)}
    tags["workload_class"] = draw(st.sampled_from(["", *WORKLOAD_CLASSES]))
    tags["extra"] = draw(st.dictionaries(KEYS, VALUES, max_size=4))
    return CostContext.from_mapping(tags)
