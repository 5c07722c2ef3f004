# Two stages: the first makes the environment from the lock file, the second carries only what runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY dlpipe dlpipe
COPY zoo zoo
RUN python -m venv /opt/dlpipe \
    && /opt/dlpipe/bin/pip install --no-cache-dir "$(grep -o '^uv==[^ ]*' requirements.lock)" \
    && /opt/dlpipe/bin/uv pip install --no-cache --python /opt/dlpipe/bin/python --require-hashes -r requirements.lock \
    && /opt/dlpipe/bin/uv pip install --no-cache --python /opt/dlpipe/bin/python --no-deps .

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 dlpipe \
    && install -d -o dlpipe -g dlpipe /cache /work
COPY --from=build /opt/dlpipe /opt/dlpipe
ENV PATH=/opt/dlpipe/bin:$PATH DLPIPE_CACHE_DIR=/cache
USER dlpipe
WORKDIR /work
VOLUME /cache
ENTRYPOINT ["dlpipe"]
CMD ["--help"]
