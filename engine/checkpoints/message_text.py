"""Text that came out of a file, made fit for a message."""

from engine.contracts.message_text import LONGEST_SHOWN, is_clean, listed, plain, shown

__all__ = ["LONGEST_SHOWN", "is_clean", "listed", "plain", "shown"]
