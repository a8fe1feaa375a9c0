"""What Sequester does not protect from: the README, the threat model and the report say the same."""

from typing import Final

NOT_COVERED: Final = (
    "AWS or Linux kernel zero-days beyond root on a sandbox node",
    "administrators of the account",
    "timing and storage side channels between pods of one node",
    "what an allowed host does with data that it was sent",
    "what you bring: in a VPC of your own, `sequester demo` lists what the blueprint then does not own",
)
"""Each completes the sentence: Sequester does not protect against ..."""


def markdown() -> str:
    """A list."""
    return "\n".join(f"- {one};" for one in NOT_COVERED[:-1]) + f"\n- {NOT_COVERED[-1]}."
