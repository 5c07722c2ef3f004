"""Signing in by an OpenID Connect provider, and the ID tokens of CI jobs in place of tokens of ours. Optional.

Which providers there are, and who of them may what, the operator says at the start (`rules.py`); who is named nowhere
gets in nowhere. Nothing that a request or a token names is fetched: of the operator's providers alone, the discovery
document, the endpoint for codes and the keys (`provider.py`). Whoever is let in has a row among the tokens, whose
secret nobody knows (`identities.py`), so jobs, limits, the audit log and revoking are as with any other.
"""
