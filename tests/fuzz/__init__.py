"""Damaged files: each ends in an answer or in one DigitscopeError, within bounded time and memory."""
