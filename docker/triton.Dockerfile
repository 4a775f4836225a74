# NVIDIA Triton, and in its Python what a detector's RoI stage runs on: PyTorch and torchvision. Not root.
#   docker build -f docker/triton.Dockerfile -t dirdet-triton .
FROM nvcr.io/nvidia/tritonserver:26.08-py3
# The versions that export was proved with; PyPI's are built for CUDA.
ARG TORCH=2.14.1
ARG TORCHVISION=0.29.1
# Another requirement, such as "onnxruntime==1.32.0" for repositories made with `dirdet triton --onnxruntime python`.
ARG ONNXRUNTIME=""
# Where pip looks too: PyTorch's index of CPU wheels makes the image 5 GB smaller.
ARG PIP_EXTRA_INDEX_URL
RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        "torch==${TORCH}" "torchvision==${TORCHVISION}" ${ONNXRUNTIME} \
 && install -d -o 10001 -g 10001 /models
COPY docker/triton/serve-detectors /usr/local/bin/serve-detectors
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001:10001
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=3s --start-period=300s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
ENTRYPOINT ["serve-detectors"]
