"""Index versions of a collection: begun, ended, told."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from loopline_ingestion.model import (
    MOST_PLANS,
    Collection,
    Come,
    Document,
    IndexPlan,
    Plan,
    State,
    checked_collection,
    checked_plan,
    next_version,
)
from loopline_ingestion.ports import History, Ledger, Plans
from loopline_runtime.errors import Aborted, Invalid, NotFound, Rejected

PAGE, MOST_REMADE = 500, 1000


class Planning:
    """A version beside others: nothing is uploaded for it, and nothing that serves is touched by it."""

    def __init__(self, ledger: Ledger, plans: Plans, history: History) -> None:
        self._ledger = ledger
        self._plans = plans
        self._history = history

    async def newest(self, tenant: str, collection: str) -> Plan:
        """What the next plan is like where nothing else is said. NotFound for an unknown collection."""
        return (await self._alive(tenant, collection))[-1].plan

    async def add(self, tenant: str, collection: str, plan: Plan, version: str, by: str) -> IndexPlan:
        """Begins a version, or goes on with the one named that stalled. Rejected while another is being built; Aborted when it was taken."""
        checked_plan(plan)
        known = await self._plans.plans(tenant, checked_collection(collection))
        alive = await self._alive(tenant, collection)
        there = next((one for one in known if one.version == version), None)
        if there is not None:
            return await self._again(there, plan)
        wanted = next_version([one.version for one in known])
        if version not in ("", wanted):
            raise Invalid(f"the next index version of {collection} is {wanted}", field="index_version")
        if unfinished := [one.version for one in alive if one.building]:
            raise Rejected(
                f"{unfinished[0]} of {collection} is being built; wait for it, or drop it", reason="BUILD_UNDER_WAY"
            )
        if len(alive) >= MOST_PLANS:
            raise Rejected(f"{collection} has {MOST_PLANS} index versions; drop one first", reason="TOO_MANY_VERSIONS")
        found = await self._ledger.collection(tenant, collection)
        said = replace(
            found or Collection(tenant, collection), index_version=wanted, plan=plan, build=True, by=by, revision=0
        )
        said = replace(said, revision=await self._history.plan(said, 0))
        await self._ledger.planned(said, datetime.now(UTC))
        return await self._one(tenant, collection, wanted)

    async def retire(self, tenant: str, collection: str, version: str, by: str, reason: str) -> IndexPlan:
        """Ends a version; ending what has ended changes nothing. Rejected for the last one that is whole."""
        plan = await self._one(tenant, collection, version)
        if plan.retired:
            return plan
        others = [one for one in await self._alive(tenant, collection) if one.counts and one.version != version]
        if not others:
            raise Rejected(f"{version} is the only finished index version of {collection}", reason="LAST_VERSION")
        await self._history.retire(tenant, collection, version, by, reason)
        await self._ledger.retired(tenant, collection, version)
        return replace(plan, retired=True)

    async def all(self, tenant: str, collection: str) -> list[tuple[IndexPlan, Come]]:
        """Every version, oldest first, with how far it has come."""
        await self._alive(tenant, collection)
        return [(plan, await self.come(plan)) for plan in await self._plans.plans(tenant, collection)]

    async def come(self, plan: IndexPlan) -> Come:
        """How far one has come."""
        return Come(0, 0, 0) if plan.retired else await self._plans.come(plan)

    async def expected(
        self, tenant: str, collection: str, version: str
    ) -> AsyncIterator[tuple[IndexPlan, Document, int]]:
        """What it should hold: documents that have text, and how many chunks each has; -1 while something of it is under way."""
        plan = await self._one(tenant, collection, version)
        after = ""
        while page := await self._plans.expected(plan, after, PAGE):
            after = page[-1][0].document_id
            for document, chunks in page:
                if document.state is not State.REJECTED:
                    yield plan, document, chunks

    async def remake(self, tenant: str, document_ids: Sequence[str], attempt: str) -> list[str]:
        """Has documents worked on again, for all versions; those that are deleted or unknown are left out."""
        if not 1 <= len(document_ids) <= MOST_REMADE:
            raise Invalid(f"name 1 to {MOST_REMADE} documents", field="document_ids")
        remade = []
        for document_id in document_ids:
            document = await self._ledger.document(tenant, document_id)
            if document is not None and document.state is not State.DELETED:
                await self._history.work_again(document, attempt)
                remade.append(document_id)
        return remade

    async def _again(self, there: IndexPlan, plan: Plan) -> IndexPlan:
        if there.retired or there.plan != plan:
            raise Aborted(f"there is another {there.version} of {there.collection}; look again", field="index_version")
        if there.building and (await self._plans.come(there)).stalled:
            await self._plans.forgive(there)
            await self._history.build_again(there, attempt=f"{datetime.now(UTC):%Y%m%d%H%M%S}")
        return there

    async def _alive(self, tenant: str, collection: str) -> list[IndexPlan]:
        found = [one for one in await self._plans.plans(tenant, checked_collection(collection)) if not one.retired]
        if not found:
            raise NotFound(f"there is no collection {collection}", reason="UNKNOWN_COLLECTION", field="collection")
        return found

    async def _one(self, tenant: str, collection: str, version: str) -> IndexPlan:
        await self._alive(tenant, collection)
        for plan in await self._plans.plans(tenant, collection):
            if plan.version == version:
                return plan
        raise NotFound(
            f"{collection} has no index version {version[:64]}", reason="UNKNOWN_VERSION", field="index_version"
        )
