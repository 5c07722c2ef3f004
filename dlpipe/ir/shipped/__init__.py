"""What an artefact's folder holds so that it can be fed and its answers read: pre- and post-processing as code."""
