"""Naive versions, straight from the definitions: slow, and plain enough to trust."""
