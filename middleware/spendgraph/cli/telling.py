"""How a command tells people something: through the policy's `notify`, as a meter does, and without one.

For commands of other packages too, which know nothing of channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph.ledger import Ledger
    from spendgraph.notify import Told

WAIT_S: Final = 30.0
"""How long a command waits for slow channels."""


class Teller:
    """Tells the people of a policy.

    Args:
        policy: The policy file, if there is one.

    Raises:
        PolicyError: The policy cannot be read, or an address in it: before anything is done.
    """

    def __init__(self, policy: Path | None) -> None:
        self._channels = None
        if policy is None:
            return
        from spendgraph.policy import load_policy

        read = load_policy(policy)
        if read.notify:
            from spendgraph.notify import read_channels

            self._channels = read_channels(read, str(policy))

    def tell(self, ledger: Ledger, notices: Iterable[Mapping[str, Any]]) -> Told | None:
        """Tell people what they have not been told, and deliver what waits; nothing where the policy has nobody to tell.

        Args:
            ledger: Where alerts are kept.
            notices: The fields of `spendgraph.notify.Alert` by name.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """
        if self._channels is None:
            return None
        from spendgraph.notify import Alert, tell

        return tell(ledger, self._channels, [Alert(**notice) for notice in notices], wait_s=WAIT_S)
