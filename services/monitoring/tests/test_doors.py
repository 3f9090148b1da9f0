"""Both doors over a real bus: predictions over gRPC become facts, facts of others become signals, a restart counts nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loopline.monitoring.v1.events_pb2 import PredictionServed, Value
from loopline.monitoring.v1.monitoring_service_pb2 import (
    AcknowledgeRequest,
    GetDriftRequest,
    GetHistoryRequest,
    RecordPredictionRequest,
    RecordPredictionsRequest,
    SetBaselineRequest,
    SignalState,
    WatchDriftRequest,
)
from loopline.monitoring.v1.monitoring_service_pb2_grpc import (
    MonitoringServiceStub,
    add_MonitoringServiceServicer_to_server,
)
from loopline_grpc.client import calling, connect
from loopline_grpc.server import Door, serving
from loopline_monitoring import events
from loopline_monitoring.adapters.state_sql import StateSql
from loopline_monitoring.app import Agreeing, Monitor, Posting, Watching
from loopline_monitoring.app.monitor import LINE
from loopline_monitoring.rpc import MonitoringRpc
from loopline_monitoring.saying import Recording, ToTheLine
from loopline_nats.line import open_line
from loopline_runtime.errors import Invalid, NotFound
from loopline_runtime.lifecycle import background
from loopline_runtime.settings import Grpc
from loopline_testing.fixtures import bus_settings
from loopline_testing.nats import NatsServer

SERVICE = "loopline.monitoring.v1.MonitoringService"


@asynccontextmanager
async def service(bus: NatsServer, folder: Path) -> AsyncIterator[MonitoringServiceStub]:
    async with (
        StateSql.opened(f"sqlite:///{folder / 'state.db'}") as state,
        open_line(bus_settings(bus), "monitoring") as line,
    ):
        monitor = Monitor(Watching(), state, 0.1)
        places = await monitor.begin(reader.name for reader in events.opened(line))
        rpc = MonitoringRpc(monitor, Agreeing(monitor, state), state, Recording(line))
        door = Door(add_MonitoringServiceServicer_to_server, rpc, SERVICE)
        async with (
            background(monitor.keep(), name="keep"),
            background(events.listen(line, monitor, places), name="listen"),
            background(Posting(LINE, ToTheLine(line), state, monitor).run(), name="say"),
            serving(Grpc(port=0), keys=None, doors=[door]) as server,
            connect(f"127.0.0.1:{server.port}") as channel,
        ):
            yield MonitoringServiceStub(channel)


def prediction(name: str, age: float) -> PredictionServed:
    return PredictionServed(
        prediction_id=name, model="churn", features={"age": Value(number=age)}, prediction=Value(category="stays")
    )


async def signals(stub: MonitoringServiceStub, seen: int) -> dict[str, SignalState]:
    """The signals once all have been seen so often."""
    async with asyncio.timeout(10):
        while True:
            found = {state.signal: state for state in (await stub.GetDrift(GetDriftRequest())).signals}
            if found and all(state.seen >= seen for state in found.values()):
                return found
            await asyncio.sleep(0.05)


async def test_predictions_become_signals_and_a_restart_counts_nothing_twice(provisioned: NatsServer, tmp_path: Path):
    async with service(provisioned, tmp_path) as stub:
        await stub.RecordPrediction(RecordPredictionRequest(prediction=prediction("p1", 30)))
        await stub.RecordPrediction(RecordPredictionRequest(prediction=prediction("p1", 30)))
        told = await stub.RecordPredictions(
            RecordPredictionsRequest(prediction=one)
            for one in [prediction("p2", 31), PredictionServed(model="churn"), prediction("p3", float("nan"))]
        )
        assert (told.recorded, told.refused_count) == (2, 1)
        found = await signals(stub, 3)
        assert (found["feature.age"].seen, found["feature.age"].missing) == (3, 1)
    async with service(provisioned, tmp_path) as stub:
        await stub.RecordPrediction(RecordPredictionRequest(prediction=prediction("p4", 33)))
        assert (await signals(stub, 4))["prediction.value"].seen == 4


async def test_a_prediction_without_an_id_is_refused_by_name(provisioned: NatsServer, tmp_path: Path):
    async with service(provisioned, tmp_path) as stub:
        with pytest.raises(Invalid) as refused:
            async with calling("monitoring"):
                await stub.RecordPrediction(RecordPredictionRequest(prediction=PredictionServed(model="churn")))
        assert refused.value.field == "prediction.prediction_id"


async def test_what_is_normal_is_agreed_and_an_alarm_is_watched_and_known(provisioned: NatsServer, tmp_path: Path):
    async with service(provisioned, tmp_path) as stub:
        usual = [prediction(f"p{number}", 30 + number % 7) for number in range(120)]
        await stub.RecordPredictions(RecordPredictionsRequest(prediction=one) for one in usual)
        await signals(stub, 120)
        agreed = await stub.SetBaseline(SetBaselineRequest(signal="feature.age", name="march", last=100))
        assert [(one.baseline.name, one.baseline.version) for one in agreed.signals] == [("march", 1)]
        watching = stub.WatchDrift(WatchDriftRequest())
        odd = [prediction(f"q{number}", 70 + number % 7) for number in range(40)]
        await stub.RecordPredictions(RecordPredictionsRequest(prediction=one) for one in odd)
        async with asyncio.timeout(20):
            opened = (await watching.read()).alarm
        watching.cancel()
        assert (opened.signal, opened.baseline) == ("feature.age", "march")
        history = [part async for part in stub.GetHistory(GetHistoryRequest(signal="feature.age"))]
        assert [part.WhichOneof("part") for part in history] == ["signal", "alarm"]
        assert history[0].signal.windows
        for request, error in (
            (AcknowledgeRequest(alarm_id="nothing", reason="x"), NotFound),
            (AcknowledgeRequest(alarm_id=opened.alarm_id), Invalid),
        ):
            with pytest.raises(error):
                async with calling("monitoring"):
                    await stub.Acknowledge(request)
        known = await stub.Acknowledge(AcknowledgeRequest(alarm_id=opened.alarm_id[:8], reason="new model", close=True))
        assert known.alarm.acknowledgement.reason == "new model"
        assert known.alarm.HasField("cleared_at")
