"""Changing nodes safely: stages, transactions, gates, confirmation."""
