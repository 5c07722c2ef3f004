# Two commands do everything on a fresh machine: `make demo` runs the main job, `make test` passes the tests.
DLPIPE := .venv/bin/dlpipe

.PHONY: help setup demo test lint lock clean
help:
	@echo "make demo   convert a real trained model of zoo/ for arm64, and show the result"
	@echo "make test   lint, types, import contracts, and all tests"
	@echo "make lint   only lint, types and import contracts"
	@echo "make lock   resolve the lock files again (maintainers)"

setup:
	@scripts/bootstrap

demo: setup
	@$(DLPIPE) zoo run mlperf-tiny-kws --target arm64 --yes

test:
	@scripts/bootstrap --dev
	@scripts/check
	@scripts/run-tests

lint:
	@scripts/bootstrap --dev
	@scripts/check

lock:
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.lock

clean:
	rm -rf .venv dlpipe-out build dist
