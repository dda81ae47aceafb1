# One image for every part: serve, relay, consumers.
FROM python:3.11-slim
RUN useradd --create-home --uid 10001 ecluse
WORKDIR /app
COPY requirements-otel.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements-otel.lock
COPY ecluse ecluse
COPY mappers mappers
COPY fhir_server fhir_server
COPY consumers consumers
COPY portal portal
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && mkdir /data && chown ecluse /data
USER ecluse
ENV ECLUSE_DATA=/data
ENTRYPOINT ["ecluse"]
CMD ["serve"]
