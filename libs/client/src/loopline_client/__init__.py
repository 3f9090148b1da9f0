"""The Loopline client library; the `loopline` command is made of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopline_client.library import Loopline
    from loopline_client.results import Answer, Document, Finished, Passage, Sources, Started, Token

__all__ = ["Answer", "Document", "Finished", "Loopline", "Passage", "Sources", "Started", "Token"]


def __getattr__(name: str) -> object:
    """Loads the library when it is used: `loopline --help` shall not wait for gRPC."""
    if name not in __all__:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module("loopline_client.library" if name == "Loopline" else "loopline_client.results"), name)
