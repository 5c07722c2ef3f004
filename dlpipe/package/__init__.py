"""What is shipped: provenance, bill of materials, model card, signature, encryption, and the way to a registry.

A package is a folder: the output of `convert`, or one artefact of it. Throughout it keeps to standards that others can
check without dlpipe: in-toto and SLSA, CycloneDX, OpenSSF Model Signing, age, OCI with the CNCF ModelPack layout.
"""
