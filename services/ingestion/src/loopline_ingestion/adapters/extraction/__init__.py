"""Bytes become text with places, text becomes passages, passages are validated; all of it in processes that may die."""
