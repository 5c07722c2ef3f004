"""Protocols and value types that every room speaks. Standard library and pydantic only."""
