"""The manifests: rendered, held against their schemas, and run on a real control plane."""
