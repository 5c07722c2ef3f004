"""The staged DAG: planning, stages, content store, lineage, events, executors."""
