# The gateway: HTTP for pictures, detection by ONNX Runtime inside or on Triton. No torch, not root, nothing written.
#   docker build -f docker/gateway.Dockerfile -t dirdet-gateway .
#   docker run --rm --read-only -p 127.0.0.1:8000:8000 -e DIRDET_PUBLISHED_ON=127.0.0.1 dirdet-gateway
FROM docker.io/library/python:3.11-slim-bookworm AS packages
COPY requirements/triton.txt /src/requirements/triton.txt
RUN python -m venv /opt/packages \
 && /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r /src/requirements/triton.txt

FROM packages AS code
COPY requirements/build.txt /src/requirements/build.txt
RUN /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r /src/requirements/build.txt
COPY pyproject.toml README.md LICENSE /src/
COPY server /src/server
COPY training/dirdet_training /src/training/dirdet_training
COPY export/dirdet_export /src/export/dirdet_export
RUN /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps \
        --target /opt/dirdet /src

FROM packages AS lean
RUN /opt/packages/bin/pip uninstall --quiet --yes setuptools pip \
 && find /opt/packages -type d -name tests -prune -exec rm -r {} +

FROM docker.io/library/python:3.11-slim-bookworm
# A named volume begins as a copy of this folder, so that `dirdet triton` may write into it.
RUN install -d -o 10001 -g 10001 /models
COPY --from=lean /opt/packages /opt/packages
COPY docker/gateway-health.py /usr/local/lib/gateway-health.py
# Only this layer changes with the code.
COPY --from=code /opt/dirdet /opt/dirdet
ENV PATH=/opt/dirdet/bin:/opt/packages/bin:$PATH PYTHONPATH=/opt/dirdet PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 DIRDET_LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "/usr/local/lib/gateway-health.py"]
ENTRYPOINT ["dirdet"]
CMD ["serve", "--host", "0.0.0.0"]
