# Two stages: the first makes the environment from the lock files, the second carries only what runs.
#   docker build -t dlpipe .                                 the command and the service
#   docker build -t dlpipe-ray --build-arg EXTRAS=service,postgresql,s3,ray .
FROM python:3.11.14-slim-bookworm AS build
ARG EXTRAS=service,postgresql,s3
WORKDIR /src
COPY pyproject.toml requirements.lock requirements-dev.lock README.md LICENSE NOTICE ./
COPY dlpipe dlpipe
COPY zoo zoo
# requirements-dev.lock pins what the extras need; uv checks its hashes.
RUN python -m venv /opt/dlpipe \
    && /opt/dlpipe/bin/pip install --no-cache-dir "$(grep -o '^uv==[^ ]*' requirements.lock)" \
    && /opt/dlpipe/bin/uv pip install --no-cache --python /opt/dlpipe/bin/python --require-hashes -r requirements.lock \
    && /opt/dlpipe/bin/uv pip install --no-cache --python /opt/dlpipe/bin/python --constraint requirements-dev.lock ".[$EXTRAS]"

FROM python:3.11.14-slim-bookworm
# wget: KubeRay's probes of a Ray node. The links: KubeRay starts Ray by a login shell, which forgets PATH.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 dlpipe \
    && ln -s /opt/dlpipe/bin/dlpipe /opt/dlpipe/bin/ray /usr/local/bin/ \
    && install -d -o dlpipe -g dlpipe /cache /data /work
COPY --from=build /opt/dlpipe /opt/dlpipe
# It runs on a read-only root: what it writes is below these two and /tmp.
ENV PATH=/opt/dlpipe/bin:$PATH DLPIPE_CACHE_DIR=/cache UV_CACHE_DIR=/cache/uv DLPIPE_DATA_DIR=/data
USER 1000:1000
WORKDIR /work
VOLUME ["/cache", "/data"]
EXPOSE 7070
# Of `dlpipe serve`. Where the container runs another command, switch it off (--no-healthcheck).
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7070/healthz', timeout=4)"]
ENTRYPOINT ["dlpipe"]
CMD ["--help"]
