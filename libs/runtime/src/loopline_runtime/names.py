"""What telemetry is called: metrics (Prometheus) and span attributes (OpenTelemetry), written once.

Attribute names follow the OpenTelemetry conventions for RPC, messaging and generative AI.
Metric names follow Prometheus: unit and `_total` at the end.
"""

from typing import Final

# --- Resource and common ---
SERVICE_NAME: Final = "service.name"
ERROR_TYPE: Final = "error.type"
TENANT: Final = "loopline.tenant"
REASON: Final = "loopline.reason"

# --- Calls (gRPC) ---
RPC_SYSTEM: Final = "rpc.system"
RPC_SERVICE: Final = "rpc.service"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.grpc.status_code"

# --- Messages (the bus) ---
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_CONSUMER_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"

# --- Generative AI ---
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"

# --- Metrics: calls, by service, method and code ---
RPC_REQUESTS_TOTAL: Final = "loopline_rpc_requests_total"
RPC_SECONDS: Final = "loopline_rpc_seconds"
RPC_IN_FLIGHT: Final = "loopline_rpc_in_flight"
RPC_CLIENT_REQUESTS_TOTAL: Final = "loopline_rpc_client_requests_total"
RPC_CLIENT_SECONDS: Final = "loopline_rpc_client_seconds"

# --- Metrics: events ---
# By event.
EVENTS_PUBLISHED_TOTAL: Final = "loopline_events_published_total"
# By durable and outcome: done, retried, buried, parked.
EVENTS_HANDLED_TOTAL: Final = "loopline_events_handled_total"
# By durable.
EVENT_SECONDS: Final = "loopline_event_seconds"
LAST_FETCH_AGE_SECONDS: Final = "loopline_last_fetch_age_seconds"

# --- Metrics: answers ---
FIRST_TOKEN_SECONDS: Final = "loopline_answer_first_token_seconds"  # noqa: S105 - a word, no password
# By model and kind: prompt, completion.
ANSWER_TOKENS_TOTAL: Final = "loopline_answer_tokens_total"
ANSWER_COST_TOTAL: Final = "loopline_answer_cost_total"
# By outcome and abstained.
ANSWERS_TOTAL: Final = "loopline_answers_total"
ANSWER_FACTS_LOST_TOTAL: Final = "loopline_answer_facts_lost_total"
QUERIES_SERVED_LOST_TOTAL: Final = "loopline_queries_served_lost_total"

# --- Metrics: drift ---
# Open alarms by tenant, collection, signal and severity.
DRIFT_ALARMS: Final = "loopline_drift_alarms"
DRIFT_SIGNALS: Final = "loopline_drift_signals"
DRIFT_TESTED: Final = "loopline_drift_tested"
DRIFT_PROMISE: Final = "loopline_drift_promise_per_week"
DRIFT_WRITTEN_AGE_SECONDS: Final = "loopline_drift_written_age_seconds"
# By reader.
DRIFT_READ_AGE_SECONDS: Final = "loopline_drift_read_age_seconds"

# Seconds; from a cached look-up to an upload.
SECONDS_BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
