# An image for Prefect's Docker and Kubernetes work pools, or for any one command: `docker run IMAGE earful --help`.
# Build it from a clone: `docker build -t earful .`. Settings and secrets come from outside: docs/prefect.md.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 DO_NOT_TRACK=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 10001 earful && mkdir /srv/earful /data && chown earful /data
WORKDIR /srv/earful

# What is locked comes first: the layer stays while only our own files change.
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE prefect.yaml ./
COPY pipeline pipeline
COPY connectors connectors
COPY storage storage
COPY flows flows
COPY desk desk
RUN pip install --no-deps --no-build-isolation .

USER earful
WORKDIR /data
CMD ["earful", "listen", "--settings", "/data/earful.toml"]
