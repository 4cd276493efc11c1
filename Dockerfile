# Not built where densezoo is developed: there is no Docker. Targets: cpu, cuda.
#   docker build --target cpu -t densezoo .
#   docker run --rm -v "$PWD:/work" densezoo list_models
FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends g++ libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 DENSEZOO_HOME=/cache OMP_NUM_THREADS=1
# Docker gives 64 MB of shared memory. Backend native, the default on most processors, has threads, which need none of it;
# loader processes of the others send batches through a pipe where there is no room: docker run --shm-size 1g is faster.
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["densezoo"]

FROM base AS cpu
RUN pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
COPY . /src
RUN pip install "/src[formats,onnxruntime,parquet,plots]"

FROM base AS cuda
RUN pip install torch torchvision --index-url https://download.pytorch.org/whl/cu126
COPY . /src
RUN pip install "/src[formats,gpu,parquet,plots]"
