#!/usr/bin/env bash
# Makes the Secrets of a line on one machine, with fresh keys; run once, before `skaffold dev`. Answers the key of the tenant `local`.
set -euo pipefail
key() { openssl rand -hex 32; }
secret() { kubectl create secret generic "$@" --namespace loopline --dry-run=client -o yaml | kubectl apply -f - >/dev/null; }
service=$(key) admin=$(key) weaviate=$(key)
kubectl create namespace loopline --dry-run=client -o yaml | kubectl apply -f - >/dev/null
secret provision --from-literal=service-key="$service" --from-literal=admin-key="$admin"
secret weaviate --from-literal=AUTHENTICATION_APIKEY_ALLOWED_KEYS="$weaviate"
secret embedding --from-literal=access-key="$service"
secret retrieval --from-literal=access-key="$service" --from-literal=weaviate-key="$weaviate"
# SQLite below /tmp: it goes with its pod. Name a PostgreSQL instead to keep what is there.
for pair in ingestion:ledger-url generation:answers-url evaluation:scores-url monitoring:state-url; do
  secret "${pair%%:*}" --from-literal=access-key="$service" --from-literal="${pair##*:}"="sqlite:////tmp/${pair%%:*}.db"
done
echo "$admin"
