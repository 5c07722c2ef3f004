"""Runs in the toolchain test-mlflow: MLflow's tracking server. Arguments: a folder, and the port."""

import os
import sys

folder, port = sys.argv[1:]
# What `mlflow server` sets for the processes that it starts; it would start several, and a user interface.
os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/mlflow.sqlite"
os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = f"{folder}/artifacts"

from mlflow.server import app  # noqa: E402

app.run("127.0.0.1", int(port))
