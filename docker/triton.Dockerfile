# NVIDIA Triton, and in its Python what a detector's RoI stage runs on: PyTorch, torchvision, safetensors. Not root.
#   docker build -f docker/triton.Dockerfile -t dirdet-triton .
FROM nvcr.io/nvidia/tritonserver:26.08-py3
# A lock of requirements/: "tritonserver-onnxruntime", or with "-gpu" at its end, for repositories made with `dirdet triton
# --onnxruntime python` or `--detector-as process`.
ARG LOCK=tritonserver
COPY requirements/${LOCK}.txt /tmp/requirements.txt
# Without dependencies, since the lock holds all of them but numpy, which is the image's own.
RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --only-binary :all: --no-deps -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt \
 && install -d -o 10001 -g 10001 /models /engines
COPY docker/triton/serve-detectors /usr/local/bin/serve-detectors
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001:10001
EXPOSE 8000 8001 8002
# Half an hour: TensorRT may build an engine first.
HEALTHCHECK --interval=10s --timeout=3s --start-period=1800s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["serve-detectors"]
