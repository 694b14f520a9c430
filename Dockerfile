# syntax=docker/dockerfile:1
# An image like Function Compute's runtime: code in /code, port 9000, not root.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
RUN python -m venv /opt/gateway && /opt/gateway/bin/pip install --no-cache-dir .

FROM ${BASE}
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
