"""What telemetry is called: metrics (Prometheus) and span attributes (OpenTelemetry), written once.

Attribute names follow the OpenTelemetry conventions for RPC, messaging and generative AI; OpenInference where a viewer
reads it. Metric names follow Prometheus: unit and `_total` at the end.
"""

from typing import Final

# --- Resource and common ---
SERVICE_NAME: Final = "service.name"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
TENANT: Final = "loopline.tenant"
COLLECTION: Final = "loopline.collection"
DOCUMENT: Final = "loopline.document"
REVISION: Final = "loopline.revision"
INDEX_VERSION: Final = "loopline.index_version"
ANSWER: Final = "loopline.answer"
REASON: Final = "loopline.reason"

# --- Calls (gRPC) ---
RPC_SYSTEM: Final = "rpc.system"
RPC_SERVICE: Final = "rpc.service"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.grpc.status_code"

# --- Messages (the bus) ---
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
# One of publish, receive, process, settle.
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_CONSUMER_GROUP: Final = "messaging.consumer.group.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_CONVERSATION_ID: Final = "messaging.message.conversation_id"
MESSAGING_BODY_SIZE: Final = "messaging.message.body.size"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"
# Of JetStream, not in the conventions.
MESSAGING_STREAM_SEQUENCE: Final = "messaging.nats.stream_sequence"
MESSAGING_DELIVERIES: Final = "messaging.nats.deliveries"

# --- Generative AI ---
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
GEN_AI_REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_CONVERSATION: Final = "gen_ai.conversation.id"
GEN_AI_DATA_SOURCE: Final = "gen_ai.data_source.id"
GEN_AI_EMBEDDING_DIMENSION: Final = "gen_ai.embeddings.dimension.count"
GEN_AI_PROMPT_NAME: Final = "gen_ai.prompt.name"
# OpenInference; one of LLM, RETRIEVER, EMBEDDING, RERANKER, GUARDRAIL, CHAIN.
SPAN_KIND: Final = "openinference.span.kind"

# --- Metrics: calls, by service, method and code ---
RPC_REQUESTS_TOTAL: Final = "loopline_rpc_requests_total"
RPC_SECONDS: Final = "loopline_rpc_seconds"
RPC_IN_FLIGHT: Final = "loopline_rpc_in_flight"
RPC_CLIENT_REQUESTS_TOTAL: Final = "loopline_rpc_client_requests_total"
RPC_CLIENT_SECONDS: Final = "loopline_rpc_client_seconds"

# --- Metrics: events ---
# By event.
EVENTS_PUBLISHED_TOTAL: Final = "loopline_events_published_total"
EVENT_PUBLISH_SECONDS: Final = "loopline_event_publish_seconds"
# By durable and outcome: done, retried, buried, parked, skipped.
EVENTS_HANDLED_TOTAL: Final = "loopline_events_handled_total"
# By durable.
EVENT_SECONDS: Final = "loopline_event_seconds"
EVENTS_IN_FLIGHT: Final = "loopline_events_in_flight"
LAST_FETCH_AGE_SECONDS: Final = "loopline_last_fetch_age_seconds"
PARKED: Final = "loopline_parked"
FETCH_LOOP_RESTARTS_TOTAL: Final = "loopline_fetch_loop_restarts_total"
# By durable and reason.
DEAD_LETTERS_TOTAL: Final = "loopline_dead_letters_total"
# By event. Facts said best effort that were not stored, and those that wait on disk.
FACTS_LOST_TOTAL: Final = "loopline_facts_lost_total"
FACTS_SPOOLED: Final = "loopline_facts_spooled"

# --- Metrics: documents ---
# By state: accepted, chunked, indexed, rejected, failed, deleted.
DOCUMENTS_TOTAL: Final = "loopline_documents_total"
DOCUMENT_INDEXED_SECONDS: Final = "loopline_document_indexed_seconds"
CHUNKS_TOTAL: Final = "loopline_chunks_total"
EXTRACTION_SECONDS: Final = "loopline_extraction_seconds"

# --- Metrics: embedding, by model and lane: query, batch ---
EMBEDDING_SECONDS: Final = "loopline_embedding_seconds"
EMBEDDED_TEXTS_TOTAL: Final = "loopline_embedded_texts_total"

# --- Metrics: search ---
SEARCH_SECONDS: Final = "loopline_search_seconds"
SEARCH_PASSAGES: Final = "loopline_search_passages"

# --- Metrics: answers ---
# By state: completed, cancelled, failed, declined.
ANSWERS_TOTAL: Final = "loopline_answers_total"
ANSWER_SECONDS: Final = "loopline_answer_seconds"
ANSWER_FIRST_SECONDS: Final = "loopline_answer_first_token_seconds"
# By model and kind: input, output.
TOKENS_TOTAL: Final = "loopline_tokens_total"

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
