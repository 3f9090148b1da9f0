"""Weaviate's failures as ours: all of them pass, but for what no repetition makes right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import httpx
from weaviate.exceptions import WeaviateBaseError, WeaviateClosedClientError, WeaviateQueryError

from loopline_runtime.errors import Invalid, Unavailable

REASON = "INDEX_UNAVAILABLE"


@asynccontextmanager
async def translated(within_s: float) -> AsyncIterator[None]:
    """For each call. The client itself would try again for a minute; whoever asks has no such patience."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Unavailable(f"Weaviate did not answer within {within_s:g} s", reason=REASON) from error
    except (WeaviateBaseError, WeaviateClosedClientError, httpx.HTTPError, grpc.aio.AioRpcError, OSError) as error:
        raise told(str(error)) from error


def told(message: str) -> Invalid | Unavailable:
    """By what it says."""
    said = " ".join(message.split())[:300]
    if "vector dimensions do not match" in message or "vector lengths don't match" in message:
        return Invalid(f"Weaviate refuses the vectors: {said}", reason="WRONG_DIMENSION")
    if "read-only" in message or "READONLY" in message:
        return Unavailable(f"Weaviate takes no writes, its disk is full: {said}", reason="INDEX_READ_ONLY")
    return Unavailable(f"Weaviate does not answer: {said}", reason=REASON)


def absent(error: WeaviateQueryError) -> bool:
    """Whether it says that there is no such tenant (or no such collection any more)."""
    message = str(error)
    return "tenant not found" in message or "could not find class" in message
