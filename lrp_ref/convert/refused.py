"""What a network of another library has and ours has not."""

from __future__ import annotations


def refuse(condition: bool, reason: str) -> None:
    if condition:
        raise ValueError(reason)
