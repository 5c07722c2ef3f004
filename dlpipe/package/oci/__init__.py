"""Packages in registries of OCI artefacts, laid out as CNCF's ModelPack says."""
