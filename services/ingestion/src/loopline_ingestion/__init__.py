"""Takes documents in, keeps them, extracts, validates and cuts them."""
