"""Collections and their plans."""

from dataclasses import replace
from datetime import UTC, datetime

from loopline_ingestion.model import Collection, Plan, checked_collection, checked_plan
from loopline_ingestion.ports import Extraction, History, Ledger
from loopline_runtime.errors import NotFound, Rejected


class Collections:
    """Makes them, changes their settings, lists them."""

    def __init__(self, ledger: Ledger, history: History, extraction: Extraction, first: Plan | None = None) -> None:
        self._ledger = ledger
        self._history = history
        self._extraction = extraction
        # What a new collection gets where its maker says nothing.
        self.first = first or Plan()

    async def put(self, tenant: str, name: str, plan: Plan | None, expectations_json: str) -> Collection:
        """Makes a collection, or changes its settings. Rejected (PLAN_DIFFERS) when it has another plan."""
        checked_collection(name)
        await self._extraction.check_suite(expectations_json)
        found = await self._ledger.collection(tenant, name)
        if found is None:
            wanted = Collection(
                tenant, name, plan=checked_plan(plan or self.first), expectations_json=expectations_json
            )
            return await self._said(wanted, 0)
        if plan is not None and checked_plan(plan) != found.plan:
            raise Rejected(f"{name} has another plan; build an index version with the new one", reason="PLAN_DIFFERS")
        if expectations_json == found.expectations_json:
            return found
        return await self._said(replace(found, expectations_json=expectations_json), found.revision)

    async def get(self, tenant: str, name: str) -> Collection:
        """One. NotFound when there is none."""
        found = await self._ledger.collection(tenant, checked_collection(name))
        if found is None:
            raise NotFound(f"there is no collection {name}", reason="UNKNOWN_COLLECTION", field="name")
        return found

    async def all(self, tenant: str) -> list[Collection]:
        """All of a tenant's."""
        return await self._ledger.collections(tenant)

    async def made(self, tenant: str, name: str) -> Collection:
        """The collection, made with the default plan when it is new. Two who make it at once say the same fact once."""
        found = await self._ledger.collection(tenant, name)
        return found or await self._said(Collection(tenant, name, plan=self.first), 0)

    async def _said(self, collection: Collection, number: int) -> Collection:
        revision = await self._history.plan(collection, number)
        said = replace(collection, revision=revision)
        await self._ledger.planned(said, datetime.now(UTC))
        return said
