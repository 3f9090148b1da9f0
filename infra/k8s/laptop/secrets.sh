#!/usr/bin/env bash
# Makes the Secrets of a line on one machine, with fresh keys; run once, before `skaffold dev`. Answers the key of the tenant `local`.
set -euo pipefail
key() { openssl rand -hex 32; }
secret_in() { kubectl create secret generic "${@:2}" --namespace "$1" --dry-run=client -o yaml | kubectl apply -f - >/dev/null; }
secret() { secret_in loopline "$@"; }
service=$(key) admin=$(key) weaviate=$(key)
for name in loopline loopline-verify; do kubectl create namespace "$name" --dry-run=client -o yaml | kubectl apply -f - >/dev/null; done
secret provision --from-literal=service-key="$service" --from-literal=admin-key="$admin"
secret weaviate --from-literal=AUTHENTICATION_APIKEY_ALLOWED_KEYS="$weaviate"
secret embedding --from-literal=access-key="$service"
secret retrieval --from-literal=access-key="$service" --from-literal=weaviate-key="$weaviate"
# SQLite below /tmp: it goes with its pod. Name a PostgreSQL instead to keep what is there.
for pair in ingestion:ledger-url generation:answers-url monitoring:state-url; do
  secret "${pair%%:*}" --from-literal=access-key="$service" --from-literal="${pair##*:}"="sqlite:////tmp/${pair%%:*}.db"
done
secret evaluation --from-literal=access-key="$service" --from-literal=scores-url=sqlite:////tmp/scores.db --from-literal=runs-url=sqlite:////tmp/runs.db
secret_in loopline-verify check --from-literal=admin-key="$admin"
echo "$admin"
