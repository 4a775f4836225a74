# Training, evaluation, export: PyTorch for CUDA (or the CPU), MMDetection without compiled mmcv. Not root.
#   docker build -f docker/training.Dockerfile -t dirdet-training .
#   docker run --rm --gpus all --shm-size 8g --user "$(id -u):$(id -g)" -v "$PWD":/work dirdet-training \
#       train faster_rcnn_dir_r50_fpn_1x_coco --amp
FROM docker.io/library/python:3.11-slim-bookworm
# OpenCV's libraries.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0 >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/build.txt requirements/export.txt /src/requirements/
# The mm-packages have no wheels: they are built by what build.txt locks, before torch is there.
RUN python -m venv /opt/packages \
 && /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r /src/requirements/build.txt \
 && /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-build-isolation \
        -r /src/requirements/export.txt
COPY pyproject.toml README.md LICENSE /src/
COPY server /src/server
COPY training/dirdet_training /src/training/dirdet_training
COPY export/dirdet_export /src/export/dirdet_export
RUN /opt/packages/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps \
        --target /opt/dirdet /src \
 && install -d -o 10001 -g 10001 /work
ENV PATH=/opt/dirdet/bin:/opt/packages/bin:$PATH PYTHONPATH=/opt/dirdet PYTHONUNBUFFERED=1 HOME=/tmp \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["dirdet"]
