# syntax=docker/dockerfile:1
# An image like Function Compute's runtime: code in /code, port 9000, not root.
# Any base of Debian's kind will do, also one with Debian's own Python or with none.
ARG BASE=python:3.13-slim

FROM ${BASE} AS base
RUN command -v python3 > /dev/null \
    || { apt-get update && apt-get install --yes --no-install-recommends python3 \
         && rm -rf /var/lib/apt/lists/*; }

# What must be downloaded, as text: only a change of it makes the layer below anew.
FROM base AS requirements
COPY pyproject.toml /
RUN python3 -c 'import tomllib; \
print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > /runtime.txt \
    && python3 -c 'import tomllib; \
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > /build.txt

FROM base AS build
# Debian has the module venv in a package of its own.
RUN python3 -c 'import ensurepip' 2> /dev/null \
    || { apt-get update && apt-get install --yes --no-install-recommends python3-venv; }
RUN python3 -m venv /opt/gateway && python3 -m venv /opt/build
COPY --from=requirements /runtime.txt /build.txt /
RUN /opt/gateway/bin/pip install --no-cache-dir -r /runtime.txt \
    && /opt/build/bin/pip install --no-cache-dir -r /build.txt wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
RUN /opt/build/bin/pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheels . \
    && /opt/gateway/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

FROM base
COPY --from=build /opt/gateway /opt/gateway
RUN useradd --system --uid 10001 --no-create-home gateway && mkdir /code
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_CHDIR=/code
WORKDIR /code
USER 10001
EXPOSE 9000
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve"]
