"""Alarms to people and their tools, over HTTP: signed JSON, Alertmanager, Slack.

Each request carries `Idempotency-Key: <alarm>/<update>`: when we are killed between their answer and our writing it down, it comes once more
under the same key.
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2

from loopline_monitoring.app.diagnosis import short
from loopline_monitoring.model import Alarm, Change, Saying, Webhook
from loopline_monitoring.ports import Letter
from loopline_runtime.errors import Rejected, Unavailable

TIMEOUT_S = 10.0
# Alertmanager takes an alert for over when its end has come; ours end when we say so.
OPEN_FOR_S = 30 * 86_400.0
BUSY = (408, 425, 429)


class HttpReceiver:
    """The port `Receiver` for one webhook."""

    def __init__(self, webhook: Webhook, client: httpx2.AsyncClient) -> None:
        self._webhook = webhook
        self._client = client

    @classmethod
    @asynccontextmanager
    async def opened(cls, webhooks: Sequence[Webhook]) -> "AsyncIterator[dict[str, HttpReceiver]]":
        """One for each, by its name."""
        async with httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
            yield {webhook.name: cls(webhook, client) for webhook in webhooks}

    async def tell(self, letter: Letter) -> None:
        """See the port."""
        change = letter.change
        body = json.dumps(_BODIES[self._webhook.kind](change)).encode()
        headers = {
            "content-type": "application/json",
            "idempotency-key": f"{change.alarm.alarm_id}/{change.alarm.update}",
        }
        if self._webhook.secret:
            headers |= signature(self._webhook.secret, body, time.time())
        url = self._webhook.url
        if self._webhook.kind == "alertmanager":
            url = url.rstrip("/") + "/api/v2/alerts"
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise Unavailable(f"webhook {self._webhook.name}: {type(error).__name__} {error}") from error
        if answer.status_code >= 500 or answer.status_code in BUSY:
            raise Unavailable(f"webhook {self._webhook.name} answers {answer.status_code}")
        if not 200 <= answer.status_code < 300:
            raise Rejected(f"webhook {self._webhook.name} answers {answer.status_code}: {answer.text[:200]}")


def signature(secret: str, body: bytes, at: float) -> dict[str, str]:
    """Headers that prove who sent it and when: HMAC-SHA-256 over `<seconds>.<body>`, hex."""
    when = str(int(at))
    digest = hmac.new(secret.encode(), when.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"loopline-timestamp": when, "loopline-signature": f"sha256={digest}"}


def _signed(change: Change) -> dict[str, Any]:
    alarm = change.alarm
    return {
        "event": f"drift_{change.saying.value}",
        "alarm_id": alarm.alarm_id,
        "update": alarm.update,
        "tenant": alarm.tenant,
        "collection": alarm.collection,
        "signal": alarm.signal,
        "threshold": alarm.threshold,
        "severity": alarm.severity.value,
        "effect": alarm.effect,
        "test": alarm.test,
        "told": alarm.told,
        "slices": [name for name in alarm.moved if name],
        "causes": [
            {"what": c.what, "value": c.value, "before": c.before, "score": c.score, "told": c.told}
            for c in alarm.causes
        ],
        "examples": alarm.examples,
        "since": _iso(alarm.since),
        "opened_at": _iso(alarm.opened_at),
        "cleared_at": _iso(alarm.cleared_at) if alarm.cleared_at else None,
        "cleared_because": alarm.cleared_because,
    }


def _alertmanager(change: Change) -> list[dict[str, Any]]:
    alarm = change.alarm
    labels = {
        "alertname": "LooplineDrift",
        "alarm_id": alarm.alarm_id,
        "tenant": alarm.tenant,
        "collection": alarm.collection,
        "signal": alarm.signal,
        "threshold": alarm.threshold,
    }
    ends = alarm.cleared_at if change.saying is Saying.CLEARED else time.time() + OPEN_FOR_S
    annotations = {"summary": sentence(alarm), "severity": alarm.severity.value, "cause": _cause(alarm)}
    return [
        {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": _iso(alarm.opened_at),
            "endsAt": _iso(ends),
        }
    ]


def _slack(change: Change) -> dict[str, Any]:
    alarm, over = change.alarm, change.saying is Saying.CLEARED
    mark = (
        ":white_check_mark:"
        if over
        else {"high": ":red_circle:", "medium": ":large_orange_circle:"}.get(
            alarm.severity.value, ":large_yellow_circle:"
        )
    )
    lines = [f"{mark} {'Over: ' if over else ''}{sentence(alarm)}"]
    if over:
        lines.append(f"because: {alarm.cleared_because}")
    elif alarm.causes:
        lines.append(f"probably: {_cause(alarm)}")
    return {"text": _plain("\n".join([*lines, f"loopline drift show {alarm.alarm_id}"]))}


def sentence(alarm: Alarm) -> str:
    """An alarm in one line."""
    groups = ", ".join(name for name in alarm.moved if name)
    where = f"{alarm.collection}{f' ({groups})' if groups else ''}"
    return f"{alarm.severity.value}: {alarm.signal} of {where}: {alarm.told}"


def _cause(alarm: Alarm) -> str:
    return f"{alarm.causes[0].what} {short(alarm.causes[0].value)}" if alarm.causes else ""


def _plain(text: str) -> str:
    """Slack reads these three as markup; what documents and questions say is none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


_BODIES = {"loopline": _signed, "alertmanager": _alertmanager, "slack": _slack}
