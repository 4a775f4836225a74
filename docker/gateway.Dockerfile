# The gateway: HTTP for pictures, detection by ONNX Runtime inside. No torch, not root, nothing written.
#   docker build -f docker/gateway.Dockerfile -t dirdet-gateway .
FROM docker.io/library/python:3.11-slim-bookworm AS build
RUN python -m venv /opt/dirdet
# What changes seldom first: the packages stay cached while the code changes.
COPY requirements/cpu.txt /src/requirements/cpu.txt
RUN /opt/dirdet/bin/pip install --no-cache-dir --disable-pip-version-check -r /src/requirements/cpu.txt
COPY pyproject.toml README.md LICENSE /src/
COPY server /src/server
COPY training/dirdet_training /src/training/dirdet_training
COPY export/dirdet_export /src/export/dirdet_export
RUN /opt/dirdet/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /src \
 && rm -rf /opt/dirdet/lib/python3.11/site-packages/pip /opt/dirdet/lib/python3.11/site-packages/pip-*

FROM docker.io/library/python:3.11-slim-bookworm
COPY --from=build /opt/dirdet /opt/dirdet
ENV PATH=/opt/dirdet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
ENTRYPOINT ["dirdet"]
CMD ["serve", "--host", "0.0.0.0"]
