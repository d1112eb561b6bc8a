# docker build -t lrcore . && docker run --rm lrcore
# The first stage has what `make` needs; .devcontainer uses it.
FROM debian:12-slim AS tools
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM tools
WORKDIR /lrcore
COPY . .
RUN make .venv/.core
CMD ["make", "demo"]
